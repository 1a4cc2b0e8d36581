//! The `sweep` function on AWS Lambda.

use std::process::ExitCode;

fn main() -> ExitCode {
    ringfence_lambda::schedule(async |app| ringfence_sweep::run(&app).await)
}
