//! `DELETE /v1/accounts/{account}/recordings/{recording}/links/{link}`

use axum::extract::{Path, State};
use http::StatusCode;
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

/// Revoke a link
///
/// From now on it answers 410, and what it gave out before ends within a minute. Needs the scope
/// `recordings:write`.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{account}/recordings/{recording}/links/{link}",
    tag = "recordings",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("recording" = String, Path, description = "The recording's id"),
        ("link" = String, Path, description = "The link's id"),
    ),
    responses(
        (status = 204, description = "It opens no more"),
        (status = 404, description = "No such account, recording or link", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, recording, link)): Path<(String, String, String)>,
) -> Result<StatusCode, Problem> {
    let config = app
        .account(&caller, Scope::RecordingsWrite, &account)
        .await?;
    app.revoke_link(&config.account.id, &recording, &link, &caller.actor())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
