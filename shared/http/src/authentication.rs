use std::net::IpAddr;

use axum::extract::FromRequestParts;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header, request::Parts};
use ringfence_domain::{App, access::Caller};

use crate::{AppState, Code, Problem, session};

/// Where the request comes from: put into the request's extensions by whatever hosts the router.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

/// The header that Amazon Data Firehose sends its access key in.
const FIREHOSE_KEY: &str = "x-amz-firehose-access-key";

/// The caller: a machine by its API key, or a person by its session. Anything else answers 401.
#[derive(Debug)]
pub struct Authenticated(pub Caller);

impl FromRequestParts<AppState> for Authenticated {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        authenticate(parts, app)
            .await?
            .map(Self)
            .ok_or(Problem::new(Code::Unauthenticated))
    }
}

/// Who makes a request; `None`: it brings neither a key nor a session. One that brings a key is judged
/// by that alone, so that no page of another site can lend a session to a request with a key.
pub async fn authenticate(parts: &Parts, app: &App) -> Result<Option<Caller>, Problem> {
    let headers = &parts.headers;
    if headers.contains_key(header::AUTHORIZATION) || headers.contains_key(FIREHOSE_KEY) {
        let secret = credentials(headers).ok_or(Problem::new(Code::Unauthenticated))?;
        let address = session::address(parts);
        return Ok(Some(app.authenticate(&secret, address).await?));
    }
    session::authenticate(parts, app).await
}

/// The API key that a request carries: as a bearer token, as the password of Basic authentication
/// (RFC 7617; platforms that can only be given a URL with user and password send it so), or in the
/// header that Amazon Data Firehose sends its access key in.
pub fn credentials(headers: &HeaderMap) -> Option<String> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(rest.to_owned());
        }
        if scheme.eq_ignore_ascii_case("basic") {
            let pair = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
            return pair
                .split_once(':')
                .map(|(_, password)| password.to_owned());
        }
        return None;
    }
    headers.get(FIREHOSE_KEY)?.to_str().ok().map(str::to_owned)
}
