//! `GET /v1/accounts/{account}/deletions/{deletion}`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

use super::{DeletionBody, shown};

/// Read a deletion
///
/// How far it is, and when it is done its receipt. Needs the scope `deletion:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/deletions/{deletion}",
    tag = "deletion",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("deletion" = String, Path, description = "The deletion's id"),
    ),
    responses(
        (status = 200, description = "The deletion", body = DeletionBody),
        (status = 404, description = "No such account or deletion", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, deletion)): Path<(String, String)>,
) -> Result<Json<DeletionBody>, Problem> {
    let config = app.account(&caller, Scope::DeletionRead, &account).await?;
    let job = app.deletion(&config.account.id, &deletion).await?;
    Ok(Json(shown(&app, &config, job).await?))
}
