//! The `activities` function: reads calls.

mod call;

use ringfence_http::AppState;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of this function.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(call::get))
}
