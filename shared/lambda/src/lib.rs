//! The functions as AWS Lambda runs them: what all their binaries share.
//!
//! A binary is one line: [`http`] with a router, [`queue`] with a consumer, or [`schedule`] with what
//! is due. Each builds the [`App`](ringfence_domain::App) over AWS from the environment (see
//! [`app::from_env`]), sends nothing before the first event, and then works on one event at a time, as
//! Lambda hands them over.
//!
//! Logs are JSON lines on standard output, with the id of the request that they belong to. A panic is
//! logged by its place alone, and costs the request or message that it happened in, nothing else.

pub mod app;
mod gateway;
mod invocation;
mod log;
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

use crate::app::StartError;

/// Answers requests that API Gateway hands over (HTTP API, payload format 2.0) with the routes of a
/// function.
pub fn http(of_function: impl FnOnce() -> Router<AppState>) -> ExitCode {
    http_or(of_function, async |_, _: NoOrder| Ok::<_, Infallible>(()))
}

/// As [`http`], and takes orders, which are events of their own: what whoever may invoke the function
/// itself (`lambda:InvokeFunction`) can ask of it, and nobody through API Gateway. An event that is no
/// request is an order where it reads as an `O`, which had better deny unknown fields.
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
    start(|app| {
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
                    tracing::error!("the event is no request of an HTTP API in payload format 2.0");
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

/// Hands batches of an SQS queue to a consumer, each message by itself and all at once, and answers
/// with those that failed (partial batch response).
///
/// A message fails where the consumer says so, where it panics, where the body is none of ours, and
/// where the function's time is over before its work is: it becomes visible again and is tried anew.
pub fn queue<C: Consumer + 'static>(consumer: impl FnOnce(Arc<App>) -> C) -> ExitCode {
    start(|app| {
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
pub fn schedule<F, T, E>(run: impl Fn(Arc<App>) -> F + Send + Sync + 'static) -> ExitCode
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: std::error::Error + Send + 'static,
{
    start(|app| {
        let run = Arc::new(run);
        move |event: LambdaEvent<Box<RawValue>>| {
            let (app, run) = (Arc::clone(&app), Arc::clone(&run));
            let left = invocation::time_left(event.context.deadline, app.clock.now());
            async move { invocation::bounded(run(app), left).await }
        }
    })
}

/// Builds the app and the handler, and gives it events until the process ends.
fn start<H, F, T>(handler: impl FnOnce(Arc<App>) -> H) -> ExitCode
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
            let handler = handler(Arc::new(app::from_env()?));
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
