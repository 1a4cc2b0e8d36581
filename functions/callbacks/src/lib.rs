//! The `callbacks` function: the delivery log, and what people do with callbacks: test, pause, resume,
//! resend, replay.

mod callbacks;
mod deliveries;
mod job;
mod operational_events;
mod problem;

use ringfence_http::AppState;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of this function.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(callbacks::list::get))
        .routes(routes!(callbacks::test::post))
        .routes(routes!(callbacks::pause::post))
        .routes(routes!(callbacks::resume::post))
        .routes(routes!(callbacks::replay::post))
        .routes(routes!(deliveries::list::get))
        .routes(routes!(deliveries::one::get))
        .routes(routes!(deliveries::resend::post))
        .routes(routes!(job::get))
        .routes(routes!(operational_events::get))
}
