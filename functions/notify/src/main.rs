//! The `notify` function on AWS Lambda.

use std::process::ExitCode;

use ringfence_notify::aws::Sending;

fn main() -> ExitCode {
    match Sending::from_env() {
        Ok(sending) => ringfence_lambda::queue(|app| sending.consumer(app)),
        Err(error) => {
            // Logging starts with the runtime.
            eprintln!("the function cannot run: {error}");
            ExitCode::FAILURE
        }
    }
}
