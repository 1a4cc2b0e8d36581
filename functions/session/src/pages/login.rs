//! `/login` and `/login/second-factor`

use askama::Template;
use axum::{
    extract::{Request, State},
    response::Response,
};
use http::{HeaderMap, StatusCode, request::Parts};
use ringfence_domain::{
    App,
    session::{LoggedIn, Method, NewSession, Password, SessionError, Ticket},
};
use ringfence_http::{
    AppState, cookies,
    session::{ATTEMPT_COOKIE, of, of_page, require_csrf, visitor},
};

use super::{
    Offered, again, failed,
    forms::{self, Fields},
    local, offered, page, refused, to,
};
use crate::answer;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    note: Option<&'a str>,
    wrong: Option<String>,
    email: &'a str,
    next: Option<&'a str>,
}

/// The value of a query's parameter; a flag has an empty one.
fn parameter(parts: &Parts, name: &str) -> Option<String> {
    let query = parts.uri.query()?;
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).ok()?;
    pairs
        .into_iter()
        .find_map(|(found, value)| (found == name).then_some(value))
}

pub(super) async fn get(State(app): State<AppState>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let next = parameter(&parts, "next");
    let next = local(next.as_deref());
    if let Ok(Some(_)) = of_page(&parts, &app).await {
        return to(next.unwrap_or("/account"));
    }
    let note = [
        (
            "ended",
            "You were logged out, as nothing was asked for a while, or your session is over.",
        ),
        (
            "again",
            "The login took too long, or too many codes were wrong. Start again.",
        ),
        ("out", "You are logged out."),
        ("set", "Your new password is set. Log in with it."),
    ]
    .into_iter()
    .find_map(|(flag, note)| parameter(&parts, flag).map(|_| note));
    let template = LoginPage {
        note,
        wrong: None,
        email: "",
        next,
    };
    page(StatusCode::OK, &template, false)
}

pub(super) async fn post(State(app): State<AppState>, request: Request) -> Response {
    let (parts, fields) = match forms::read(&app, request).await {
        Ok(read) => read,
        Err(response) => return *response,
    };
    let next = local(fields.next.as_deref());
    let given = Password::given(&fields.password);
    let result = match given {
        Some(password) => {
            let visitor = visitor(&app, &parts);
            app.log_in(&fields.email, password, &visitor).await
        }
        None => Err(SessionError::Wrong),
    };
    match result {
        Ok(LoggedIn::Session(new)) => entered(&app, &parts.headers, &new, next),
        Ok(LoggedIn::SecondFactor(attempt)) => {
            let mut response = to(&with_next("/login/second-factor", next));
            let cookie = answer::attempt_cookie(&app, &parts.headers, &attempt);
            cookies::append(response.headers_mut(), [cookie]);
            response
        }
        Err(error) => match again(&error) {
            Some((status, wrong)) => {
                let template = LoginPage {
                    note: None,
                    wrong: Some(wrong),
                    email: &fields.email,
                    next,
                };
                page(status, &template, false)
            }
            None => failed(&app, error),
        },
    }
}

fn with_next(path: &str, next: Option<&str>) -> String {
    match next.and_then(|next| serde_urlencoded::to_string([("next", next)]).ok()) {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    }
}

/// On, with the session's cookies.
pub(super) fn entered(
    app: &App,
    headers: &HeaderMap,
    new: &NewSession,
    next: Option<&str>,
) -> Response {
    let next = next.filter(|_| !new.session.is_limited);
    let mut response = to(next.unwrap_or("/account"));
    cookies::append(
        response.headers_mut(),
        answer::session_cookies(app, headers, new),
    );
    response
}

#[derive(Template)]
#[template(path = "second_factor.html")]
struct FactorPage<'a> {
    note: Option<&'a str>,
    wrong: Option<String>,
    csrf: String,
    next: Option<&'a str>,
    methods: Vec<Offered>,
    has_sms: bool,
}

fn attempt(app: &App, headers: &HeaderMap) -> Option<Ticket> {
    let name = cookies::name(app, headers, ATTEMPT_COOKIE);
    cookies::all(headers, &name).find_map(Ticket::parse)
}

async fn factor_page(
    app: &App,
    ticket: &Ticket,
    status: StatusCode,
    next: Option<&str>,
    chosen: Option<Method>,
    note: Option<&str>,
    wrong: Option<String>,
) -> Response {
    let methods = match app.attempt_methods(ticket).await {
        Ok(methods) => methods,
        Err(error) => return failed(app, error),
    };
    let csrf = match app.csrf_token(&ticket.token.hash()).await {
        Ok(csrf) => csrf,
        Err(error) => return failed(app, error),
    };
    let template = FactorPage {
        note,
        wrong,
        csrf,
        next,
        has_sms: methods.contains(&Method::Sms),
        methods: offered(&methods, chosen),
    };
    page(status, &template, false)
}

pub(super) async fn ask_factor(State(app): State<AppState>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let Some(ticket) = attempt(&app, &parts.headers) else {
        return to("/login");
    };
    let next = parameter(&parts, "next");
    let next = local(next.as_deref());
    factor_page(&app, &ticket, StatusCode::OK, next, None, None, None).await
}

/// A form of a login that waits.
async fn read(app: &App, request: Request) -> Result<(Parts, Fields, Ticket), Box<Response>> {
    let (parts, fields) = forms::read(app, request).await?;
    let ticket = attempt(app, &parts.headers).ok_or_else(|| Box::new(to("/login?again")))?;
    require_csrf(app, &ticket.token.hash(), &fields.csrf)
        .await
        .map_err(|problem| Box::new(refused(&problem)))?;
    Ok((parts, fields, ticket))
}

pub(super) async fn give_factor(State(app): State<AppState>, request: Request) -> Response {
    let (parts, fields, ticket) = match read(&app, request).await {
        Ok(read) => read,
        Err(response) => return *response,
    };
    let next = local(fields.next.as_deref());
    let method = match answer::method(&fields.method) {
        Ok(method) => method,
        Err(problem) => return refused(&problem),
    };
    let visitor = visitor(&app, &parts);
    match app
        .finish_login(&ticket, method, &fields.code, &visitor)
        .await
    {
        Ok(new) => entered(&app, &parts.headers, &new, next),
        Err(error) => match again(&error) {
            Some((status, wrong)) => {
                factor_page(&app, &ticket, status, next, Some(method), None, Some(wrong)).await
            }
            None => failed(&app, error),
        },
    }
}

pub(super) async fn send_code(State(app): State<AppState>, request: Request) -> Response {
    let (_, fields, ticket) = match read(&app, request).await {
        Ok(read) => read,
        Err(response) => return *response,
    };
    let next = local(fields.next.as_deref());
    let sms = Some(Method::Sms);
    match app.send_code_for_attempt(&ticket).await {
        Ok(()) => {
            let note = Some("A code is on its way to your phone. It works for ten minutes.");
            factor_page(&app, &ticket, StatusCode::OK, next, sms, note, None).await
        }
        Err(SessionError::Conflict(why)) => {
            let status = StatusCode::CONFLICT;
            factor_page(&app, &ticket, status, next, sms, None, Some(why.to_owned())).await
        }
        Err(error) => match error {
            SessionError::AttemptOver => failed(&app, error),
            error => refused(&of(&app, error)),
        },
    }
}
