//! The pages.

use axum::Router;
use ringfence_http::AppState;

pub(crate) fn router() -> Router<AppState> {
    Router::new()
}
