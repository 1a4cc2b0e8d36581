//! The client that delivers webhooks to receivers which may be slow, broken or hostile.
//!
//! - One `POST` an attempt, over HTTP/1.1, on a connection to an address that was vetted for it.
//! - Three deadlines: to connect, to the response head, and in all.
//! - Of a response at most [`Options::read_limit`] bytes are read, as they are, and the connection
//!   of a longer one is dropped. Once the head is there its status decides: a 2xx response whose
//!   body is endless, slow or broken is a success, since the receiver has said so.
//! - An idle connection that turns out to be closed is replaced by a fresh one, once. Where that is
//!   noticed only after the message was written, the receiver may see it twice, with the same
//!   `webhook-id`; delivery is at least once anyway.

mod connection;
mod outcome;
mod pool;

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use self::connection::Connection;
pub use self::outcome::{BadResponse, ConnectionFailure, Outcome, Phase, TlsFailure};
use self::pool::{Limits, Pool};
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
    /// Most bytes of a response body that are read. Reading a short body to its end is what lets a
    /// connection be used again.
    pub read_limit: usize,
    /// Most bytes of a response body that are kept for the delivery log.
    pub keep_limit: usize,
    /// Largest response head accepted, in bytes.
    pub max_header_bytes: usize,
    /// Longest wait for a response body once the head is there; the status is known by then, and
    /// a place in the endpoint's concurrency limit is worth more than the text of a slow page.
    pub body_wait: Duration,
    /// Most idle connections kept for one origin.
    pub max_idle_per_origin: usize,
    /// Most idle connections kept in all.
    pub max_idle: usize,
    /// How long a connection may be idle. Below the 5 s after which Node.js, Apache and uvicorn close
    /// one, so that it is we who close it and no message is written to a closed connection.
    pub idle_timeout: Duration,
    /// How old a connection may become, so that a changed DNS record is noticed.
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
            max_header_bytes: 32 * 1024,
            body_wait: Duration::from_secs(5),
            max_idle_per_origin: 32,
            max_idle: 1024,
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
#[derive(Clone)]
pub struct Sender(Arc<Inner>);

struct Inner {
    policy: Policy,
    resolver: Arc<dyn Resolve>,
    tls: TlsConnector,
    options: Options,
    pool: Arc<Pool>,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender")
            .field("policy", &self.0.policy)
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
        let pool = Pool::new(Limits {
            per_origin: options.max_idle_per_origin,
            total: options.max_idle,
            idle: options.idle_timeout,
            age: options.max_connection_age,
        });
        Ok(Self(Arc::new(Inner {
            policy,
            resolver,
            tls: TlsConnector::from(Arc::new(config)),
            options,
            pool: Arc::new(pool),
        })))
    }

    /// The policy, for vetting a URL on save with [`Target::parse`].
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// The resolver, for vetting a URL on save with [`Target::addresses`].
    pub fn resolver(&self) -> &dyn Resolve {
        &*self.0.resolver
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
            .check(&self.policy)
            .map_err(|_| Outcome::ForbiddenAddress)?;
        let headers = self.headers(message)?;
        let end = started + message.timeouts.total;

        let mut idle = self.pool.take(target.origin(), started);
        while let Some(connection) = &mut idle
            && !connection.is_usable().await
        {
            idle = self.pool.take(target.origin(), started);
        }
        let (mut connection, response) = match idle {
            Some(mut idle) => {
                match self
                    .exchange(&mut idle, message, headers.clone(), end)
                    .await
                {
                    // The peer closed it just as we wrote. Once more, on one that is not idle.
                    Err(Outcome::Connection(_)) => self.fresh(message, headers, end).await?,
                    response => (idle, response?),
                }
            }
            None => self.fresh(message, headers, end).await?,
        };

        let (head, mut body) = response.into_parts();
        let outcome = Outcome::of_status(head.status);
        let deadline = end.min(Instant::now() + self.options.body_wait);
        let (kept, truncated, complete) = self.read(&mut connection, &mut body, deadline).await;
        drop(body);
        if complete && connection.is_usable().await {
            self.pool.put(target.origin(), connection, Instant::now());
        }
        let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let response = ResponseHead {
            status: head.status.as_u16(),
            retry_after: text(RETRY_AFTER)
                .and_then(|value| retry_after::parse(value, message.timestamp)),
            content_type: text(CONTENT_TYPE)
                .filter(|value| value.len() <= MAX_CONTENT_TYPE_BYTES)
                .map(str::to_owned),
            head: kept,
            truncated,
        };
        Ok((outcome, response))
    }

    /// Opens a connection and makes the exchange on it.
    async fn fresh(
        &self,
        message: &Outgoing<'_>,
        headers: HeaderMap,
        end: Instant,
    ) -> Result<(Box<Connection>, Response<Incoming>), Outcome> {
        let target = message.target;
        let connect_end = Instant::now() + message.timeouts.connect;
        let (deadline, phase) = earlier((connect_end, Phase::Connect), (end, Phase::Total));
        let opening = async {
            let addresses = target
                .addresses(&self.policy, &*self.resolver)
                .await
                .map_err(Outcome::of_resolve)?;
            let tls = target.is_https().then(|| (&self.tls, target.server_name()));
            Connection::open(&addresses, tls, self.options.max_header_bytes, deadline).await
        };
        // Boxed: it is large, and only the first message to a receiver needs it.
        let opened = timeout_at(deadline, Box::pin(opening)).await;
        let connection = opened
            .map_err(|_| Outcome::Timeout(phase))?
            .map_err(|outcome| match outcome {
                Outcome::Timeout(_) => Outcome::Timeout(phase),
                other => other,
            })?;
        let mut connection = Box::new(connection);
        let response = self
            .exchange(&mut connection, message, headers, end)
            .await?;
        Ok((connection, response))
    }

    async fn exchange(
        &self,
        connection: &mut Connection,
        message: &Outgoing<'_>,
        headers: HeaderMap,
        end: Instant,
    ) -> Result<Response<Incoming>, Outcome> {
        let mut request = Request::new(Full::new(message.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = message.target.path().clone();
        *request.headers_mut() = headers;
        let first_byte_end = Instant::now() + message.timeouts.first_byte;
        let (deadline, phase) = earlier((first_byte_end, Phase::FirstByte), (end, Phase::Total));
        timeout_at(deadline, connection.exchange(request))
            .await
            .map_err(|_| Outcome::Timeout(phase))?
    }

    fn headers(&self, message: &Outgoing<'_>) -> Result<HeaderMap, Outcome> {
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
        headers.insert(USER_AGENT, self.options.user_agent.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
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

    /// Reads the body up to the limits: what is kept of it, whether there was more, and whether it
    /// was read to its end, so that the connection can be used again.
    async fn read(
        &self,
        connection: &mut Connection,
        body: &mut Incoming,
        deadline: Instant,
    ) -> (Bytes, bool, bool) {
        let mut kept = BytesMut::new();
        let mut total = 0_usize;
        let complete = loop {
            if body.is_end_stream() {
                break true;
            }
            let frame = match timeout_at(deadline, connection.drive(body.frame())).await {
                Ok(Some(Some(Ok(frame)))) => frame,
                Ok(Some(None)) => break true,
                Ok(None | Some(Some(Err(_)))) | Err(_) => break false,
            };
            // Anything but data is a trailer, which nobody asked for.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            total = total.saturating_add(data.len());
            let room = self.options.keep_limit.saturating_sub(kept.len());
            kept.extend_from_slice(data.get(..room).unwrap_or(&data));
            if total > self.options.read_limit {
                break false;
            }
        };
        let truncated = !complete || total > kept.len();
        (kept.freeze(), truncated, complete)
    }
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
