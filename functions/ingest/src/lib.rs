//! The `ingest` function: takes call events in, Ringfence's own or a known platform's, stores each
//! once and queues it for the callback that wants it. What it answers 202 to is durable.

mod answer;
mod event_types;
mod events;
mod platforms;

use ringfence_http::AppState;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The largest request, in bytes.
pub const MAX_BODY_BYTES: usize = 5 * 1024 * 1024;

/// The routes of this function.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(events::post))
        .routes(routes!(platforms::freeswitch::post))
        .routes(routes!(platforms::twilio::post))
        .routes(routes!(platforms::connect::post))
        .routes(routes!(platforms::asterisk::post))
        .routes(routes!(event_types::list::get))
        .routes(routes!(event_types::one::get))
}
