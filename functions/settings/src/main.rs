//! The `settings` function on AWS Lambda: the routes, and the operator's first key for who invokes it.

use std::process::ExitCode;

use ringfence_settings::bootstrap::bootstrap;

fn main() -> ExitCode {
    ringfence_lambda::http_or(ringfence_settings::plain_router, async |app, order| {
        bootstrap(&app, order).await
    })
}
