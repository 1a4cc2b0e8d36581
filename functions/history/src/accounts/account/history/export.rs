//! `GET /v1/accounts/{account}/history/export`

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

/// Download the change history of an account
///
/// Newline-delimited JSON, oldest first: a line `{"history": …}`, a line `{"entry": …, "personal": …}` an
/// entry, and at the end `{"checkpoint": …}`, which is signed. `ringfence history verify` checks such a
/// file offline. An answer holds about 2 MiB; where there is more it ends with `{"next": cursor}`, its
/// `Link` header names the next part, and the parts one after the other are the file. Needs the scope
/// `history:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/history/export",
    operation_id = "exportAccountHistory",
    tag = "history",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("since" = Option<String>, Query, description = "From the first entry at this time (RFC 3339) or later"),
        ("until" = Option<String>, Query, description = "Up to the last entry before this time"),
        ("personal" = Option<bool>, Query, description = "false leaves personal values out: the file verifies without them"),
        ("cursor" = Option<String>, Query, description = "`next` of the part before; the rest as for that"),
    ),
    responses(
        (status = 200, description = "A part of the file", body = String, content_type = "application/x-ndjson"),
        (status = 400, description = "A parameter is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
    query: Result<StrictQuery<ExportQuery>, Problem>,
) -> Result<Response, Problem> {
    let owner = owner::account(&app, &caller, Scope::HistoryRead, &account).await?;
    part_of(
        &app,
        &owner,
        &format!("/v1/accounts/{owner}/history/export"),
        query?.0,
    )
    .await
}
