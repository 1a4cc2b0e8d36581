//! The functions as AWS Lambda runs them: what all their binaries share.
//!
//! A binary is one line: [`http`] with a router, [`queue`] with a consumer, or [`schedule`] with what
//! is due, where it needs more than the table [`with_blobs`] before it. Each builds the
//! [`App`](ringfence_domain::App) over AWS from the environment (module [`app`]), sends nothing before the
//! first event, and then works on one event at a time, as Lambda hands them over.
//!
//! Logs are JSON lines on standard output, with the id of the request that they belong to. A panic is
//! logged by its place alone, and costs the request or message that it happened in, nothing else.

pub mod app;
mod gateway;
mod invocation;
mod log;
mod objects;
mod sqs;

use std::{convert::Infallible, future::Future, process::ExitCode, sync::Arc, time::Duration};

use axum::Router;
use lambda_runtime::{LambdaEvent, Runtime, service_fn};
use ringfence_domain::App;
use ringfence_http::AppState;
use ringfence_ports::Consumer;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tracing::Instrument as _;

pub use invocation::EventError;

use crate::app::{Addition, StartError};

/// A function's binary: what it needs, and then what it takes. The functions of this crate that have the
/// same names are those of a function that needs nothing but the table, the queues and the keys.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Function {
    additions: Vec<Addition>,
}

/// A function that needs the bucket of recordings, which `RINGFENCE_BUCKET` names.
pub fn with_blobs() -> Function {
    Function::default().with(app::blobs)
}

/// [`Function::http`].
pub fn http(of_function: impl FnOnce() -> Router<AppState>) -> ExitCode {
    Function::default().http(of_function)
}

/// [`Function::http_or`].
pub fn http_or<O, F, T, E>(
    of_function: impl FnOnce() -> Router<AppState>,
    order: impl Fn(Arc<App>, O) -> F + Send + Sync + 'static,
) -> ExitCode
where
    O: DeserializeOwned + Send,
    F: Future<Output = Result<T, E>> + Send,
    T: Serialize + Send,
    E: std::error::Error,
{
    Function::default().http_or(of_function, order)
}

/// [`Function::queue`].
pub fn queue<C: Consumer + 'static>(consumer: impl FnOnce(Arc<App>) -> C) -> ExitCode {
    Function::default().queue(consumer)
}

/// [`Function::schedule`].
pub fn schedule<F, T, E>(run: impl Fn(Arc<App>) -> F + Send + Sync + 'static) -> ExitCode
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: std::error::Error + Send + 'static,
{
    Function::default().schedule(run)
}

impl Function {
    fn with(mut self, addition: Addition) -> Self {
        self.additions.push(addition);
        self
    }

    /// Answers requests that API Gateway hands over (HTTP API, payload format 2.0) with the routes of a
    /// function.
    pub fn http(self, of_function: impl FnOnce() -> Router<AppState>) -> ExitCode {
        self.http_or(of_function, async |_, _: NoOrder| Ok::<_, Infallible>(()))
    }

    /// As [`Function::http`], and takes orders, which are events of their own: what whoever may invoke the
    /// function itself (`lambda:InvokeFunction`) can ask of it, and nobody through API Gateway. An event
    /// that is no request is an order where it reads as an `O`, which had better deny unknown fields.
    pub fn http_or<O, F, T, E>(
        self,
        of_function: impl FnOnce() -> Router<AppState>,
        order: impl Fn(Arc<App>, O) -> F + Send + Sync + 'static,
    ) -> ExitCode
    where
        O: DeserializeOwned + Send,
        F: Future<Output = Result<T, E>> + Send,
        T: Serialize + Send,
        E: std::error::Error,
    {
        self.start(|app| {
            let router = of_function().with_state(Arc::clone(&app));
            let order = Arc::new(order);
            move |event: LambdaEvent<Box<RawValue>>| {
                let (app, router, order) = (Arc::clone(&app), router.clone(), Arc::clone(&order));
                async move {
                    let event = event.payload.get();
                    if let Some(request) = gateway::request_in(event) {
                        return gateway::answer(&router, request).await.map(Either::Answer);
                    }
                    let Ok(ordered) = serde_json::from_str(event) else {
                        tracing::error!(
                            "the event is no request of an HTTP API in payload format 2.0"
                        );
                        return Err(EventError::Unknown);
                    };
                    order(app, ordered)
                        .await
                        .map(Either::Done)
                        .map_err(|error| {
                            tracing::error!(%error, "an order failed");
                            EventError::Failed
                        })
                }
            }
        })
    }

    /// As [`Function::http`], and hands the consumer what a queue tells of objects: S3's own notifications
    /// as the port's [`ObjectCreated`](ringfence_ports::ObjectCreated), other messages as they are, under
    /// the rules of [`Function::queue`].
    pub fn http_and_objects<C: Consumer + 'static>(
        self,
        of_function: impl FnOnce() -> Router<AppState>,
        consumer: impl FnOnce(Arc<App>) -> C,
    ) -> ExitCode {
        self.start(|app| {
            let clock = Arc::clone(&app.clock);
            let router = of_function().with_state(Arc::clone(&app));
            let consumer: Arc<dyn Consumer> = Arc::new(objects::Objects(consumer(app)));
            move |event: LambdaEvent<Box<RawValue>>| {
                let (router, consumer) = (router.clone(), Arc::clone(&consumer));
                let left = invocation::time_left(event.context.deadline, clock.now());
                async move {
                    let event = event.payload.get();
                    match gateway::request_in(event) {
                        Some(request) => {
                            gateway::answer(&router, request).await.map(Either::Answer)
                        }
                        None => sqs::consume(consumer, event, left).await.map(Either::Done),
                    }
                }
            }
        })
    }

    /// Hands batches of an SQS queue to a consumer, each message by itself and all at once, and answers
    /// with those that failed (partial batch response).
    ///
    /// A message fails where the consumer says so, where it panics, where the body is none of ours, and
    /// where the function's time is over before its work is: it becomes visible again and is tried anew.
    pub fn queue<C: Consumer + 'static>(self, consumer: impl FnOnce(Arc<App>) -> C) -> ExitCode {
        self.start(|app| {
            let clock = Arc::clone(&app.clock);
            let consumer: Arc<dyn Consumer> = Arc::new(consumer(app));
            move |event: LambdaEvent<Box<RawValue>>| {
                let consumer = Arc::clone(&consumer);
                let left = invocation::time_left(event.context.deadline, clock.now());
                async move { sqs::consume(consumer, event.payload.get(), left).await }
            }
        })
    }

    /// Does what is due each time a schedule fires; what its event says does not matter.
    ///
    /// An error, a panic and the end of the function's time make the invocation fail; the next run goes on
    /// with what is left.
    pub fn schedule<F, T, E>(self, run: impl Fn(Arc<App>) -> F + Send + Sync + 'static) -> ExitCode
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: std::error::Error + Send + 'static,
    {
        self.start(|app| {
            let run = Arc::new(run);
            move |event: LambdaEvent<Box<RawValue>>| {
                let (app, run) = (Arc::clone(&app), Arc::clone(&run));
                let left = invocation::time_left(event.context.deadline, app.clock.now());
                async move { invocation::bounded(run(app), left).await }
            }
        })
    }

    /// Builds the app and the handler, and gives it events until the process ends.
    fn start<H, F, T>(self, handler: impl FnOnce(Arc<App>) -> H) -> ExitCode
    where
        H: Fn(LambdaEvent<Box<RawValue>>) -> F,
        F: Future<Output = Result<T, EventError>> + Send,
        T: Serialize,
    {
        log::start();
        // One thread: a Lambda of less than 1,769 MB has less than one core, and what the functions do is
        // waiting. Starting a pool of threads is a fifth of a cold start.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .thread_keep_alive(Duration::from_secs(1))
            .build();
        let ended = runtime.map_err(StartError::Runtime).and_then(|runtime| {
            runtime.block_on(async {
                let handler = handler(Arc::new(app::from_env(&self.additions)?));
                let handler = service_fn(|event: LambdaEvent<Box<RawValue>>| {
                    let span =
                        tracing::error_span!("invocation", request_id = event.context.request_id);
                    handler(event).instrument(span)
                });
                Runtime::new(handler)
                    .run()
                    .await
                    .map_err(StartError::Events)
            })
        });
        match ended {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!(%error, "the function cannot run");
                ExitCode::FAILURE
            }
        }
    }
}

/// What nothing reads as.
#[derive(Deserialize)]
enum NoOrder {}

/// What a function that takes two kinds of events answers.
#[derive(Serialize)]
#[serde(untagged)]
enum Either<T> {
    Answer(gateway::Answer),
    Done(T),
}
