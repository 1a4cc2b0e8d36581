//! One HTTP/1.1 connection, driven by the task that uses it.
//!
//! HTTP clients usually run a connection in a task of its own, which costs two task switches a
//! request and learns that the peer closed an idle connection only when that task happens to run.
//! Here the exchange polls the connection itself, and a connection is asked before it is used again.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::outcome::{ConnectionFailure, Outcome, Phase};

type Body = Full<Bytes>;

/// An open connection to one origin.
pub(super) struct Connection {
    requests: http1::SendRequest<Body>,
    driver: http1::Connection<TokioIo<Stream>, Body>,
    /// Whether `driver` is over; it must not be polled again.
    over: bool,
    /// When the connection was opened.
    pub(super) opened: Instant,
}

impl Connection {
    /// Connects to the first of the addresses that answers, each getting an even share of the time
    /// that is left, so that a dead first address does not use up the time of the next.
    pub(super) async fn open(
        addresses: &[SocketAddr],
        tls: Option<(&TlsConnector, &ServerName<'static>)>,
        max_header_bytes: usize,
        deadline: Instant,
    ) -> Result<Self, Outcome> {
        let tcp = connect(addresses, deadline).await?;
        let stream = match tls {
            None => Stream::Plain(tcp),
            Some((connector, name)) => {
                let handshake = connector.connect(name.clone(), tcp);
                let tls = timeout_at(deadline, handshake)
                    .await
                    .map_err(|_| Outcome::Timeout(Phase::Connect))?
                    .map_err(|error| Outcome::of_io(&error))?;
                Stream::Tls(Box::new(tls))
            }
        };
        let (requests, driver) = http1::Builder::new()
            .max_buf_size(READ_BUFFER.max(max_header_bytes))
            .max_header_size(max_header_bytes)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Outcome::of_http(&error))?;
        Ok(Self {
            requests,
            driver,
            over: false,
            opened: Instant::now(),
        })
    }

    /// Whether the connection can take a request now. Notices a peer that closed it meanwhile.
    pub(super) async fn is_usable(&mut self) -> bool {
        poll_fn(|cx| {
            self.poll_driver(cx);
            Poll::Ready(!self.over && self.requests.is_ready())
        })
        .await
    }

    /// Sends a request and waits for the response head.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Outcome> {
        let response = self.requests.send_request(request);
        match self.drive(response).await {
            Some(Ok(response)) => Ok(response),
            Some(Err(error)) => Err(match Outcome::of_http(&error) {
                // The operating system gave up on an open connection.
                Outcome::Timeout(_) => Outcome::Timeout(Phase::FirstByte),
                other => other,
            }),
            None => Err(Outcome::Connection(ConnectionFailure::Closed)),
        }
    }

    /// Completes a future that needs this connection to make progress. `None` when the connection
    /// ended first.
    pub(super) async fn drive<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(output) = future.as_mut().poll(cx) {
                    return Poll::Ready(Some(output));
                }
                if self.over {
                    return Poll::Ready(None);
                }
                // Once more if the connection ended: it may have completed the future by that.
                self.poll_driver(cx);
                if !self.over {
                    return future.as_mut().poll(cx).map(Some);
                }
            }
        })
        .await
    }

    fn poll_driver(&mut self, cx: &mut Context<'_>) {
        // Its error, if any, goes to the request in flight; without one there is nobody to tell.
        if !self.over && Pin::new(&mut self.driver).poll(cx).is_ready() {
            self.over = true;
        }
    }
}

/// Smallest read buffer that hyper accepts as a limit.
const READ_BUFFER: usize = 8192;

async fn connect(addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, Outcome> {
    let mut failure = Outcome::Dns;
    for (tried, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let rest = u32::try_from(addresses.len().saturating_sub(tried))
            .unwrap_or(u32::MAX)
            .max(1);
        let share = Instant::now() + left / rest;
        failure = match timeout_at(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // A request is one write, so waiting for more to send only delays it.
                if stream.set_nodelay(true).is_ok() {
                    return Ok(stream);
                }
                Outcome::Connection(ConnectionFailure::Reset)
            }
            Ok(Err(error)) => Outcome::of_io(&error),
            Err(_) => Outcome::Timeout(Phase::Connect),
        };
    }
    Err(failure)
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
