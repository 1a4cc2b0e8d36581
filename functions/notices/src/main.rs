//! The `notices` function on AWS Lambda.

use std::process::ExitCode;

fn main() -> ExitCode {
    ringfence_lambda::http(ringfence_notices::plain_router)
}
