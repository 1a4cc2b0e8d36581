//! `GET /v1/history/export`

use axum::{extract::State, response::Response};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, StrictQuery, problem::ProblemBody};

use crate::{
    file::{ExportQuery, part_of},
    owner,
};

/// Download the change history of the platform
///
/// Newline-delimited JSON, oldest first: a line `{"history": …}`, a line `{"entry": …, "personal": …}` an
/// entry, and at the end `{"checkpoint": …}`, which is signed. `ringfence history verify` checks such a
/// file offline. An answer holds about 2 MiB; where there is more it ends with `{"next": cursor}`, its
/// `Link` header names the next part, and the parts one after the other are the file. Needs the scope
/// `history:read`.
#[utoipa::path(
    get,
    path = "/v1/history/export",
    operation_id = "exportPlatformHistory",
    tag = "history",
    params(
        ("since" = Option<String>, Query, description = "From the first entry at this time (RFC 3339) or later"),
        ("until" = Option<String>, Query, description = "Up to the last entry before this time"),
        ("personal" = Option<bool>, Query, description = "false leaves personal values out: the file verifies without them"),
        ("cursor" = Option<String>, Query, description = "`next` of the part before; the rest as for that"),
    ),
    responses(
        (status = 200, description = "A part of the file", body = String, content_type = "application/x-ndjson"),
        (status = 400, description = "A parameter is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "The key is not the operator's", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    query: Result<StrictQuery<ExportQuery>, Problem>,
) -> Result<Response, Problem> {
    let owner = owner::platform(&app, &caller, Scope::HistoryRead)?;
    part_of(&app, &owner, "/v1/history/export", query?.0).await
}
