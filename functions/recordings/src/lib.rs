//! The `recordings` function: register, upload and complete recordings, list and play them, make and
//! revoke links, and read who listened. Its queue tells it of objects that were created.

mod query;
mod recordings;

use std::sync::Arc;

use ringfence_domain::{App, recording::RecordingConsumer};
use ringfence_ports::Consumer;

ringfence_http::routes! {
    recordings::list::get,
    recordings::register::post,
    recordings::one::get,
    recordings::complete::post,
    recordings::audio::get,
    recordings::audio::put,
    recordings::key::get,
    recordings::pin::put,
    recordings::pin::delete,
    recordings::links::get,
    recordings::links::post,
    recordings::links::delete,
    recordings::link::delete,
    recordings::listens::get,
    recordings::rewrap::post,
}

/// Works on the queue of objects that may have become recordings.
pub fn consumer(app: Arc<App>) -> impl Consumer {
    RecordingConsumer::new(app)
}
