//! Who is at the door: the link that a token opens, and whether more is needed to listen.

use std::{convert::Infallible, net::IpAddr};

use axum::{
    extract::{FromRequestParts, Path},
    response::Response,
};
use http::{HeaderMap, request::Parts};
use ringfence_domain::{
    App,
    access::{AccessError, Hearing, Scope},
    link::{Asks, LinkError, OpenLink},
};
use ringfence_http::{ClientAddress, Problem, cookies, credentials, session};

use crate::pages::{self, Form};

/// What a link ends with. What cannot be decoded is no link, like any other that was never made.
pub(crate) struct Token(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Token {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let token = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(token.map(|Path(token)| token).unwrap_or_default()))
    }
}

/// What a request brings, beside its token.
pub(crate) struct Visitor<'a> {
    pub(crate) form: Form,
    pub(crate) headers: &'a HeaderMap,
    parts: &'a Parts,
    pub(crate) address: Option<IpAddr>,
}

impl<'a> Visitor<'a> {
    pub(crate) fn of(parts: &'a Parts) -> Self {
        Self {
            form: Form::of(&parts.headers),
            headers: &parts.headers,
            parts,
            address: parts
                .extensions
                .get::<ClientAddress>()
                .map(|address| address.0),
        }
    }
}

/// Whether whoever came may listen.
pub(crate) enum Entry {
    /// Yes; with whose API key or login, if by one.
    Open(Option<String>),
    /// After the PIN.
    Pin,
    /// No: this answer instead.
    Refused(Box<Response>),
}

/// The link behind a token, or the answer that there is none.
pub(crate) async fn open(
    app: &App,
    visitor: &Visitor<'_>,
    token: &str,
) -> Result<OpenLink, Box<Response>> {
    let form = visitor.form;
    app.open_link(token).await.map_err(|error| {
        Box::new(match error {
            LinkError::Unknown => pages::unknown(form),
            LinkError::Gone(gone) => pages::gone(form, gone),
            LinkError::Store(error) => pages::failed(form, error.into()),
            LinkError::Keys(error) => pages::failed(form, error.into()),
        })
    })
}

/// Whether this visitor may listen: because the link asks nothing, because of an API key of the
/// account's or a login of its people, or because of a cookie that the right PIN set.
pub(crate) async fn entry(app: &App, visitor: &Visitor<'_>, open: &OpenLink) -> Entry {
    let form = visitor.form;
    let refuse = |response| Entry::Refused(Box::new(response));
    if let Some(secret) = credentials(visitor.headers) {
        let caller = match app.authenticate(&secret, visitor.address).await {
            Ok(caller) => caller,
            Err(error) => return refuse(pages::failed(form, error.into())),
        };
        return match app
            .account(&caller, Scope::RecordingsRead, &open.recording.account)
            .await
        {
            Ok(_) => Entry::Open(Some(caller.id().to_owned())),
            Err(error) => refuse(pages::failed(form, error.into())),
        };
    }
    if !matches!(open.asks, Asks::Nothing) {
        match heard_by_login(app, visitor, open).await {
            Ok(Some(user)) => return Entry::Open(Some(user)),
            Ok(None) => {}
            Err(problem) => return refuse(pages::failed(form, problem)),
        }
    }
    match open.asks {
        Asks::Nothing => Entry::Open(None),
        Asks::Login => {
            let path = visitor.parts.uri.path();
            refuse(pages::login(
                form,
                path.strip_suffix("/audio").unwrap_or(path),
            ))
        }
        Asks::MissingPin => refuse(pages::missing_pin(form)),
        Asks::Pin => {
            for cookie in cookies::all(visitor.headers, &cookie_name(app, visitor.headers, open)) {
                match app.is_unlocked(open, cookie).await {
                    Ok(true) => return Entry::Open(None),
                    Ok(false) => {}
                    Err(error) => return refuse(pages::failed(form, Problem::from(error))),
                }
            }
            Entry::Pin
        }
    }
}

/// Who of the account's people listens, if somebody is logged in here who may hear this recording as it
/// is. Everybody else is at the door as if nobody were logged in.
async fn heard_by_login(
    app: &App,
    visitor: &Visitor<'_>,
    open: &OpenLink,
) -> Result<Option<String>, Problem> {
    let caller = match session::of_visit(visitor.parts, app).await {
        Ok(Some(caller)) => caller,
        Err(problem) if problem.code.status().is_server_error() => return Err(problem),
        // Or a session that is over.
        Ok(None) | Err(_) => return Ok(None),
    };
    let account = &open.recording.account;
    let reach = match app
        .account_data(&caller, Scope::RecordingsRead, account)
        .await
    {
        Ok((_, reach)) => reach,
        Err(AccessError::Store(error)) => return Err(error.into()),
        Err(_) => return Ok(None),
    };
    let hearing = app.hearing(&reach, &open.recording).await?;
    Ok((hearing == Some(Hearing::Free)).then(|| caller.id().to_owned()))
}

/// The cookie's name in this installation.
fn cookie_name(app: &App, headers: &HeaderMap, open: &OpenLink) -> String {
    cookies::name(app, headers, &open.cookie_name())
}

/// The `Set-Cookie` for whoever gave the right PIN.
pub(crate) fn set_cookie(app: &App, headers: &HeaderMap, open: &OpenLink, value: &str) -> String {
    let seconds = ringfence_domain::link::COOKIE_TTL.as_secs();
    cookies::set(app, headers, &open.cookie_name(), value, Some(seconds))
}
