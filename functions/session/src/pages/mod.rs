//! The pages: plain forms that work without scripts. What needs a session carries its token in a hidden
//! field; every form counts only from our own origin.

mod account;
mod forms;
mod links;
mod login;

use askama::Template;
use axum::{
    Router,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use ringfence_domain::{
    App,
    session::{Method, SessionError},
};
use ringfence_http::{
    AppState, Code, Problem,
    pages::{CSP, file, secured},
    words::{Moment, minute_after},
};

use crate::answer;

/// A browser tells where a form came from, without the path, which may be a secret.
const REFERRER: &str = "strict-origin";

pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/login", get(login::get).post(login::post))
        .route(
            "/login/second-factor",
            get(login::ask_factor).post(login::give_factor),
        )
        .route("/login/second-factor/sms", post(login::send_code))
        .route("/login/-/account.js", get(script))
        .route("/reset", get(links::ask).post(links::send))
        .route("/reset/{token}", get(links::reset).post(links::set))
        .route(
            "/invitation/{token}",
            get(links::invitation).post(links::accept),
        )
        .route("/account", get(account::get))
        .route("/account/logout", post(account::log_out))
        .route("/account/confirm", post(account::confirm))
        .route("/account/confirm/sms", post(account::send_code))
        .route("/account/password", post(account::password))
        .route("/account/app", post(account::start_app))
        .route("/account/app/confirm", post(account::confirm_app))
        .route("/account/app/remove", post(account::remove_app))
        .route("/account/sms", post(account::start_number))
        .route("/account/sms/confirm", post(account::confirm_number))
        .route("/account/sms/remove", post(account::remove_number))
        .route("/account/recovery-codes", post(account::renew_codes))
        .route("/account/sessions/end", post(account::end_session))
}

async fn script() -> Response {
    file(
        "text/javascript; charset=utf-8",
        include_str!("../../assets/account.js"),
    )
}

/// A page. `is_live`: with the script that warns before the automatic logout.
fn page(status: StatusCode, template: &impl Template, is_live: bool) -> Response {
    let Ok(html) = template.render() else {
        return secured(Problem::new(Code::Internal).into_response(), CSP, REFERRER);
    };
    let kind = [(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    )];
    let response = (status, kind, html).into_response();
    if is_live {
        let csp = format!("{CSP}; script-src 'self'; connect-src 'self'");
        secured(response, &csp, REFERRER)
    } else {
        secured(response, CSP, REFERRER)
    }
}

/// On to another page.
fn to(path: &str) -> Response {
    let mut response = secured(
        StatusCode::SEE_OTHER.into_response(),
        "default-src 'none'",
        REFERRER,
    );
    if let Ok(path) = HeaderValue::from_str(path) {
        response.headers_mut().insert(header::LOCATION, path);
    }
    response
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage<'a> {
    title: &'a str,
    text: &'a str,
    until: Option<Moment>,
}

/// A page that says what is the matter.
fn message(code: Code, title: &str, text: &str, until: Option<Timestamp>) -> Response {
    let until = until.map(minute_after);
    page(code.status(), &MessagePage { title, text, until }, false)
}

/// A failure that ends a form.
fn failed(app: &App, error: SessionError) -> Response {
    match error {
        SessionError::Over => to("/login?ended"),
        SessionError::AttemptOver => to("/login?again"),
        SessionError::LinkOver => message(
            Code::Gone,
            "This link does not work any more",
            "It was used, a newer one was sent, or its time is over. Ask for a new one.",
            None,
        ),
        error => {
            let problem = ringfence_http::session::of(app, error);
            refused(&problem)
        }
    }
}

/// A problem as a page.
fn refused(problem: &Problem) -> Response {
    let text = problem
        .detail
        .as_deref()
        .unwrap_or_else(|| problem.code.next());
    message(problem.code, problem.code.title(), text, None)
}

/// What to say where a form is shown again; `None`: it is not.
fn again(error: &SessionError) -> Option<(StatusCode, String)> {
    let (code, text) = match error {
        SessionError::Wrong => (
            Code::LoginFailed,
            "The mail address or the password is wrong.".to_owned(),
        ),
        SessionError::WrongCode => (
            Code::WrongCode,
            "That was not the code, or it was used already. Wait for the next one.".to_owned(),
        ),
        SessionError::Locked { until } => (
            Code::LoginLocked,
            format!(
                "There were too many failures. None is looked at until {}, not even the right one, except on a device \
                 that you logged in on before. A new password opens it as well.",
                minute_after(*until).text
            ),
        ),
        SessionError::Fields(errors) => {
            let reasons: Vec<_> = errors
                .iter()
                .map(|error| {
                    let name = match error.field.as_str() {
                        "name" => "Your name",
                        "phone" => "The number",
                        _ => "The password",
                    };
                    format!("{name} {}.", error.reason)
                })
                .collect();
            (Code::InvalidFields, reasons.join(" "))
        }
        SessionError::Conflict(why) => (Code::Conflict, (*why).to_owned()),
        SessionError::ConfirmationRequired => (
            Code::ConfirmationRequired,
            "Confirm first that it is you.".to_owned(),
        ),
        _ => return None,
    };
    Some((code.status(), text))
}

/// A method as it is offered.
struct Offered {
    name: &'static str,
    text: &'static str,
    is_chosen: bool,
}

fn offered(methods: &[Method], chosen: Option<Method>) -> Vec<Offered> {
    methods
        .iter()
        .enumerate()
        .map(|(place, method)| Offered {
            name: answer::name(*method),
            text: match method {
                Method::App => "Authenticator app",
                Method::Sms => "SMS",
                Method::RecoveryCode => "Recovery codes",
            },
            is_chosen: chosen.map_or(place == 0, |chosen| chosen == *method),
        })
        .collect()
}

/// Where to go after a login: a page of ours, and nowhere else.
fn local(next: Option<&str>) -> Option<&str> {
    next.filter(|next| {
        next.starts_with('/')
            && !next.starts_with("//")
            && next.len() <= 1_000
            && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_to_pages_of_ours_only() {
        for good in ["/account", "/r/v1.1.a.b", "/r/x?y=1#z"] {
            assert_eq!(local(Some(good)), Some(good));
        }
        for bad in [
            "",
            "account",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a b",
            "/a\r\nb",
        ] {
            assert_eq!(local(Some(bad)), None, "{bad:?}");
        }
    }
}
