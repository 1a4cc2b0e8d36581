//! The `ingest` function on AWS Lambda.

use std::process::ExitCode;

fn main() -> ExitCode {
    ringfence_lambda::http(ringfence_ingest::plain_router)
}
