//! The `ringfence` binary: `serve` (what it does unless told otherwise), `key`, `listen`, `demo`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
