//! Events in the formats of known platforms.

pub(crate) mod asterisk;
pub(crate) mod connect;
pub(crate) mod freeswitch;
pub(crate) mod twilio;

use axum::extract::Request;
use http::{header, request::Parts};
use ringfence_domain::{
    App,
    event::source::{Platform, Post},
    settings::AccountConfig,
};
use ringfence_http::{LimitedBody, Problem, read_limited};

use crate::{
    MAX_BODY_BYTES,
    answer::{IngestAnswer, batch_problem},
};

/// Reads the whole request of a caller who is known.
async fn read(request: Request) -> Result<(Parts, LimitedBody), Problem> {
    let (parts, body) = split(request);
    Ok((parts, read_limited(body, MAX_BODY_BYTES).await?))
}

/// A request's head, and what of it is needed to read its body.
fn split(request: Request) -> (Parts, Request) {
    let (parts, body) = request.into_parts();
    let mut unread = Request::new(body);
    *unread.headers_mut() = parts.headers.clone();
    (parts, unread)
}

/// Accepts the events of a platform's request.
async fn accept(
    app: &App,
    config: &AccountConfig,
    platform: Platform,
    parts: &Parts,
    body: &[u8],
) -> Result<IngestAnswer, Problem> {
    let events = platform
        .parse(&Post {
            content_type: header_text(parts, &header::CONTENT_TYPE),
            query: parts.uri.query(),
            body,
            account_id: &config.account.id,
            received_at: app.clock.now(),
        })
        .map_err(|error| batch_problem(&error))?;
    Ok(IngestAnswer::new(app.accept(config, events).await?))
}

fn header_text<'a>(parts: &'a Parts, name: &header::HeaderName) -> Option<&'a str> {
    parts
        .headers
        .get(name)
        .and_then(|value| value.to_str().ok())
}
