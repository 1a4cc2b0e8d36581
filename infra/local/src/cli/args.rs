//! What can be said on the command line, and in the environment.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand, ValueEnum};
use ringfence_domain::{access::Scope, id};
use ringfence_ports::Mailbox;
use ringfence_webhook::{Subnet, Verifier};

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "ringfence",
    version,
    about = "Call events in, signed callbacks out: the whole of Ringfence on one port and one data folder.\n\n\
             Without a command it serves. A new data folder gets a sample account, and the terminal shows\n\
             an API key and a first request to try.",
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = "Each option is also an environment variable, named beside it. A list is separated by commas.\n\
                  ringfence COMMAND --help tells more about a command. See it at work: ringfence demo"
)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Without a command: serve.
    #[command(flatten)]
    pub serve: Serve,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve: take in events and deliver callbacks (the default)
    Serve(Serve),
    /// Make, list and revoke API keys, while the server is stopped
    #[command(subcommand)]
    Key(Key),
    /// Add a master key, while the server is stopped: everything is sealed under it from then on
    RotateKey(Folder),
    /// Verify an exported change history, offline
    #[command(subcommand)]
    History(History),
    /// Invite an administrator, while the server is stopped: the first one, who invites all others
    Invite(Invite),
    /// Show the mails and texts that became files, because no mail server is set
    Outbox(Outbox),
    /// Receive callbacks, verify their signatures and print them: an integrator's receiver
    Listen(Listen),
    /// Play a day of a small call centre and watch its callbacks arrive
    Demo(Demo),
}

/// Options of `serve`.
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// The data folder; made if there is none
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = "./data",
        env = "RINGFENCE_DATA",
        hide_env_values = true
    )]
    pub data: PathBuf,
    /// The address and port to listen on
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080",
        env = "RINGFENCE_LISTEN",
        hide_env_values = true,
        value_parser = address
    )]
    pub listen: SocketAddr,
    /// Subnets that callbacks may go to beside public addresses.
    #[arg(
        long = "allow-subnet",
        help = "Also send callbacks to this subnet, such as 127.0.0.0/8\n(repeatable; off unless given)",
        value_name = "CIDR",
        env = "RINGFENCE_ALLOW_SUBNET",
        hide_env_values = true,
        value_delimiter = ',',
        value_parser = subnet
    )]
    pub allow_subnets: Vec<Subnet>,
    /// Its own address as the world sees it.
    #[arg(long, help = "The address under which the world reaches this server,\nsuch as https://calls.example.com", value_name = "URL", env = "RINGFENCE_PUBLIC_URL", hide_env_values = true, value_parser = origin)]
    pub public_url: Option<String>,
    /// The server that mail goes to.
    #[arg(
        long,
        help = "The server that mail goes to, such as smtps://USER:PASSWORD@mail.example.com\n(better in the environment, where no list of processes shows it; unless given,\nmail becomes files in the data folder: ringfence outbox)",
        value_name = "URL",
        env = "RINGFENCE_SMTP_URL",
        hide_env_values = true
    )]
    pub smtp_url: Option<SecretUrl>,
    /// Who else may vouch for that server.
    #[arg(
        long,
        help = "A file of certificate authorities (PEM) that may vouch for that server too",
        value_name = "FILE",
        env = "RINGFENCE_SMTP_CA",
        hide_env_values = true
    )]
    pub smtp_ca: Option<PathBuf>,
    /// Who mail is from.
    #[arg(long, help = "Who mail is from, such as 'Ringfence <ringfence@example.com>'", value_name = "SENDER", env = "RINGFENCE_MAIL_FROM", hide_env_values = true, value_parser = mailbox)]
    pub mail_from: Option<Mailbox>,
    /// How logs are written (to standard error)
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text, env = "RINGFENCE_LOG", hide_env_values = true)]
    pub log: LogFormat,
    /// The least important thing that is logged
    #[arg(
        long,
        value_name = "LEVEL",
        value_enum,
        default_value_t = LogLevel::Warn,
        env = "RINGFENCE_LOG_LEVEL",
        hide_env_values = true
    )]
    pub log_level: LogLevel,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// What is logged.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

/// Commands about API keys.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Make an API key and show it, once
    New(NewKey),
    /// List the API keys, without their secrets
    List(ListKeys),
    /// Revoke an API key
    Revoke(RevokeKey),
}

/// Options of `key new`.
#[derive(Debug, clap::Args)]
pub struct NewKey {
    /// The data folder
    #[command(flatten)]
    pub folder: Folder,
    /// Whose key
    #[command(flatten)]
    pub owner: KeyOwner,
    /// A name to know it by
    #[arg(
        long,
        default_value = "Made on the command line",
        env = "RINGFENCE_KEY_NAME",
        hide_env_values = true
    )]
    pub name: String,
    /// What it allows.
    #[arg(
        long = "scope",
        help = "What it allows, such as events:write\n(repeatable; everything unless given)",
        value_name = "SCOPE",
        env = "RINGFENCE_KEY_SCOPE",
        hide_env_values = true,
        value_delimiter = ',',
        value_parser = scope
    )]
    pub scopes: Vec<Scope>,
}

/// Options of `key list`.
#[derive(Debug, clap::Args)]
pub struct ListKeys {
    /// The data folder
    #[command(flatten)]
    pub folder: Folder,
    /// Whose keys
    #[command(flatten)]
    pub owner: KeyOwner,
}

/// Options of `key revoke`.
#[derive(Debug, clap::Args)]
pub struct RevokeKey {
    /// The key's id, `key_…`
    pub id: String,
    /// The data folder
    #[command(flatten)]
    pub folder: Folder,
    /// Whose key
    #[command(flatten)]
    pub owner: KeyOwner,
}

/// A data folder that exists.
#[derive(Debug, clap::Args)]
pub struct Folder {
    /// The data folder
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = "./data",
        env = "RINGFENCE_DATA",
        hide_env_values = true
    )]
    pub data: PathBuf,
}

/// Whose key.
#[derive(Debug, clap::Args)]
pub struct KeyOwner {
    /// Whose key.
    #[arg(long, help = "An agency or account (agy_… or acc_…) whose key it is,\ninstead of the operator's", value_name = "ID", env = "RINGFENCE_KEY_OWNER", hide_env_values = true, value_parser = owner)]
    pub owner: Option<String>,
}

/// Commands about change histories.
#[derive(Debug, Subcommand)]
pub enum History {
    /// Check that every entry is as it was recorded, and name the first that is not
    Verify(Verify),
}

/// Options of `history verify`. One of the two must be there: a file that nothing vouches for is none.
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// The file, as …/history/export gives it; - for standard input
    pub file: PathBuf,
    /// What to trust.
    #[arg(
        long,
        help = "The public key that checkpoints are signed with:\na file from /v1/history/keys, or the key's x",
        value_name = "KEY",
        env = "RINGFENCE_HISTORY_KEY",
        hide_env_values = true
    )]
    pub key: Option<String>,
    /// What was kept.
    #[arg(
        long,
        help = "A checkpoint that you kept: a file from …/history/checkpoint",
        value_name = "FILE",
        env = "RINGFENCE_HISTORY_CHECKPOINT",
        hide_env_values = true
    )]
    pub checkpoint: Option<PathBuf>,
}

/// Options of `outbox`.
#[derive(Debug, clap::Args)]
pub struct Outbox {
    /// The message to show, by its name in the list; unless given, the list is shown
    pub message: Option<String>,
    /// The data folder
    #[command(flatten)]
    pub folder: Folder,
}

/// Options of `invite`.
#[derive(Debug, clap::Args)]
pub struct Invite {
    /// The person's mail address
    pub email: String,
    /// The data folder
    #[command(flatten)]
    pub folder: Folder,
    /// Of what an administrator.
    #[arg(long, help = "An agency or account (agy_… or acc_…) that the person administers,\ninstead of being one of the operator's team", value_name = "ID", env = "RINGFENCE_INVITE_OWNER", hide_env_values = true, value_parser = owner)]
    pub owner: Option<String>,
    /// The person's name; it can be changed when the invitation is accepted
    #[arg(long, env = "RINGFENCE_INVITE_NAME", hide_env_values = true)]
    pub name: Option<String>,
    /// Where the link leads: the server's address as the person sees it
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8080",
        env = "RINGFENCE_PUBLIC_URL",
        hide_env_values = true
    )]
    pub public_url: String,
}

/// Options of `listen`.
#[derive(Debug, clap::Args)]
pub struct Listen {
    /// The address and port to listen on
    #[arg(
        long = "listen",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:9090",
        env = "RINGFENCE_RECEIVER_LISTEN",
        hide_env_values = true,
        value_parser = address
    )]
    pub address: SocketAddr,
    /// What to verify with.
    #[arg(
        long = "secret",
        help = "A signing secret (whsec_…) or public key (whpk_…) to verify with\n(repeatable)",
        value_name = "SECRET",
        env = "RINGFENCE_RECEIVER_SECRET",
        hide_env_values = true,
        value_delimiter = ',',
        value_parser = verifier
    )]
    pub secrets: Vec<Verifier>,
    /// Answer this status instead of 204, to see retries
    #[arg(
        long,
        value_name = "STATUS",
        env = "RINGFENCE_RECEIVER_FAIL",
        hide_env_values = true,
        value_parser = clap::value_parser!(u16).range(200..=599)
    )]
    pub fail: Option<u16>,
    /// Answer this many milliseconds late
    #[arg(
        long,
        value_name = "MS",
        default_value_t = 0,
        env = "RINGFENCE_RECEIVER_DELAY",
        hide_env_values = true
    )]
    pub delay: u64,
}

/// Options of `demo`.
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// Where to keep what happens.
    #[arg(
        long,
        help = "Keep what happens in this folder, which must be new\n(else a temporary one is made, and removed at the end)",
        value_name = "FOLDER",
        env = "RINGFENCE_DEMO_DATA",
        hide_env_values = true
    )]
    pub data: Option<PathBuf>,
    /// Do not wait between calls
    #[arg(long, env = "RINGFENCE_DEMO_FAST", hide_env_values = true)]
    pub fast: bool,
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_| "expected an IP address and a port, like 127.0.0.1:8080 or [::]:8080")
}

fn subnet(text: &str) -> Result<Subnet, String> {
    text.parse()
        .map_err(|error: ringfence_webhook::target::SubnetError| error.to_string())
}

fn verifier(text: &str) -> Result<Verifier, String> {
    text.parse()
        .map_err(|error: ringfence_webhook::sign::KeyError| error.to_string())
}

fn origin(text: &str) -> Result<String, &'static str> {
    const WRONG: &str =
        "expected http:// or https:// and a host, without path, like https://calls.example.com";
    let url = url::Url::parse(text).map_err(|_| WRONG)?;
    let is_origin = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none();
    if is_origin {
        Ok(url.origin().ascii_serialization())
    } else {
        Err(WRONG)
    }
}

/// A URL with a password in it. Nothing shows it, not even the error that it is none.
#[derive(Clone)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// The URL.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl std::fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretUrl")
    }
}

fn mailbox(text: &str) -> Result<Mailbox, &'static str> {
    Mailbox::parse(text).ok_or(
        "expected a mail address, with or without a name: 'Ringfence <ringfence@example.com>'",
    )
}

fn scope(name: &str) -> Result<Scope, String> {
    Scope::ALL
        .into_iter()
        .find(|scope| scope.as_str() == name)
        .ok_or_else(|| {
            let names: Vec<_> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
            format!("expected one of {}", names.join(", "))
        })
}

fn owner(text: &str) -> Result<String, &'static str> {
    if id::Kind::Agency.matches(text) || id::Kind::Account.matches(text) {
        Ok(text.to_owned())
    } else {
        Err("expected the id of an agency (agy_…) or account (acc_…)")
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_option_has_an_environment_variable() {
        fn check(command: &clap::Command) {
            for option in command
                .get_arguments()
                .filter(|one| one.get_long().is_some())
            {
                let is_own = !matches!(option.get_id().as_str(), "help" | "version");
                assert_eq!(
                    option.get_env().is_some(),
                    is_own,
                    "{} {option}",
                    command.get_name()
                );
            }
            command.get_subcommands().for_each(check);
        }
        check(&Args::command());
    }

    #[test]
    fn a_public_url_is_an_origin() {
        assert_eq!(
            origin("https://calls.example.com/").unwrap(),
            "https://calls.example.com"
        );
        assert_eq!(
            origin("http://127.0.0.1:8080").unwrap(),
            "http://127.0.0.1:8080"
        );
        for wrong in [
            "calls.example.com",
            "https://a/path",
            "https://u:p@a",
            "ftp://a",
            "https://a/?x",
        ] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
    }
}
