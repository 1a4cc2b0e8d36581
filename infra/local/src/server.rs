//! An HTTP/1.1 server over one listener: accepts, bounds what a client may hold or delay, and drains.

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use hyper::{
    body::{Frame, Incoming, SizeHint},
    rt::{Read, ReadBufCursor, Write},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use ringfence_http::ClientAddress;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::Sleep,
};

/// Connections at a time; more wait in the listener's backlog.
const MAX_CONNECTIONS: u32 = 4096;

/// From being ready for a request to its whole head. It also ends connections that idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// For the whole of a request's body once the handler has begun to read it.
const BODY_TIMEOUT: Duration = Duration::from_mins(1);

/// For an upload of an object, which takes its time: between two pieces of it.
const PIECE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a client may refuse to take in an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The largest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// After an error that is the machine's and not one client's (no file descriptor left), the next
/// connection is accepted this much later.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Serving,
    /// Idle connections close at once, others after the answer that they wait for.
    Draining,
    /// All connections close.
    Cut,
}

/// Serves `listener` with `handler` until `stop` is done; then accepts no more, and gives what is in
/// flight `grace` to finish. Answers whether all of it did.
///
/// Each request carries a [`ClientAddress`] extension.
pub async fn serve<H, F>(
    listener: TcpListener,
    handler: H,
    stop: impl Future<Output = ()>,
    grace: Duration,
) -> bool
where
    H: Fn(Request<Body>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES);
    let (stage, staged) = watch::channel(Stage::Serving);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS as usize));
    let accepting = async {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let connection = serve_connection(
                        http.clone(),
                        stream,
                        peer,
                        handler.clone(),
                        staged.clone(),
                    );
                    tokio::spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "connections cannot be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stop => {}
    }
    drop(listener);
    stage.send_replace(Stage::Draining);
    let done = tokio::time::timeout(grace, places.acquire_many(MAX_CONNECTIONS))
        .await
        .is_ok();
    stage.send_replace(Stage::Cut);
    // Cut connections let go of the handler, and so of the store, before this returns.
    let _ = places.acquire_many(MAX_CONNECTIONS).await;
    done
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

async fn serve_connection<H, F>(
    http: http1::Builder,
    stream: TcpStream,
    peer: SocketAddr,
    handler: H,
    mut staged: watch::Receiver<Stage>,
) where
    H: Fn(Request<Body>) -> F,
    F: Future<Output = Response<Body>>,
{
    // An answer is written in one piece; waiting for more would only delay it.
    let _ = stream.set_nodelay(true);
    let address = ClientAddress(peer.ip().to_canonical());
    let service = service_fn(move |request: Request<Incoming>| {
        let path = request.uri().path();
        let is_upload = request.method() == http::Method::PUT
            && (path.starts_with(crate::blobs::PREFIX) || path.ends_with("/audio"));
        let mut request = request.map(|body| {
            Body::new(TimedBody {
                body,
                is_upload,
                deadline: None,
            })
        });
        request.extensions_mut().insert(address);
        let answer = handler(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let io = TimedWrites {
        stream: TokioIo::new(stream),
        deadline: None,
    };
    let mut connection = std::pin::pin!(http.serve_connection(io, service));
    loop {
        let stage = {
            let mut changed = std::pin::pin!(staged.changed());
            tokio::select! {
                biased;
                // What goes wrong here is the client's affair: it went away, or does not speak HTTP.
                _ = connection.as_mut() => return,
                changed = changed.as_mut() => changed.is_ok(),
            }
        };
        if !stage || *staged.borrow_and_update() == Stage::Cut {
            return;
        }
        connection.as_mut().graceful_shutdown();
    }
}

/// A body that must come to its end in time, or an upload whose pieces must. The clock starts when it
/// first keeps the handler waiting, so that a body that came with its head costs no timer.
struct TimedBody {
    body: Incoming,
    is_upload: bool,
    deadline: Option<Pin<Box<Sleep>>>,
}

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
enum BodyError {
    #[error(transparent)]
    Http(#[from] hyper::Error),
    #[error("the body took too long")]
    TooSlow,
}

impl hyper::body::Body for TimedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            if self.is_upload {
                self.deadline = None;
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Http)));
        }
        let limit = if self.is_upload {
            PIECE_TIMEOUT
        } else {
            BODY_TIMEOUT
        };
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Some(Err(BodyError::TooSlow)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection whose client must take in what is written. The clock runs only while it does not.
struct TimedWrites {
    stream: TokioIo<TcpStream>,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl TimedWrites {
    fn timed<T>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TokioIo<TcpStream>>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(written) = write(Pin::new(&mut self.stream), cx) {
            self.deadline = None;
            return Poll::Ready(written);
        }
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(WRITE_TIMEOUT)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Read for TimedWrites {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl Write for TimedWrites {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.timed(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.timed(cx, |stream, cx| stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.timed(cx, Write::poll_flush)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.timed(cx, Write::poll_shutdown)
    }
}
