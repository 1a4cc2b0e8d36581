//! `POST /v1/accounts/{account}/deletions/{deletion}/stop`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

use super::{DeletionBody, shown};

/// Stop a deletion
///
/// After the step that it is at, within about a thousand recordings. What is deleted stays deleted. Needs the
/// scope `deletion:write`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/deletions/{deletion}/stop",
    tag = "deletion",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("deletion" = String, Path, description = "The deletion's id"),
    ),
    responses(
        (status = 200, description = "The deletion", body = DeletionBody),
        (status = 404, description = "No such account or deletion", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "It is done already", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, deletion)): Path<(String, String)>,
) -> Result<Json<DeletionBody>, Problem> {
    let config = app.account(&caller, Scope::DeletionWrite, &account).await?;
    let job = app
        .stop_deletion(&config.account.id, &deletion, &caller.actor())
        .await?;
    Ok(Json(shown(&app, &config, job).await?))
}
