//! `POST /v1/accounts/{account}/deletions/{deletion}/resume`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

use super::{DeletionBody, shown};

/// Resume a deletion
///
/// One that was stopped goes on; one that is done tries again what failed, and writes a new receipt. Needs
/// the scope `deletion:write`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/deletions/{deletion}/resume",
    tag = "deletion",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("deletion" = String, Path, description = "The deletion's id"),
    ),
    responses(
        (status = 200, description = "The deletion", body = DeletionBody),
        (status = 404, description = "No such account or deletion", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "It is done, and nothing failed", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, deletion)): Path<(String, String)>,
) -> Result<Json<DeletionBody>, Problem> {
    let config = app.account(&caller, Scope::DeletionWrite, &account).await?;
    let job = app
        .resume_deletion(&config.account.id, &deletion, &caller.actor())
        .await?;
    Ok(Json(shown(&app, &config, job).await?))
}
