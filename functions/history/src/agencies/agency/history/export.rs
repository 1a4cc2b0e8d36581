//! `GET /v1/agencies/{agency}/history/export`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, StrictQuery, problem::ProblemBody};

use crate::{
    file::{ExportQuery, part_of},
    owner,
};

/// Download the change history of an agency
///
/// Newline-delimited JSON, oldest first: a line `{"history": …}`, a line `{"entry": …, "personal": …}` an
/// entry, and at the end `{"checkpoint": …}`, which is signed. `ringfence history verify` checks such a
/// file offline. An answer holds about 2 MiB; where there is more it ends with `{"next": cursor}`, its
/// `Link` header names the next part, and the parts one after the other are the file. Needs the scope
/// `history:read`.
#[utoipa::path(
    get,
    path = "/v1/agencies/{agency}/history/export",
    operation_id = "exportAgencyHistory",
    tag = "history",
    params(
        ("agency" = String, Path, description = "The agency's id"),
        ("since" = Option<String>, Query, description = "From the first entry at this time (RFC 3339) or later"),
        ("until" = Option<String>, Query, description = "Up to the last entry before this time"),
        ("personal" = Option<bool>, Query, description = "false leaves personal values out: the file verifies without them"),
        ("cursor" = Option<String>, Query, description = "`next` of the part before; the rest as for that"),
    ),
    responses(
        (status = 200, description = "A part of the file", body = String, content_type = "application/x-ndjson"),
        (status = 400, description = "A parameter is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such agency", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(agency): Path<String>,
    query: Result<StrictQuery<ExportQuery>, Problem>,
) -> Result<Response, Problem> {
    let owner = owner::agency(&app, &caller, Scope::HistoryRead, &agency).await?;
    part_of(
        &app,
        &owner,
        &format!("/v1/agencies/{owner}/history/export"),
        query?.0,
    )
    .await
}
