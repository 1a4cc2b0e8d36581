//! The `recordings` function: register, upload and complete recordings, list, play and redact them, make and
//! revoke links, and read who listened. Its queue tells it of objects that were created, and of redactions.

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
    recordings::redactions::get,
    recordings::redactions::post,
    recordings::redaction::get,
    recordings::original::get,
    recordings::original::delete,
}

/// Works on the queue of objects that may have become recordings, and of redactions.
pub fn consumer(app: Arc<App>) -> impl Consumer {
    RecordingConsumer::new(app)
}
