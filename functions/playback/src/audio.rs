//! `GET /r/{token}/audio`

use axum::{
    extract::{Path, State},
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, Method, StatusCode, header, request::Parts};
use ringfence_domain::recording::{Listener, Range, RecordingError};
use ringfence_http::{AppState, Problem, played, problem::ProblemBody};

use crate::{
    door::{self, Entry, Visitor},
    pages,
};

/// Nothing that the audio's answers hold is a page.
const CSP: &str = "default-src 'none'; frame-ancestors 'none'";

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
    Path(token): Path<String>,
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
        let mut response = StatusCode::OK.into_response();
        let headers = response.headers_mut();
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if let Ok(kind) = HeaderValue::from_str(&open.recording.content_type) {
            headers.insert(header::CONTENT_TYPE, kind);
        }
        return pages::secured(response, CSP);
    }
    let range = parts
        .headers
        .get(header::RANGE)
        .and_then(|range| range.to_str().ok())
        .and_then(|range| Range::parse(range).ok());
    let listener = Listener {
        link: Some(open.link.id.clone()),
        user,
        address: visitor.address,
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
