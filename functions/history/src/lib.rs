//! The `history` function: reads the change history of agencies and accounts.

mod accounts;
mod agencies;
mod page;
#[cfg(test)]
mod tests;

use ringfence_http::AppState;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of this function.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(accounts::account::history::get::get))
        .routes(routes!(agencies::agency::history::get::get))
}
