//! `/invitation/{token}`, `/reset` and `/reset/{token}`. Looking at a link spends nothing.

use askama::Template;
use axum::{
    extract::{Path, Request, State},
    response::Response,
};
use http::StatusCode;
use ringfence_domain::{
    App,
    people::User,
    session::{Password, SessionError, Ticket},
};
use ringfence_http::{AppState, Code, session::visitor};

use super::{again, failed, forms, login, message, page, to};

#[derive(Template)]
#[template(path = "reset.html")]
struct ResetPage;

#[derive(Template)]
#[template(path = "new_password.html")]
struct PasswordPage<'a> {
    title: &'a str,
    email: &'a str,
    action: &'a str,
    name: Option<&'a str>,
    min_chars: usize,
    wrong: Option<String>,
}

pub(super) async fn ask() -> Response {
    page(StatusCode::OK, &ResetPage, false)
}

pub(super) async fn send(State(app): State<AppState>, request: Request) -> Response {
    let (parts, fields) = match forms::read(&app, request).await {
        Ok(read) => read,
        Err(response) => return *response,
    };
    let visitor = visitor(&app, &parts);
    match app.request_reset(&fields.email, &visitor).await {
        Ok(()) => {
            let title = "Look into your mailbox";
            let text = "If somebody with this address can log in here, a link is on its way.";
            let mut response = message(Code::Internal, title, text, None);
            *response.status_mut() = StatusCode::ACCEPTED;
            response
        }
        Err(SessionError::Locked { until }) => {
            let title = "Too many requests";
            let text = "Your network has asked for many links.";
            message(Code::RateLimited, title, text, Some(until))
        }
        Err(error) => failed(&app, error),
    }
}

/// Which of the two links.
#[derive(Clone, Copy)]
enum Link {
    Invitation,
    Reset,
}

async fn show(
    app: &App,
    link: Link,
    token: &str,
    status: StatusCode,
    name: Option<&str>,
    wrong: Option<String>,
) -> Response {
    let shown = async {
        let ticket = Ticket::parse(token).ok_or(SessionError::LinkOver)?;
        let user: User = match link {
            Link::Invitation => app.open_invitation(&ticket).await?,
            Link::Reset => app.open_reset(&ticket).await?,
        };
        let min_chars = app.min_password_chars(&user).await?;
        Ok::<_, SessionError>((user, min_chars))
    };
    let (user, min_chars) = match shown.await {
        Ok(shown) => shown,
        Err(error) => return failed(app, error),
    };
    let (title, action, name) = match link {
        Link::Invitation => (
            "Welcome to Ringfence",
            format!("/invitation/{token}"),
            Some(name.unwrap_or(&user.name)),
        ),
        Link::Reset => ("New password", format!("/reset/{token}"), None),
    };
    let template = PasswordPage {
        title,
        email: user.email.as_str(),
        action: &action,
        name,
        min_chars,
        wrong,
    };
    page(status, &template, false)
}

pub(super) async fn invitation(State(app): State<AppState>, Path(token): Path<String>) -> Response {
    show(&app, Link::Invitation, &token, StatusCode::OK, None, None).await
}

pub(super) async fn reset(State(app): State<AppState>, Path(token): Path<String>) -> Response {
    show(&app, Link::Reset, &token, StatusCode::OK, None, None).await
}

/// Too long to be looked at: what there is to say is the same as for one that is a little too long.
fn given(text: &str) -> Result<Password, SessionError> {
    Password::given(text).ok_or(SessionError::Conflict("The password is too long."))
}

pub(super) async fn accept(
    State(app): State<AppState>,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    let (parts, fields) = match forms::read(&app, request).await {
        Ok(read) => read,
        Err(response) => return *response,
    };
    let visitor = visitor(&app, &parts);
    let accepted = async {
        let ticket = Ticket::parse(&token).ok_or(SessionError::LinkOver)?;
        let password = given(&fields.password)?;
        app.accept_invitation(&ticket, fields.name.as_deref(), password, &visitor)
            .await
    };
    match accepted.await {
        Ok(new) => login::entered(&app, &parts.headers, &new, None),
        Err(error) => match again(&error) {
            Some((status, wrong)) => {
                let name = fields.name.as_deref();
                show(&app, Link::Invitation, &token, status, name, Some(wrong)).await
            }
            None => failed(&app, error),
        },
    }
}

pub(super) async fn set(
    State(app): State<AppState>,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    let (parts, fields) = match forms::read(&app, request).await {
        Ok(read) => read,
        Err(response) => return *response,
    };
    let visitor = visitor(&app, &parts);
    let done = async {
        let ticket = Ticket::parse(&token).ok_or(SessionError::LinkOver)?;
        let password = given(&fields.password)?;
        app.reset_password(&ticket, password, &visitor).await
    };
    match done.await {
        Ok(()) => to("/login?set"),
        Err(error) => match again(&error) {
            Some((status, wrong)) => {
                show(&app, Link::Reset, &token, status, None, Some(wrong)).await
            }
            None => failed(&app, error),
        },
    }
}
