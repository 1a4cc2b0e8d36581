//! People's sessions in requests: the cookie, and whether the request comes from a page of ours.
//!
//! A request that changes something counts only if it names the token that follows from the session
//! (header `Ringfence-Csrf`) and comes from our own origin (header `Origin`): both, since either fails
//! in some browser or other. What a page asks for by itself carries `Ringfence-Timer: 1`, and does not
//! keep the session going.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use http::{HeaderMap, Method, header, request::Parts};
use ringfence_domain::{
    App,
    access::{Caller, Person, Principal},
    people::User,
    session::{Activity, Current, Device, SessionError, Ticket, Visitor},
    settings::Versioned,
};

use crate::{AppState, ClientAddress, Code, Problem, cookies};

/// The session's cookie, without a prefix.
pub const SESSION_COOKIE: &str = "ringfence";
/// The cookie of a login that waits for its second factor, without a prefix.
pub const ATTEMPT_COOKIE: &str = "ringfence-login";
/// How the cookies of devices begin, without a prefix.
pub const DEVICE_COOKIE: &str = "ringfence-device-";
/// The header with the token that a request needs to change something.
pub const CSRF_HEADER: &str = "ringfence-csrf";
/// The header of what a page asks for by itself.
pub const TIMER_HEADER: &str = "ringfence-timer";

/// The most devices that a request may name.
const MAX_DEVICES: usize = 32;

/// Who is behind a session, and the session: also one that is good only to set up a second factor.
#[derive(Debug)]
pub struct Session {
    /// Who, with the version of its row.
    pub user: Versioned<User>,
    /// The session.
    pub session: Current,
}

/// The session's ticket in a request, if it carries one.
pub fn cookie<'a>(app: &App, headers: &'a HeaderMap) -> Option<&'a str> {
    let name = cookies::name(app, headers, SESSION_COOKIE);
    cookies::pairs(headers).find_map(|(found, value)| (found == name).then_some(value))
}

/// Whether a request changes something.
pub fn is_unsafe(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Refuses what another site's page sends. Every browser names the origin of a request that is not GET;
/// `null` is not ours.
pub fn require_own_origin(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    let own = cookies::own_origin(app, headers);
    let mut origins = headers.get_all(header::ORIGIN).into_iter();
    let is_own = origins
        .next()
        .and_then(|origin| origin.to_str().ok())
        .is_some_and(|origin| origin.eq_ignore_ascii_case(&own));
    if is_own && origins.next().is_none() {
        return Ok(());
    }
    let problem = Problem::new(Code::ForeignRequest);
    let plain = own.strip_prefix("https").map(|rest| format!("http{rest}"));
    let is_plain = cookies::is_https_assumed(app, headers)
        && headers.get(header::ORIGIN).is_some_and(|origin| {
            plain.is_some_and(|plain| origin.as_bytes().eq_ignore_ascii_case(plain.as_bytes()))
        });
    Err(if is_plain {
        problem.detail(PLAIN_HTTP)
    } else {
        problem
    })
}

/// What somebody hears whose browser came over plain HTTP to another machine.
const PLAIN_HTTP: &str = "This page came over plain HTTP, and browsers keep a login over HTTPS only. Reach Ringfence at \
    an address that begins with https://, by a proxy that does TLS; or, on a network that you trust, let whoever runs it \
    start it with --public-url and its http:// address.";

/// The same for who has no cookie to lose yet: programs name no origin at all.
pub fn refuse_foreign_origin(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    let site = headers
        .get("sec-fetch-site")
        .and_then(|site| site.to_str().ok());
    if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return Err(Problem::new(Code::ForeignRequest));
    }
    if headers.contains_key(header::ORIGIN) {
        return require_own_origin(app, headers);
    }
    Ok(())
}

/// Refuses a request whose token is not that of the secret with this hash.
pub async fn require_csrf(app: &App, key_hash: &str, given: &str) -> Result<(), Problem> {
    let is_right = app
        .is_csrf_token(key_hash, given)
        .await
        .map_err(|error| of(app, error))?;
    if is_right {
        Ok(())
    } else {
        Err(Problem::new(Code::ForeignRequest))
    }
}

/// A failure as a problem.
pub fn of(app: &App, error: SessionError) -> Problem {
    Problem::of_session(error, app.clock.now())
}

/// Where a request comes from, when known.
pub fn address(parts: &Parts) -> Option<IpAddr> {
    parts
        .extensions
        .get::<ClientAddress>()
        .map(|address| address.0)
}

/// Where a login comes from: its address, its browser, and the devices that its cookies name.
pub fn visitor(app: &App, parts: &Parts) -> Visitor {
    let prefix = cookies::name(app, &parts.headers, DEVICE_COOKIE);
    let devices: Vec<Device> = cookies::pairs(&parts.headers)
        .filter(|(name, _)| name.starts_with(&prefix))
        .filter_map(|(_, value)| Ticket::parse(value))
        .take(MAX_DEVICES)
        .collect();
    Visitor {
        address: address(parts),
        agent: parts
            .headers
            .get(header::USER_AGENT)
            .and_then(|agent| agent.to_str().ok())
            .map(str::to_owned),
        devices,
    }
}

/// The session of a request that may be read from a page: the token of what changes something is still
/// to be looked at ([`require_csrf`]); the origin was.
pub async fn of_page(parts: &Parts, app: &App) -> Result<Option<Session>, Problem> {
    let Some(cookie) = cookie(app, &parts.headers) else {
        return Ok(None);
    };
    if is_unsafe(&parts.method) {
        require_own_origin(app, &parts.headers)?;
    }
    let activity = if parts.headers.contains_key(TIMER_HEADER) {
        Activity::Timer
    } else {
        Activity::Person
    };
    let (user, session) = app
        .authenticate_session(cookie, activity)
        .await
        .map_err(|error| of(app, error))?;
    Ok(Some(Session { user, session }))
}

/// The session of a request to the API; `None`: it carries no cookie of one. `activity` is what it is
/// taken for unless it says that no person makes it.
async fn of_api(parts: &Parts, app: &App, activity: Activity) -> Result<Option<Session>, Problem> {
    let Some(cookie) = cookie(app, &parts.headers) else {
        return Ok(None);
    };
    if is_unsafe(&parts.method) {
        require_own_origin(app, &parts.headers)?;
        let ticket = Ticket::parse(cookie).ok_or(Problem::new(Code::SessionOver))?;
        let given = parts
            .headers
            .get(CSRF_HEADER)
            .and_then(|token| token.to_str().ok())
            .unwrap_or_default();
        require_csrf(app, &ticket.token.hash(), given).await?;
    }
    let activity = if parts.headers.contains_key(TIMER_HEADER) {
        Activity::Timer
    } else {
        activity
    };
    let (user, session) = app
        .authenticate_session(cookie, activity)
        .await
        .map_err(|error| of(app, error))?;
    Ok(Some(Session { user, session }))
}

/// The person who makes a request, by its session; `None`: it carries no cookie of one.
pub async fn authenticate(parts: &Parts, app: &App) -> Result<Option<Caller>, Problem> {
    let Some(found) = of_api(parts, app, Activity::Person).await? else {
        return Ok(None);
    };
    if found.session.is_limited {
        return Err(Problem::new(Code::SecondFactorRequired));
    }
    Ok(Some(Caller {
        principal: Principal::Person(std::sync::Arc::new(Person {
            user: found.user.value,
            session: found.session,
        })),
        address: address(parts),
    }))
}

/// Who visits one of our pages, by its session: for pages that others have links to, which show nothing
/// but what the visitor may see, and change nothing. `None`: nobody is logged in here.
pub async fn of_visit(parts: &Parts, app: &App) -> Result<Option<Caller>, Problem> {
    let Some(cookie) = cookie(app, &parts.headers) else {
        return Ok(None);
    };
    let (user, session) = app
        .authenticate_session(cookie, Activity::Person)
        .await
        .map_err(|error| of(app, error))?;
    if session.is_limited {
        return Ok(None);
    }
    Ok(Some(Caller {
        principal: Principal::Person(std::sync::Arc::new(Person {
            user: user.value,
            session,
        })),
        address: address(parts),
    }))
}

impl FromRequestParts<AppState> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        of_api(parts, app, Activity::Person)
            .await?
            .ok_or(Problem::new(Code::SessionOver))
    }
}

/// A [`Session`] that this request does not keep going.
#[derive(Debug)]
pub struct Unmoved(pub Session);

impl FromRequestParts<AppState> for Unmoved {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        of_api(parts, app, Activity::Timer)
            .await?
            .map(Self)
            .ok_or(Problem::new(Code::SessionOver))
    }
}

/// Where a request comes from, as an extractor.
#[derive(Debug)]
pub struct From(pub Visitor);

impl FromRequestParts<AppState> for From {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        Ok(Self(visitor(app, parts)))
    }
}
