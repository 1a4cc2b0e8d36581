//! `/account`: one's own login.

use askama::Template;
use axum::{
    extract::{Request, State},
    response::Response,
};
use http::{StatusCode, request::Parts};
use ringfence_domain::{
    App,
    session::{
        Method, Password, SessionError,
        two_factor::{NewCodes, NumberStep},
    },
};
use ringfence_http::{
    AppState, cookies,
    session::{SESSION_COOKIE, Session, visitor},
    words::Moment,
};

use super::{
    Offered, again, failed,
    forms::{self, Fields},
    offered, page, refused, to,
};
use crate::{answer, qr};

struct PendingApp {
    svg: String,
    text: String,
}

struct ShownSession {
    id: String,
    agent: String,
    address: String,
    active: Moment,
    ago: String,
    is_current: bool,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "a template's conditions, each by itself"
)]
#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    name: &'a str,
    email: &'a str,
    csrf: String,
    note: Option<&'a str>,
    wrong: Option<String>,
    is_limited: bool,
    administers: bool,
    is_confirmed: bool,
    app: bool,
    sms: bool,
    recovery_left: u8,
    codes: Vec<String>,
    methods: Vec<Offered>,
    pending_app: Option<PendingApp>,
    pending_number: Option<&'a str>,
    min_chars: usize,
    sessions: Vec<ShownSession>,
    seconds_left: i64,
}

/// What there is to say beside the present state.
#[derive(Default)]
struct Say<'a> {
    note: Option<&'a str>,
    wrong: Option<String>,
    codes: Vec<String>,
}

async fn show(app: &App, found: &Session, status: StatusCode, say: Say<'_>) -> Response {
    match rendered(app, found, status, say).await {
        Ok(response) => response,
        Err(error) => failed(app, error),
    }
}

async fn rendered(
    app: &App,
    found: &Session,
    status: StatusCode,
    say: Say<'_>,
) -> Result<Response, SessionError> {
    let (user, session) = (&found.user.value, &found.session);
    let now = app.clock.now();
    let is_confirmed = session.is_confirmed(now);
    let pending_app = if is_confirmed {
        app.pending_app(user).await?.map(|pending| {
            let text = pending.secret.text();
            let groups: Vec<_> = text
                .as_bytes()
                .chunks(4)
                .map(|group| String::from_utf8_lossy(group).into_owned())
                .collect();
            PendingApp {
                svg: qr::svg(&pending.uri, "QR code for the authenticator app").unwrap_or_default(),
                text: groups.join(" "),
            }
        })
    } else {
        None
    };
    let pending_number = match app.pending_number(user).await? {
        Some(NumberStep::OldNumber) => Some(
            "A code went to the number that is set up. Give it here; then the new number gets one.",
        ),
        Some(NumberStep::NewNumber) => Some("A code went to the new number. Give it here."),
        _ => None,
    };
    let sessions = app.sessions_of(user, session).await?;
    let sessions = sessions.into_iter().map(|session| ShownSession {
        id: session.id,
        agent: session.agent.as_deref().map_or_else(
            || "A browser or program that says no name".to_owned(),
            answer::browser,
        ),
        address: session
            .address
            .map(|address| address.to_string())
            .unwrap_or_default(),
        ago: answer::ago(session.active_at, now),
        active: session.active_at.into(),
        is_current: session.is_current,
    });
    let template = AccountPage {
        name: &user.name,
        email: user.email.as_str(),
        csrf: app.csrf_token(&session.key_hash).await?,
        note: say.note,
        wrong: say.wrong,
        is_limited: session.is_limited,
        administers: user.grants.iter().any(|grant| grant.role.administers()),
        is_confirmed,
        app: user.two_factor.app,
        sms: user.two_factor.sms,
        recovery_left: user.two_factor.recovery_left,
        codes: say.codes,
        methods: offered(&Method::of(user), None),
        pending_app,
        pending_number,
        min_chars: app.min_password_chars(user).await?,
        sessions: sessions.collect(),
        seconds_left: session.seconds_left(now),
    };
    Ok(page(status, &template, true))
}

pub(super) async fn get(State(app): State<AppState>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    match forms::logged_in(&app, &parts).await {
        Ok(found) => show(&app, &found, StatusCode::OK, Say::default()).await,
        Err(response) => *response,
    }
}

/// The page again with what is wrong, or whatever else a failure leads to.
async fn wrong(app: &App, found: &Session, error: SessionError) -> Response {
    match again(&error) {
        Some((status, mut text)) => {
            if matches!(error, SessionError::Wrong) {
                "The password is wrong.".clone_into(&mut text);
            }
            let say = Say {
                wrong: Some(text),
                ..Say::default()
            };
            show(app, found, status, say).await
        }
        None if matches!(error, SessionError::AttemptOver) => {
            let say = Say {
                wrong: Some("Too many codes were wrong. Start again.".to_owned()),
                ..Say::default()
            };
            show(app, found, StatusCode::GONE, say).await
        }
        None => failed(app, error),
    }
}

async fn done(app: &App, found: &Session, result: Result<(), SessionError>) -> Response {
    match result {
        Ok(()) => to("/account"),
        Err(error) => wrong(app, found, error).await,
    }
}

/// The page with new recovery codes: the only time that they are shown.
async fn with_codes(
    app: &App,
    parts: &Parts,
    found: &Session,
    result: Result<NewCodes, SessionError>,
) -> Response {
    match result {
        Ok(None) => to("/account"),
        Ok(Some(codes)) => {
            // As things are now.
            let found = match forms::logged_in(app, parts).await {
                Ok(found) => found,
                Err(response) => return *response,
            };
            let say = Say {
                codes,
                ..Say::default()
            };
            show(app, &found, StatusCode::OK, say).await
        }
        Err(error) => wrong(app, found, error).await,
    }
}

/// Reads the form of somebody who is logged in, or answers what it leads to.
macro_rules! own {
    ($app:expr, $request:expr) => {
        match forms::read_own(&$app, $request).await {
            Ok(read) => read,
            Err(response) => return *response,
        }
    };
}

pub(super) async fn log_out(State(app): State<AppState>, request: Request) -> Response {
    let (parts, _, found) = own!(app, request);
    if let Err(error) = app.log_out(&found.user.value.id, &found.session).await {
        return failed(&app, error.into());
    }
    let mut response = to("/login?out");
    let gone = cookies::clear(&app, &parts.headers, SESSION_COOKIE);
    cookies::append(response.headers_mut(), [gone]);
    response
}

pub(super) async fn confirm(State(app): State<AppState>, request: Request) -> Response {
    let (_, fields, found) = own!(app, request);
    let Fields {
        method,
        code,
        password,
        ..
    } = fields;
    let (user, session) = (&found.user, &found.session);
    let result = if method.is_empty() {
        match Password::given(&password) {
            Some(password) => app.confirm_password(user, session, password).await,
            None => Err(SessionError::Wrong),
        }
    } else {
        match answer::method(&method) {
            Ok(method) => app.confirm(user, session, method, &code).await,
            Err(problem) => return refused(&problem),
        }
    };
    done(&app, &found, result).await
}

pub(super) async fn send_code(State(app): State<AppState>, request: Request) -> Response {
    let (_, _, found) = own!(app, request);
    match app
        .send_code_for_session(&found.user.value, &found.session)
        .await
    {
        Ok(()) => {
            let say = Say {
                note: Some("A code is on its way to your phone. It works for ten minutes."),
                ..Say::default()
            };
            show(&app, &found, StatusCode::OK, say).await
        }
        Err(error) => wrong(&app, &found, error).await,
    }
}

pub(super) async fn password(State(app): State<AppState>, request: Request) -> Response {
    let (parts, fields, found) = own!(app, request);
    let (Some(present), Some(new)) = (
        Password::given(&fields.password),
        Password::given(&fields.new_password),
    ) else {
        let error = SessionError::Conflict("The password is too long.");
        return wrong(&app, &found, error).await;
    };
    let visitor = visitor(&app, &parts);
    match app
        .change_password(&found.user, &found.session, present, new, &visitor)
        .await
    {
        Ok(ticket) => {
            let mut response = to("/account");
            let cookie = ticket.reveal();
            let cookie = cookies::set(&app, &parts.headers, SESSION_COOKIE, &cookie, None);
            cookies::append(response.headers_mut(), [cookie]);
            response
        }
        Err(error) => wrong(&app, &found, error).await,
    }
}

pub(super) async fn start_app(State(app): State<AppState>, request: Request) -> Response {
    let (_, _, found) = own!(app, request);
    let result = app.start_app(&found.user.value, &found.session).await;
    done(&app, &found, result.map(drop)).await
}

pub(super) async fn confirm_app(State(app): State<AppState>, request: Request) -> Response {
    let (parts, fields, found) = own!(app, request);
    let visitor = visitor(&app, &parts);
    let result = app
        .confirm_app(&found.user, &found.session, &fields.code, &visitor)
        .await;
    with_codes(&app, &parts, &found, result).await
}

pub(super) async fn remove_app(State(app): State<AppState>, request: Request) -> Response {
    let (parts, _, found) = own!(app, request);
    let visitor = visitor(&app, &parts);
    let result = app.remove_app(&found.user, &found.session, &visitor).await;
    done(&app, &found, result).await
}

pub(super) async fn start_number(State(app): State<AppState>, request: Request) -> Response {
    let (_, fields, found) = own!(app, request);
    let result = app
        .start_number(&found.user.value, &found.session, &fields.phone)
        .await;
    done(&app, &found, result.map(drop)).await
}

pub(super) async fn confirm_number(State(app): State<AppState>, request: Request) -> Response {
    let (parts, fields, found) = own!(app, request);
    let visitor = visitor(&app, &parts);
    let result = app
        .confirm_number(&found.user, &found.session, &fields.code, &visitor)
        .await;
    let codes = result.map(|step| match step {
        NumberStep::Set(codes) => codes,
        NumberStep::OldNumber | NumberStep::NewNumber => None,
    });
    with_codes(&app, &parts, &found, codes).await
}

pub(super) async fn remove_number(State(app): State<AppState>, request: Request) -> Response {
    let (parts, _, found) = own!(app, request);
    let visitor = visitor(&app, &parts);
    let result = app
        .remove_number(&found.user, &found.session, &visitor)
        .await;
    done(&app, &found, result).await
}

pub(super) async fn renew_codes(State(app): State<AppState>, request: Request) -> Response {
    let (parts, _, found) = own!(app, request);
    let visitor = visitor(&app, &parts);
    let result = app
        .renew_recovery_codes(&found.user, &found.session, &visitor)
        .await;
    with_codes(&app, &parts, &found, result.map(Some)).await
}

pub(super) async fn end_session(State(app): State<AppState>, request: Request) -> Response {
    let (_, fields, found) = own!(app, request);
    let result = app.end_session(&found.user.value, &fields.session).await;
    done(&app, &found, result.map(drop).map_err(SessionError::from)).await
}
