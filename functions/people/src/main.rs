//! The `people` function on AWS Lambda.

use std::process::ExitCode;

fn main() -> ExitCode {
    ringfence_lambda::http(ringfence_people::plain_router)
}
