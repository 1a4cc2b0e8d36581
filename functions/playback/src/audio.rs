//! `GET /r/{token}/audio`

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, Method, header, request::Parts};
use ringfence_domain::recording::{Listener, RecordingError};
use ringfence_http::{AppState, Problem, looked_at, played, problem::ProblemBody, range_of};

use crate::{
    door::{self, Entry, Token, Visitor},
    pages,
};

/// Nothing that the audio's answers hold is a page.
pub(crate) const CSP: &str = "default-src 'none'; frame-ancestors 'none'";

/// Listen
///
/// Redirects to a URL that gives the audio for a minute, ranges included; ask here again when that is
/// over. Where Ringfence encrypts the account's audio itself, the answer is the audio. Each request is
/// noted in the log of who listened.
#[utoipa::path(
    get,
    path = "/r/{token}/audio",
    tag = "playback",
    security(()),
    params(("token" = String, Path, description = "What the link ends with")),
    responses(
        (status = 200, description = "The audio"),
        (status = 206, description = "The range of it"),
        (status = 302, description = "Where the audio is, for a minute"),
        (status = 403, description = "The PIN first", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such link", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 410, description = "Expired, withdrawn, deleted or on hold", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 416, description = "The range lies outside of it", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Token(token): Token,
    parts: Parts,
) -> Response {
    let visitor = Visitor::of(&parts);
    let open = match door::open(&app, &visitor, &token).await {
        Ok(open) => open,
        Err(response) => return *response,
    };
    let user = match door::entry(&app, &visitor, &open).await {
        Entry::Open(user) => user,
        Entry::Refused(response) => return *response,
        Entry::Pin => return pages::pin_required(visitor.form),
    };
    if parts.method == Method::HEAD {
        // Whoever only looks is given nothing, and has not listened.
        return pages::secured(looked_at(&open.recording), CSP);
    }
    let range = range_of(&parts.headers, &open.recording);
    let listener = Listener {
        link: Some(open.link.id.clone()),
        user,
        address: visitor.address,
        to_original: false,
    };
    match app.play(&open.recording, range, None, listener).await {
        Ok(audio) => pages::secured(played(&open.recording, range.is_some(), audio), CSP),
        Err(error) => {
            let length = match &error {
                RecordingError::Range { length } => Some(*length),
                _ => None,
            };
            let mut response = pages::secured(Problem::from(error).into_response(), CSP);
            if let Some(Ok(value)) =
                length.map(|length| HeaderValue::from_str(&format!("bytes */{length}")))
            {
                response.headers_mut().insert(header::CONTENT_RANGE, value);
            }
            response
        }
    }
}
