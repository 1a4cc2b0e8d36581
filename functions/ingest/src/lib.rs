//! The `ingest` function: takes call events in, Ringfence's own or a known platform's, stores each
//! once and queues it for the callback that wants it. What it answers 202 to is durable.

mod answer;
mod event_types;
mod events;
mod platforms;

/// The largest request, in bytes.
pub const MAX_BODY_BYTES: usize = 5 * 1024 * 1024;

ringfence_http::routes! {
    events::post,
    platforms::freeswitch::post,
    platforms::twilio::post,
    platforms::connect::post,
    platforms::asterisk::post,
    event_types::list::get,
    event_types::one::get,
}
