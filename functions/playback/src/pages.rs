//! Each state of a link as a page, and as JSON for programs; the headers that go with all of them.

use askama::Template;
use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use ringfence_domain::link::{Gone, OpenLink};
pub(crate) use ringfence_http::pages::Form;
use ringfence_http::{
    Code, Problem,
    pages::CSP,
    words::{Moment, length, minute_after, whole_second_after},
};
use serde_json::json;

/// What may be known of a recording before the PIN.
pub(crate) struct About {
    started_at: Timestamp,
    date: String,
    length: String,
}

impl About {
    fn of(open: &OpenLink) -> Self {
        Self {
            started_at: open.recording.started_at,
            date: Moment::from(open.recording.started_at).text,
            length: length(open.recording.duration),
        }
    }
}

#[derive(Template)]
#[template(path = "pin.html")]
struct PinPage<'a> {
    about: About,
    action: &'a str,
    is_wrong: bool,
    is_not_kept: bool,
}

#[derive(Template)]
#[template(path = "player.html")]
struct PlayerPage<'a> {
    about: About,
    audio: &'a str,
    is_redacted: bool,
    until: Option<Moment>,
}

#[derive(Template)]
#[template(path = "download.html")]
struct DownloadPage<'a> {
    about: About,
    audio: &'a str,
    key: &'a str,
    fingerprint: &'a str,
    until: Option<Moment>,
}

#[derive(Template)]
#[template(path = "notice.html")]
struct NoticePage<'a> {
    title: &'a str,
    text: &'a str,
    until: Option<Moment>,
    /// Where to log in, if that helps.
    login: Option<&'a str>,
}

fn page(status: StatusCode, template: &impl Template) -> Response {
    let Ok(html) = template.render() else {
        return secured(Problem::new(Code::Internal).into_response(), CSP);
    };
    let kind = [(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    )];
    secured((status, kind, html).into_response(), CSP)
}

/// The headers of everything behind a link: its address, which is a secret, goes nowhere.
pub(crate) fn secured(response: Response, csp: &str) -> Response {
    ringfence_http::pages::secured(response, csp, "no-referrer")
}

/// A problem, in either form.
fn problem(
    form: Form,
    problem: Problem,
    title: &str,
    text: &str,
    until: Option<Timestamp>,
) -> Response {
    match form {
        Form::Json => {
            let problem = if problem.detail.is_none() {
                problem.detail(text)
            } else {
                problem
            };
            secured(problem.into_response(), CSP)
        }
        Form::Page => {
            let until = until.map(minute_after);
            let mut response = page(
                problem.code.status(),
                &NoticePage {
                    title,
                    text,
                    until,
                    login: None,
                },
            );
            if let Some(seconds) = problem.retry_after {
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
    }
}

/// The one answer to a link that was never made, in all its spellings.
pub(crate) fn unknown(form: Form) -> Response {
    let text = "There is nothing behind this link. Check that it was copied whole.";
    problem(
        form,
        Problem::new(Code::NotFound),
        "No such link",
        text,
        None,
    )
}

/// A link that is known and does not open any more.
pub(crate) fn gone(form: Form, gone: Gone) -> Response {
    let (title, text) = match gone {
        Gone::Expired => (
            "This link has expired",
            "Links to recordings work for a limited time. Ask whoever sent it for a new one.",
        ),
        Gone::Revoked => (
            "This link was withdrawn",
            "Whoever is in charge of the recording has withdrawn it. Ask them if you still need to listen.",
        ),
        Gone::Deleted => ("This recording was deleted", "It cannot be brought back."),
        Gone::OnHold => (
            "This recording is on hold",
            "It is kept, and cannot be listened to by a link at present.",
        ),
    };
    problem(form, Problem::new(Code::Gone), title, text, None)
}

/// What a link asks of people of the account. `path` is the link's own, to come back to.
pub(crate) fn login(form: Form, path: &str) -> Response {
    let title = "Log in to listen";
    let text = "This recording is only for people of the account that it belongs to.";
    let refusal = Problem::new(Code::LoginRequired);
    match form {
        Form::Json => problem(form, refusal, title, text, None),
        Form::Page => {
            let login = serde_urlencoded::to_string([("next", path)])
                .map(|query| format!("/login?{query}"))
                .ok();
            let notice = NoticePage {
                title,
                text,
                until: None,
                login: login.as_deref(),
            };
            page(refusal.code.status(), &notice)
        }
    }
}

/// A PIN is asked, and nobody has set one.
pub(crate) fn missing_pin(form: Form) -> Response {
    let text =
        "This recording asks for a PIN, and none has been set yet. Tell whoever sent you the link.";
    problem(
        form,
        Problem::new(Code::PinRequired),
        "Not open yet",
        text,
        None,
    )
}

/// Too many wrong PINs, for now.
pub(crate) fn locked(form: Form, until: Timestamp, now: Timestamp) -> Response {
    let seconds = whole_second_after(until).saturating_sub(now.as_second());
    let answer = Problem {
        retry_after: Some(u32::try_from(seconds).unwrap_or(1).max(1)),
        ..Problem::new(Code::PinLocked)
    };
    let text =
        "There were too many wrong PINs. For a while none is looked at, not even the right one.";
    problem(form, answer, "Locked for a while", text, Some(until))
}

/// Too many wrong PINs, for good.
pub(crate) fn closed(form: Form) -> Response {
    let text = "There were too many wrong PINs. Ask whoever sent you the link for a new PIN.";
    problem(
        form,
        Problem::new(Code::PinLocked),
        "This PIN is closed",
        text,
        None,
    )
}

/// A defect or an outage.
pub(crate) fn failed(form: Form, error: Problem) -> Response {
    let text = "It does not work at the moment. Try again in a minute.";
    problem(form, error, "Not now", text, None)
}

/// A request that a page of somebody else's made.
pub(crate) fn foreign(form: Form) -> Response {
    let text = "Open the link itself, and give the PIN there.";
    problem(
        form,
        Problem::new(Code::PinRequired),
        "Open the link itself",
        text,
        None,
    )
}

/// The audio asked for before the PIN.
pub(crate) fn pin_required(form: Form) -> Response {
    let text = "Open the link, and give the PIN first.";
    problem(
        form,
        Problem::new(Code::PinRequired),
        "PIN needed",
        text,
        None,
    )
}

/// Why a PIN is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Because {
    /// The recording has one.
    Protected,
    /// The one that was given is not it.
    Wrong,
    /// The right one was given, and the browser did not keep that, or a quarter of an hour ago.
    NotKept,
}

/// Asks for the PIN.
pub(crate) fn ask_pin(form: Form, open: &OpenLink, action: &str, because: Because) -> Response {
    let is_wrong = because == Because::Wrong;
    match form {
        Form::Page => {
            let status = if is_wrong {
                StatusCode::FORBIDDEN
            } else {
                StatusCode::OK
            };
            page(
                status,
                &PinPage {
                    about: About::of(open),
                    action,
                    is_wrong,
                    is_not_kept: because == Because::NotKept,
                },
            )
        }
        Form::Json if is_wrong => secured(Problem::new(Code::WrongPin).into_response(), CSP),
        Form::Json => {
            let body = json!({
                "state": "pin_required",
                "recording": {
                    "started_at": open.recording.started_at,
                    "duration": open.recording.duration,
                },
            });
            secured(Json(body).into_response(), CSP)
        }
    }
}

/// What only the customer can open has no player: its file and its key are there to be downloaded.
fn download(form: Form, open: &OpenLink, audio: &str, fingerprint: &str) -> Response {
    let key = match audio.rsplit_once('/') {
        Some((path, _)) => format!("{path}/key"),
        None => String::new(),
    };
    match form {
        Form::Page => page(
            StatusCode::OK,
            &DownloadPage {
                about: About::of(open),
                audio,
                key: &key,
                fingerprint,
                until: open.ends_at.map(Moment::from),
            },
        ),
        Form::Json => {
            let body = json!({
                "state": "download",
                "recording": {
                    "started_at": open.recording.started_at,
                    "duration": open.recording.duration,
                    "content_type": open.recording.content_type,
                    "size": open.recording.size,
                },
                "audio": audio,
                "key": key,
                "public_key_sha256": fingerprint,
                "expires_at": open.ends_at,
            });
            secured(Json(body).into_response(), CSP)
        }
    }
}

/// The player. `elsewhere` is the origin that the audio comes from, where that is not our own.
pub(crate) fn player(
    form: Form,
    open: &OpenLink,
    audio: &str,
    elsewhere: Option<&str>,
) -> Response {
    if let Some(sealed) = open.recording.for_customer() {
        return download(form, open, audio, sealed.public_key_sha256);
    }
    match form {
        Form::Page => {
            let until = open.ends_at.map(Moment::from);
            let response = page(
                StatusCode::OK,
                &PlayerPage {
                    about: About::of(open),
                    audio,
                    is_redacted: open.recording.redacted,
                    until,
                },
            );
            let elsewhere = elsewhere
                .map(|origin| format!(" {origin}"))
                .unwrap_or_default();
            let csp = format!("{CSP}; script-src 'self'; media-src 'self'{elsewhere}");
            secured(response, &csp)
        }
        Form::Json => {
            let body = json!({
                "state": "ready",
                "recording": {
                    "started_at": open.recording.started_at,
                    "duration": open.recording.duration,
                    "content_type": open.recording.content_type,
                    "size": open.recording.size,
                    "redacted": open.recording.redacted,
                },
                "audio": audio,
                "expires_at": open.ends_at,
            });
            secured(Json(body).into_response(), CSP)
        }
    }
}
