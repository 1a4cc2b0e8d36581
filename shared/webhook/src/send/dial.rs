//! Seeing, from outside reqwest, what the connection of one message is doing.
//!
//! reqwest tells neither when a connection stands nor whether an error came on a fresh one or on an
//! idle one. Both matter here: each phase has its own deadline, and only a message that met a dead
//! idle connection is sent again. A layer around reqwest's connector knows, and since a connection is
//! opened by the task whose message needs it, a task-local leads from there to the message.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::time::Instant;
use tower::{Layer, Service};

tokio::task_local! {
    /// The message that the current poll of the current task is about.
    pub(super) static DIAL: Arc<Dial>;
}

/// What became of the connection of one message.
#[derive(Debug, Default)]
pub(super) struct Dial {
    started: AtomicBool,
    done: OnceLock<Instant>,
}

impl Dial {
    /// Whether a connection is being opened for the message.
    pub(super) fn is_open(&self) -> bool {
        self.started.load(Ordering::Relaxed) && self.done.get().is_none()
    }

    /// When the connection that was opened for the message stood. `None` where it travels on one
    /// that was there already.
    pub(super) fn done(&self) -> Option<Instant> {
        self.done.get().copied()
    }
}

/// Puts a [`Dialer`] around reqwest's connector.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch;

impl<S> Layer<S> for Watch {
    type Service = Dialer<S>;

    fn layer(&self, connector: S) -> Dialer<S> {
        Dialer(connector)
    }
}

/// A connector that keeps the [`Dial`] of the message that it connects for.
#[derive(Clone, Debug)]
pub(super) struct Dialer<S>(S);

impl<S, R> Service<R> for Dialer<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let connecting = self.0.call(request);
        // A connection that becomes free meanwhile may take the message. Then this future goes on in
        // a task of its own, so it must not look for the message later.
        let dial = DIAL.try_with(Arc::clone).ok();
        if let Some(dial) = &dial {
            dial.started.store(true, Ordering::Relaxed);
        }
        Box::pin(async move {
            let connection = connecting.await?;
            if let Some(dial) = dial {
                let _ = dial.done.set(Instant::now());
            }
            Ok(connection)
        })
    }
}
