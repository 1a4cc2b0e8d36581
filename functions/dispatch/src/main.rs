//! The `dispatch` function on AWS Lambda.

use std::process::ExitCode;

fn main() -> ExitCode {
    ringfence_lambda::queue(ringfence_dispatch::consumer)
}
