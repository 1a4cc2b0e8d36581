//! Who is at the door: the link that a token opens, and whether more is needed to listen.

use std::{convert::Infallible, net::IpAddr};

use axum::{
    extract::{FromRequestParts, Path},
    response::Response,
};
use http::{HeaderMap, header, request::Parts};
use ringfence_domain::{
    App,
    access::Scope,
    link::{Asks, LinkError, OpenLink},
};
use ringfence_http::{ClientAddress, Problem, credentials};

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
    pub(crate) address: Option<IpAddr>,
}

impl<'a> Visitor<'a> {
    pub(crate) fn of(parts: &'a Parts) -> Self {
        Self {
            form: Form::of(&parts.headers),
            headers: &parts.headers,
            address: parts
                .extensions
                .get::<ClientAddress>()
                .map(|address| address.0),
        }
    }
}

/// Whether whoever came may listen.
pub(crate) enum Entry {
    /// Yes; with whose API key, if by one.
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
/// account's, or because of a cookie that the right PIN set.
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
    match open.asks {
        Asks::Nothing => Entry::Open(None),
        Asks::Login => refuse(pages::login(form)),
        Asks::MissingPin => refuse(pages::missing_pin(form)),
        Asks::Pin => {
            for cookie in cookies(visitor.headers, &cookie_name(app, visitor.headers, open)) {
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

/// Whether browsers speak HTTPS to this installation. Unless its origin says otherwise, only this
/// machine itself may do without.
fn is_https(app: &App, headers: &HeaderMap) -> bool {
    if let Some(origin) = &app.public_origin {
        return !origin.starts_with("http://");
    }
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    !matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

/// The cookie's name in this installation.
fn cookie_name(app: &App, headers: &HeaderMap, open: &OpenLink) -> String {
    // Browsers keep a cookie of this prefix to this very host, over HTTPS (RFC 6265bis section 4.1.3.2).
    let prefix = if is_https(app, headers) {
        "__Host-"
    } else {
        ""
    };
    format!("{prefix}{}", open.cookie_name())
}

/// The `Set-Cookie` for whoever gave the right PIN.
pub(crate) fn set_cookie(app: &App, headers: &HeaderMap, open: &OpenLink, value: &str) -> String {
    let name = cookie_name(app, headers, open);
    let secure = if is_https(app, headers) {
        "; Secure"
    } else {
        ""
    };
    let seconds = ringfence_domain::link::COOKIE_TTL.as_secs();
    format!("{name}={value}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Lax{secure}")
}

fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(header::COOKIE)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(move |(found, _)| *found == name)
        .map(|(_, value)| value)
}
