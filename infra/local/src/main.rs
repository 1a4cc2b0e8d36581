//! The `ringfence` binary: `serve` (what it does unless told otherwise), `key`, `listen`, `demo`.

mod cli;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
