//! `GET` and `POST /r/{token}`

use axum::{
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use ringfence_domain::{
    link::{Asks, OpenLink},
    pin::{Pin, PinError},
};
use ringfence_http::{AppState, cookies, problem::ProblemBody, read_open};
use ringfence_ports::{MAX_LINK_TTL, Served};
use serde::Deserialize;
use url::Url;

use crate::{
    door::{self, Entry, Token, Visitor},
    pages::{self, Because, Form},
};

/// The largest body that a PIN needs, in bytes.
const MAX_PIN_BODY: usize = 1024;

/// Open a link
///
/// A page for people; with `Accept: application/json`, the same for programs: `pin_required`, or
/// `ready` with where the audio is. Looking at it does nothing, however often. No API key is needed;
/// with one of the account's (scope `recordings:read`) no PIN is asked.
#[utoipa::path(
    get,
    path = "/r/{token}",
    tag = "playback",
    security(()),
    params(("token" = String, Path, description = "What the link ends with")),
    responses(
        (status = 200, description = "The player, or what asks for the PIN", content((String = "text/html"), (serde_json::Value = "application/json", example = json!({
            "state": "ready", "recording": {"started_at": "2026-01-31T08:15:09Z", "duration": 150, "content_type": "audio/wav", "size": 1_200_044, "redacted": false},
            "audio": "/r/v1.1.…/audio", "expires_at": "2026-03-02T09:00:00Z",
        })))),
        (status = 403, description = "Only for people of the account", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such link", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 410, description = "Expired, withdrawn, deleted or on hold", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
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
    let path = format!("/r/{token}");
    match door::entry(&app, &visitor, &open).await {
        Entry::Refused(response) => *response,
        Entry::Pin => {
            let because = if parts.uri.query() == Some(GIVEN) {
                Because::NotKept
            } else {
                Because::Protected
            };
            pages::ask_pin(visitor.form, &open, &path, because)
        }
        Entry::Open(_) => {
            let audio = format!("{path}/audio");
            let elsewhere = match visitor.form {
                Form::Page if open.recording.for_customer().is_none() => {
                    origin_of_audio(&app, &open).await
                }
                Form::Page | Form::Json => None,
            };
            pages::player(visitor.form, &open, &audio, elsewhere.as_deref())
        }
    }
}

/// The origin that presigned URLs of the store have, which the player's page must be allowed to load
/// from. Signing one is no call of the store, and this one is shown to nobody.
async fn origin_of_audio(app: &AppState, open: &OpenLink) -> Option<String> {
    let url = app
        .blobs
        .link(&open.recording.blob, MAX_LINK_TTL, Served::default())
        .await
        .ok()?;
    let origin = Url::parse(&url).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

/// The query of a page that somebody comes to with the right PIN given, where a browser may not keep its
/// cookie: so that the page can say why it asks again.
const GIVEN: &str = "given";

#[derive(Deserialize)]
struct PinForm {
    pin: String,
}

/// Give the PIN
///
/// As a form or as JSON. The right one sets a cookie for a quarter of an hour, for this link only. An
/// attempt is paid for before it is looked at: after five wrong ones none is looked at for a quarter of
/// an hour, whichever link to the recording they came by.
#[utoipa::path(
    post,
    path = "/r/{token}",
    tag = "playback",
    security(()),
    params(("token" = String, Path, description = "What the link ends with")),
    request_body(content((serde_json::Value = "application/json", example = json!({"pin": "402817"})), (String = "application/x-www-form-urlencoded"))),
    responses(
        (status = 200, description = "The right PIN: the cookie, and where the audio is (JSON)", body = serde_json::Value),
        (status = 303, description = "The right PIN: the cookie, and back to the page (form)"),
        (status = 403, description = "The PIN is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such link", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 410, description = "Expired, withdrawn, deleted or on hold", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 429, description = "Too many wrong PINs: come back after Retry-After", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Token(token): Token,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let visitor = Visitor::of(&parts);
    let form = visitor.form;
    let open = match door::open(&app, &visitor, &token).await {
        Ok(open) => open,
        Err(response) => return *response,
    };
    let path = format!("/r/{token}");
    match (door::entry(&app, &visitor, &open).await, open.asks) {
        (Entry::Refused(response), _) => return *response,
        (Entry::Open(None), Asks::Pin) | (Entry::Pin, _) => {}
        (Entry::Open(_), _) => return answered(form, &open, &path, None),
    }
    if is_foreign(&parts.headers) {
        return pages::foreign(form);
    }
    let mut for_body = Request::new(body);
    for name in [header::CONTENT_LENGTH, header::CONTENT_TYPE] {
        if let Some(value) = parts.headers.get(&name) {
            for_body.headers_mut().insert(name, value.clone());
        }
    }
    let body = match read_open(for_body, MAX_PIN_BODY).await {
        Ok(body) => body,
        Err(problem) => return pages::failed(form, problem),
    };
    // What cannot be a PIN is not the right one, and is worth no attempt.
    let Some(pin) = read_pin(&parts.headers, &body) else {
        return pages::ask_pin(form, &open, &path, Because::Wrong);
    };
    drop(body);
    match app.unlock_link(&open, pin, visitor.address).await {
        Ok(unlocked) => match app.unlocked_cookie(&open, &unlocked).await {
            Ok(value) => {
                let cookie = door::set_cookie(&app, visitor.headers, &open, &value);
                let path = if matches!(form, Form::Page)
                    && cookies::is_https_assumed(&app, visitor.headers)
                {
                    format!("{path}?{GIVEN}")
                } else {
                    path
                };
                answered(form, &open, &path, Some(&cookie))
            }
            Err(error) => pages::failed(form, error.into()),
        },
        Err(PinError::Wrong) => pages::ask_pin(form, &open, &path, Because::Wrong),
        Err(PinError::Locked { until }) => pages::locked(form, until, app.clock.now()),
        Err(PinError::Closed) => pages::closed(form),
        Err(PinError::Store(error)) => pages::failed(form, error.into()),
        Err(PinError::Keys(error)) => pages::failed(form, error.into()),
    }
}

/// Another site's page has no business to spend attempts. (`Origin` would not tell: without a referrer
/// our own page sends `null`.)
fn is_foreign(headers: &HeaderMap) -> bool {
    let site = headers
        .get("sec-fetch-site")
        .and_then(|site| site.to_str().ok());
    site.is_some_and(|site| !matches!(site, "same-origin" | "none"))
}

fn read_pin(headers: &HeaderMap, body: &[u8]) -> Option<Pin> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let kind = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let given: PinForm = match kind.as_str() {
        "application/json" => serde_json::from_slice(body).ok()?,
        "application/x-www-form-urlencoded" => serde_urlencoded::from_bytes(body).ok()?,
        _ => return None,
    };
    Pin::parse(given.pin.trim())
}

/// Back to the page, which now plays; programs get what it says at once.
fn answered(form: Form, open: &OpenLink, path: &str, cookie: Option<&str>) -> Response {
    let mut response = match form {
        Form::Json => pages::player(form, open, &format!("{path}/audio"), None),
        Form::Page => {
            let mut response =
                pages::secured(StatusCode::SEE_OTHER.into_response(), "default-src 'none'");
            if let Ok(path) = HeaderValue::from_str(path) {
                response.headers_mut().insert(header::LOCATION, path);
            }
            response
        }
    };
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::from_str(cookie).ok()) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
