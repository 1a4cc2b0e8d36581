//! `GET` and `DELETE /v1/accounts/{account}/recordings/{recording}/original`

use axum::{
    extract::{Path, State},
    response::Response,
};
use http::{HeaderMap, Method, StatusCode};
use ringfence_domain::{access::Scope, recording::Listener, redaction::RedactionError};
use ringfence_http::{
    AppState, Authenticated, Problem, looked_at, played, problem::ProblemBody, range_of,
};

/// Play a redacted recording as it came
///
/// Where a redaction kept the original. As the audio itself: a redirect to where it is for a minute, or the
/// audio. Each request is noted in the log of who listened, as one for the original. Needs the scope
/// `deletion:write`: whoever may destroy it may hear it.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/recordings/{recording}/original",
    tag = "recordings",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("recording" = String, Path, description = "The recording's id"),
    ),
    responses(
        (status = 200, description = "The audio"),
        (status = 206, description = "The range of it"),
        (status = 302, description = "Where the audio is, for a minute"),
        (status = 404, description = "No such account or recording, or no original is kept", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 410, description = "It was deleted", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 416, description = "The range lies outside of it", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, recording)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let config = app.account(&caller, Scope::DeletionWrite, &account).await?;
    let stored = app.recording(&config.account.id, &recording).await?;
    stored.recording.playable()?;
    let original = stored
        .recording
        .as_it_came()
        .ok_or(RedactionError::NoOriginal)?;
    if method == Method::HEAD {
        return Ok(looked_at(&original));
    }
    let listener = Listener {
        link: None,
        user: Some(caller.id().to_owned()),
        address: caller.address,
        to_original: true,
    };
    let range = range_of(&headers, &original);
    let audio = app.play(&original, range, None, listener).await?;
    Ok(played(&original, range.is_some(), audio))
}

/// Destroy the original of a redacted recording
///
/// In every version; the redacted copy stays. Irreversible. A legal hold keeps it: 409. Needs the scope
/// `deletion:write`.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{account}/recordings/{recording}/original",
    tag = "recordings",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("recording" = String, Path, description = "The recording's id"),
    ),
    responses(
        (status = 204, description = "Destroyed"),
        (status = 404, description = "No such account or recording, or no original is kept", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "A legal hold keeps it", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 410, description = "It was deleted", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, recording)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let config = app.account(&caller, Scope::DeletionWrite, &account).await?;
    app.destroy_original(&config.account.id, &recording, &caller.actor())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
