//! `GET /v1/accounts/{account}/recordings/{recording}/redactions/{redaction}`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

use super::redactions::RedactionBody;

/// Read a redaction
///
/// Whether it is done, and how much is silent by it; or why it failed. Needs the scope `deletion:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/recordings/{recording}/redactions/{redaction}",
    tag = "recordings",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("recording" = String, Path, description = "The recording's id"),
        ("redaction" = String, Path, description = "The redaction's id"),
    ),
    responses(
        (status = 200, description = "The redaction", body = RedactionBody),
        (status = 404, description = "No such account, recording or redaction", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, recording, redaction)): Path<(String, String, String)>,
) -> Result<Json<RedactionBody>, Problem> {
    let config = app.account(&caller, Scope::DeletionRead, &account).await?;
    // Whose it is, before anything of it is read.
    let recording = app.recording(&config.account.id, &recording).await?;
    let redaction = app.redaction(&recording.recording.id, &redaction).await?;
    Ok(Json(redaction.into()))
}
