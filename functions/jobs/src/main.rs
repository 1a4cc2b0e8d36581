//! The `jobs` function on AWS Lambda.

use std::process::ExitCode;

fn main() -> ExitCode {
    ringfence_lambda::with_blobs().queue(ringfence_jobs::consumer)
}
