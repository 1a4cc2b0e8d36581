//! The client that delivers webhooks to receivers which may be slow, broken or hostile.
//!
//! - One `POST` an attempt, over HTTP/1.1, on a connection to an address that was vetted for it.
//! - Three deadlines: to connect, to the response head, and in all.
//! - Of a response no more is read once [`Options::read_limit`] bytes are there, as they are, and the
//!   connection of a longer one is dropped. Once the head is there its status decides: a 2xx response whose
//!   body is endless, slow or broken is a success, since the receiver has said so.
//! - The response head is bounded by hyper, which reqwest has no setting for: at most 100 headers and
//!   about 400 KiB, read into a buffer that grows with what arrives.
//! - An idle connection that turns out to be closed is replaced by a fresh one, once. Where that is
//!   noticed only after the message was written, the receiver may see it twice, with the same
//!   `webhook-id`; delivery is at least once anyway.

mod clients;
mod dial;
mod outcome;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method};
use reqwest::{Request, Response};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, sleep_until, timeout_at};

use self::clients::{Clients, Gate, OriginClient};
use self::dial::{DIAL, Dial};
pub use self::outcome::{BadResponse, ConnectionFailure, Outcome, Phase, TlsFailure};
use crate::headers::{ExtraHeaders, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP};
use crate::retry_after;
use crate::sign::{self, Key};
use crate::target::{Policy, Resolve, Target};

/// Longest content type kept of a response, in bytes.
const MAX_CONTENT_TYPE_BYTES: usize = 256;

/// The limits and the identity of a [`Sender`].
#[derive(Clone, Debug)]
pub struct Options {
    /// The `User-Agent`.
    pub user_agent: HeaderValue,
    /// Most bytes of a response body that are read, but for what the last read brought beyond it.
    /// Reading a short body to its end is what lets a connection be used again.
    pub read_limit: usize,
    /// Most bytes of a response body that are kept for the delivery log.
    pub keep_limit: usize,
    /// Longest wait for a response body once the head is there; the status is known by then, and
    /// a place in the endpoint's concurrency limit is worth more than the text of a slow page.
    pub body_wait: Duration,
    /// Most idle connections kept for one origin.
    pub max_idle_per_origin: usize,
    /// Most origins that idle connections are kept for. Beyond them, those to the origin whose last
    /// message is the longest ago are closed.
    pub max_origins: usize,
    /// How long a connection may be idle. Below the 5 s after which Node.js, Apache and uvicorn close
    /// one, so that it is we who close it and no message is written to a closed connection.
    pub idle_timeout: Duration,
    /// How old the connections to an origin may become, so that a changed DNS record is noticed.
    pub max_connection_age: Duration,
    /// Certificate authorities to trust beside Mozilla's (see [`read_roots`]).
    pub extra_roots: Vec<CertificateDer<'static>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            user_agent: HeaderValue::from_static(concat!("Ringfence/", env!("CARGO_PKG_VERSION"))),
            read_limit: 16 * 1024,
            keep_limit: 1024,
            body_wait: Duration::from_secs(5),
            max_idle_per_origin: 32,
            max_origins: 1024,
            idle_timeout: Duration::from_secs(4),
            max_connection_age: Duration::from_secs(120),
            extra_roots: Vec::new(),
        }
    }
}

/// Why a [`Sender`] could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SenderError {
    /// The PEM text holds no certificate, or a broken one.
    #[error("the certificates are not valid PEM")]
    Pem,
    /// An extra root is no certificate that can be a root.
    #[error("an extra root certificate is not usable")]
    Root,
    /// The TLS configuration was refused.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// Reads the certificates of a PEM file, for [`Options::extra_roots`].
pub fn read_roots(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, SenderError> {
    let roots: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| SenderError::Pem)?;
    if roots.is_empty() {
        return Err(SenderError::Pem);
    }
    Ok(roots)
}

/// The deadlines of one attempt, each from the start of what it bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Name lookup, TCP connection and TLS handshake together.
    pub connect: Duration,
    /// From the connection to the complete response head.
    pub first_byte: Duration,
    /// The whole attempt.
    pub total: Duration,
}

impl Timeouts {
    /// The deadlines for an endpoint's one setting: all of it in total, and at most 5 s to connect.
    pub fn within(total: Duration) -> Self {
        Self {
            connect: total.min(Duration::from_secs(5)),
            first_byte: total,
            total,
        }
    }
}

impl Default for Timeouts {
    /// 15 s, the low end of what Standard Webhooks recommends.
    fn default() -> Self {
        Self::within(Duration::from_secs(15))
    }
}

/// One message to one receiver.
#[derive(Clone, Debug)]
pub struct Outgoing<'a> {
    /// Where to.
    pub target: &'a Target,
    /// The message's id, the same on every retry.
    pub id: &'a str,
    /// The time of this attempt in Unix seconds; a `Retry-After` date is counted from it as well.
    pub timestamp: i64,
    /// The keys that sign, newest first. None: no `webhook-signature` header.
    pub keys: &'a [Key],
    /// The endpoint's own headers.
    pub headers: &'a ExtraHeaders,
    /// The content type of the body.
    pub content_type: HeaderValue,
    /// The exact bytes to sign and send.
    pub body: Bytes,
    /// The deadlines.
    pub timeouts: Timeouts,
}

/// What one attempt came to.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// How it ended.
    pub outcome: Outcome,
    /// From the start to the end, or to where it failed.
    pub latency: Duration,
    /// What came back, if a response head did.
    pub response: Option<ResponseHead>,
}

/// The head of a response and the start of its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status code.
    pub status: u16,
    /// How long the receiver asks to wait, whatever the status. Not bounded: the caller does that.
    pub retry_after: Option<Duration>,
    /// The content type, if it is a short text.
    pub content_type: Option<String>,
    /// The first bytes of the body, at most [`Options::keep_limit`], never decompressed.
    pub head: Bytes,
    /// Whether the body had more than `head`, or broke off.
    pub truncated: bool,
}

impl ResponseHead {
    /// The start of the body as text. Bytes that are not UTF-8 and control characters other than
    /// line breaks and tabs are written as `\x1b`, so nothing is lost and nothing acts on a terminal.
    pub fn excerpt(&self) -> String {
        let mut text = String::with_capacity(self.head.len());
        for chunk in self.head.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() && !matches!(c, '\n' | '\r' | '\t') {
                    escape(&mut text, u32::from(c));
                } else {
                    text.push(c);
                }
            }
            // A character that the limit cut in two is no invalid byte.
            let cut = self.truncated
                && chunk.invalid().as_ptr_range().end == self.head.as_ptr_range().end;
            if !cut {
                for byte in chunk.invalid() {
                    escape(&mut text, u32::from(*byte));
                }
            }
        }
        text
    }
}

fn escape(text: &mut String, code: u32) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    text.push_str("\\x");
    for shift in [4, 0] {
        let digit = (code >> shift & 0xf) as usize;
        text.push(HEX.get(digit).copied().map_or('?', char::from));
    }
}

/// Delivers messages. Cheap to clone; the clones share their idle connections.
///
/// Needs a Tokio runtime with I/O and time, and serves one: connections live in tasks there.
#[derive(Clone)]
pub struct Sender(Arc<Inner>);

struct Inner {
    options: Options,
    clients: Clients,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender")
            .field("policy", self.policy())
            .finish_non_exhaustive()
    }
}

impl Sender {
    /// A sender that dials what the policy permits. Opens nothing yet.
    pub fn new(
        policy: Policy,
        resolver: Arc<dyn Resolve>,
        options: Options,
    ) -> Result<Self, SenderError> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        for root in &options.extra_roots {
            roots.add(root.clone()).map_err(|_| SenderError::Root)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        // No ALPN: without it a server speaks HTTP/1.1, the only version this client has. HTTP/2
        // would let a receiver tie many messages to one stalled connection.
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(SenderError::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let gate = Gate { policy, resolver };
        Ok(Self(Arc::new(Inner {
            clients: Clients::new(gate, config, options.clone()),
            options,
        })))
    }

    /// The policy, for vetting a URL on save with [`Target::parse`].
    pub fn policy(&self) -> &Policy {
        &self.0.clients.gate.policy
    }

    /// The resolver, for vetting a URL on save with [`Target::addresses`].
    pub fn resolver(&self) -> &dyn Resolve {
        &*self.0.clients.gate.resolver
    }

    /// Sends one message, once, and says what came of it within [`Timeouts::total`]. Dropping the
    /// future ends the attempt; the receiver may have got the message by then.
    pub async fn send(&self, message: Outgoing<'_>) -> Attempt {
        let started = Instant::now();
        let (outcome, response) = match self.0.attempt(&message, started).await {
            Ok((outcome, response)) => (outcome, Some(response)),
            Err(outcome) => (outcome, None),
        };
        Attempt {
            outcome,
            latency: started.elapsed(),
            response,
        }
    }
}

impl Inner {
    async fn attempt(
        &self,
        message: &Outgoing<'_>,
        started: Instant,
    ) -> Result<(Outcome, ResponseHead), Outcome> {
        let target = message.target;
        target
            .check(&self.clients.gate.policy)
            .map_err(|_| Outcome::ForbiddenAddress)?;
        let headers = build_headers(message)?;
        let end = started + message.timeouts.total;
        let (origin, connect) = (target.origin(), message.timeouts.connect);

        let client = self.clients.take(origin, connect, started);
        let client = client.map_err(|_| NO_CLIENT)?;
        let mut response = match exchange(&client, message, headers.clone(), end).await {
            Ok(response) => response,
            Err(Failure {
                outcome: Outcome::Connection(_),
                was_idle: true,
            }) => {
                // The peer closed it just as we wrote. Once more, on one that is not idle.
                let client = self
                    .clients
                    .replace(&client, origin, connect, Instant::now());
                let client = client.map_err(|_| NO_CLIENT)?;
                let again = exchange(&client, message, headers, end).await;
                again.map_err(|failure| failure.outcome)?
            }
            Err(failure) => return Err(failure.outcome),
        };

        let deadline = end.min(Instant::now() + self.options.body_wait);
        let (kept, truncated) = self.read(&mut response, deadline).await;
        let text = |name| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let status = response.status();
        let head = ResponseHead {
            status: status.as_u16(),
            retry_after: text(RETRY_AFTER)
                .and_then(|value| retry_after::parse(value, message.timestamp)),
            content_type: text(CONTENT_TYPE)
                .filter(|value| value.len() <= MAX_CONTENT_TYPE_BYTES)
                .map(str::to_owned),
            head: kept,
            truncated,
        };
        Ok((Outcome::of_status(status), head))
    }

    /// Reads the body up to the limits: what is kept of it, and whether there was more. A response
    /// that is dropped before its end takes its connection with it.
    async fn read(&self, response: &mut Response, deadline: Instant) -> (Bytes, bool) {
        let mut kept = BytesMut::new();
        let mut total = 0_usize;
        let complete = loop {
            let data = match timeout_at(deadline, response.chunk()).await {
                Ok(Ok(Some(data))) => data,
                Ok(Ok(None)) => break true,
                Ok(Err(_)) | Err(_) => break false,
            };
            total = total.saturating_add(data.len());
            let room = self.options.keep_limit.saturating_sub(kept.len());
            kept.extend_from_slice(data.get(..room).unwrap_or(&data));
            if total > self.options.read_limit {
                break false;
            }
        };
        let truncated = !complete || total > kept.len();
        (kept.freeze(), truncated)
    }
}

fn build_headers(message: &Outgoing<'_>) -> Result<HeaderMap, Outcome> {
    let timestamp = u64::try_from(message.timestamp)
        .map_err(|_| Outcome::Unsendable)?
        .to_string();
    let signature = sign::sign_text(message.keys, message.id, &timestamp, &message.body);
    let signature = signature.map_err(|_| Outcome::Unsendable)?;
    let value = |text: String| {
        HeaderValue::from_maybe_shared(Bytes::from(text)).map_err(|_| Outcome::Unsendable)
    };

    let extra = message.headers.as_map();
    let mut headers = HeaderMap::with_capacity(extra.len() + 8);
    headers.insert(HOST, message.target.host_header().clone());
    headers.insert(CONTENT_TYPE, message.content_type.clone());
    headers.insert(WEBHOOK_ID, value(message.id.to_owned())?);
    headers.insert(WEBHOOK_TIMESTAMP, value(timestamp)?);
    if !message.keys.is_empty() {
        headers.insert(WEBHOOK_SIGNATURE, value(signature)?);
    }
    // Checked not to hold any of the above.
    headers.extend(
        extra
            .iter()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    Ok(headers)
}

/// reqwest refuses none of the settings used here; should it ever, the message is tried again later.
const NO_CLIENT: Outcome = Outcome::Connection(ConnectionFailure::Unreachable);

/// Why there is no response head.
struct Failure {
    outcome: Outcome,
    /// Whether the message went to a connection that had been idle.
    was_idle: bool,
}

/// Sends a message and waits for the response head.
async fn exchange(
    client: &OriginClient,
    message: &Outgoing<'_>,
    headers: HeaderMap,
    end: Instant,
) -> Result<Response, Failure> {
    let mut request = Request::new(Method::POST, message.target.url().clone());
    *request.headers_mut() = headers;
    *request.body_mut() = Some(message.body.clone().into());

    let dial = Arc::new(Dial::default());
    let started = Instant::now();
    let mut answer = pin!(DIAL.scope(Arc::clone(&dial), client.http.execute(request)));
    let mut timer = pin!(sleep_until(end));
    let answer = poll_fn(|cx| {
        if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
            return Poll::Ready(answer.map_err(|error| Failure {
                outcome: Outcome::of_error(&error),
                was_idle: dial.done().is_none() && !error.is_connect(),
            }));
        }
        let connected = if dial.is_open() {
            // At the latest: reqwest holds the connection to that.
            started + message.timeouts.connect
        } else {
            dial.done().unwrap_or(started)
        };
        let first_byte_end = connected + message.timeouts.first_byte;
        let (deadline, phase) = earlier((first_byte_end, Phase::FirstByte), (end, Phase::Total));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx).map(|()| {
            Err(Failure {
                outcome: Outcome::Timeout(phase),
                was_idle: false,
            })
        })
    });
    answer.await
}

fn earlier(a: (Instant, Phase), b: (Instant, Phase)) -> (Instant, Phase) {
    if b.0 < a.0 { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(head: &[u8], truncated: bool) -> ResponseHead {
        ResponseHead {
            status: 500,
            retry_after: None,
            content_type: None,
            head: Bytes::copy_from_slice(head),
            truncated,
        }
    }

    #[test]
    fn an_excerpt_keeps_text_and_disarms_the_rest() {
        for (head, truncated, expected) in [
            (
                &b"plain \xc3\xa4\r\n\t{\"a\": \"\\\"}"[..],
                false,
                "plain ä\r\n\t{\"a\": \"\\\"}",
            ),
            (b"\x1b[2J\0", false, "\\x1b[2J\\x00"),
            (b"\x1f\x8b\x08", false, "\\x1f\\x8b\\x08"),
            (b"ab\xff\xfe", false, "ab\\xff\\xfe"),
            (b"cut \xc3", true, "cut "),
            (b"broken \xc3", false, "broken \\xc3"),
            (b"\xc2\x9b", false, "\\x9b"),
        ] {
            assert_eq!(response(head, truncated).excerpt(), expected);
        }
    }

    #[test]
    fn roots_are_read_from_pem() {
        assert!(matches!(read_roots(b""), Err(SenderError::Pem)));
        assert!(matches!(
            read_roots(b"-----BEGIN CERTIFICATE-----\nxx"),
            Err(SenderError::Pem)
        ));
    }
}
