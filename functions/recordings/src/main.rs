//! The `recordings` function on AWS Lambda: the routes, and the queue that tells of objects.

use std::process::ExitCode;

fn main() -> ExitCode {
    ringfence_lambda::with_blobs().http_and_objects(
        ringfence_recordings::plain_router,
        ringfence_recordings::consumer,
    )
}
