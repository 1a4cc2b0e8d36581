//! The `exports` function on AWS Lambda.

use std::process::ExitCode;

fn main() -> ExitCode {
    ringfence_lambda::with_blobs().http(ringfence_exports::plain_router)
}
