//! `POST /v1/accounts/{account}/recordings/{recording}/complete`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

use super::{RecordingBody, shown};

/// Say that the audio was put
///
/// Has the stored object looked at now, rather than when the store tells of it. What is not audio, or
/// not what was announced, is removed. Repeating it changes nothing. Needs the scope
/// `recordings:write`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/recordings/{recording}/complete",
    tag = "recordings",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("recording" = String, Path, description = "The recording's id"),
    ),
    responses(
        (status = 200, description = "The recording, available", body = RecordingBody),
        (status = 404, description = "No such account or recording", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "No audio has arrived yet", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 410, description = "It was deleted", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 422, description = "It is not audio, or not what was announced; it was removed", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, recording)): Path<(String, String)>,
) -> Result<Json<RecordingBody>, Problem> {
    let config = app
        .account(&caller, Scope::RecordingsWrite, &account)
        .await?;
    let recording = app.complete_recording(&config, &recording).await?;
    Ok(Json(shown(&config, recording)))
}
