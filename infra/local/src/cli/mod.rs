//! The command line.

mod args;
mod client;
mod demo;
mod failure;
mod history;
mod invite;
mod key;
mod listen;
mod log;
mod outbox;
mod receiver;
mod rotate_key;
mod serve;

use std::process::ExitCode;

use clap::Parser as _;

use self::{
    args::{Args, Command},
    failure::Failure,
};

/// Reads the command line and does what it says.
pub fn run() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return failure::usage(&error),
    };
    log::silence_panics();
    let done = match args.command {
        None => run_async(serve::serve(args.serve)),
        Some(Command::Serve(serve)) => run_async(serve::serve(serve)),
        Some(Command::Key(key)) => run_async(key::key(key)),
        Some(Command::RotateKey(folder)) => rotate_key::rotate_key(&folder),
        Some(Command::History(history)) => history::history(history),
        Some(Command::Invite(args)) => run_async(invite::invite(args)),
        Some(Command::Outbox(outbox)) => outbox::outbox(&outbox),
        Some(Command::Listen(listen)) => run_async(listen::listen(listen)),
        Some(Command::Demo(demo)) => run_async(demo::demo(demo)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("ringfence: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run_async(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?
        .block_on(work)
}
