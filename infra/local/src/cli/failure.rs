//! Why a command ended badly: one line, with what to do.

use std::{io, path::PathBuf, process::ExitCode};

use clap::error::{ContextKind, ContextValue};
use ringfence_domain::people::PeopleError;
use ringfence_embedded::{OpenError, SmtpServerError};
use ringfence_local::StartError;
use ringfence_ports::StoreError;

use super::client::ClientError;

/// One line for the terminal.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    #[error(
        "{address} is in use by another program; choose another port with --listen {suggestion}"
    )]
    InUse {
        address: std::net::SocketAddr,
        suggestion: std::net::SocketAddr,
    },
    #[error("{}", folder_in_use(.0))]
    Held(PathBuf),
    #[error("{0}")]
    Start(StartError),
    #[error("there is no data folder at {}; a first start makes it", .0.display())]
    NoFolder(PathBuf),
    #[error("{} is not empty; the demo needs a new folder", .0.display())]
    NotNew(PathBuf),
    #[error("there is no {0} in this data folder")]
    NoSuch(String),
    #[error("{0}")]
    History(String),
    #[error("the data folder cannot be used: {0}")]
    Store(#[from] StoreError),
    #[error("nobody was invited: {0}")]
    People(#[from] PeopleError),
    #[error("--smtp-url (RINGFENCE_SMTP_URL): {0}")]
    Smtp(SmtpServerError),
    #[error(
        "mail needs a sender that the server takes it from: --mail-from 'Ringfence <ringfence@example.com>'"
    )]
    NoSender,
    #[error("{} cannot be read", .0.display())]
    NoFile(PathBuf),
    #[error("the outbox folder cannot be read: {0}")]
    Outbox(io::Error),
    #[error("the demo's own folder cannot be used: {0}")]
    Scratch(io::Error),
    #[error("the demo went wrong: {0}")]
    Api(#[from] ClientError),
    #[error("the demo went wrong: {0}")]
    Demo(String),
}

fn folder_in_use(folder: &std::path::Path) -> String {
    format!(
        "the data folder {} is in use by another ringfence; stop that one first, or choose another with --data",
        folder.display()
    )
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::InUse(address) => {
                let mut suggestion = address;
                suggestion.set_port(address.port().checked_add(1).unwrap_or(8081));
                Self::InUse {
                    address,
                    suggestion,
                }
            }
            StartError::Folder(OpenError::Held { folder }) => Self::Held(folder),
            other => Self::Start(other),
        }
    }
}

/// What clap has to say: help and version as they are, an error as one line.
pub fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // A closed pipe (`ringfence --help | head`) is nobody's error.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if let (Some(cause), Some(ContextValue::String(option))) = (
        std::error::Error::source(error),
        error.get(ContextKind::InvalidArg),
    ) {
        // clap's own text quotes the value, which may be a secret with a slip of the pen in it.
        let option = option.split(' ').next().unwrap_or(option);
        eprintln!("ringfence: {option}: {cause}");
        return ExitCode::from(2);
    }
    let text = error.render().to_string();
    let mut lines = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:"))
        .filter(|line| !line.is_empty() && !line.starts_with("For more information"));
    let first = lines.next().unwrap_or("bad usage");
    let mut line = first.strip_prefix("error: ").unwrap_or(first).to_owned();
    for more in lines {
        line.push_str(if line.ends_with(':') { " " } else { "; " });
        line.push_str(more.strip_prefix("tip: ").unwrap_or(more));
    }
    eprintln!("ringfence: {line} (ringfence --help lists what there is)");
    ExitCode::from(2)
}
