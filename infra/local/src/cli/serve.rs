//! `ringfence serve`

use std::{io::Write as _, path::Path};

use ringfence_embedded::SmtpServer;
pub use ringfence_local::origin_of;
use ringfence_local::{Config, Drained, MailConfig, Running};
use ringfence_webhook::Subnet;
use tokio::signal::unix::{SignalKind, signal};

use super::{args::Serve, failure::Failure, log};

/// The data folder unless one is named.
const DEFAULT_DATA: &str = "./data";

/// A file of events that the source tree has.
const SAMPLE_FILE: &str = "events/ingest/freeswitch-cdr.json";

/// Serves until it is told to stop.
pub async fn serve(args: Serve) -> Result<(), Failure> {
    log::start(args.log, args.log_level);
    // Before the folder is touched, so that no signal finds it half done.
    let mut signals = Signals::new()?;
    let config = Config {
        listen: args.listen,
        allow_subnets: args.allow_subnets.clone(),
        public_url: args.public_url.clone(),
        mail: mail(&args)?,
        ..Config::new(&args.data)
    };
    let running = ringfence_local::start(config).await?;
    // Who started it may have closed standard output; that is no reason to stop.
    let _ = std::io::stdout().write_all(greeting(&running, &args).as_bytes());

    signals.received().await;
    say("\nStopping: what is in flight gets up to 10 seconds. Ctrl-C again stops at once.");
    tokio::select! {
        drained = running.shutdown() => say(match drained {
            Drained::Whole => "Stopped. Everything accepted is on disk.",
            Drained::Cut => "Stopped; some requests were cut off. Everything accepted is on disk.",
        }),
        () = signals.received() => {
            say("Stopped at once. Everything accepted is on disk.");
            std::process::exit(130);
        }
    }
    Ok(())
}

/// How mail is sent.
fn mail(args: &Serve) -> Result<MailConfig, Failure> {
    let Some(url) = &args.smtp_url else {
        return Ok(MailConfig {
            from: args.mail_from.clone(),
            ..MailConfig::default()
        });
    };
    let mut server: SmtpServer = url.reveal().parse().map_err(Failure::Smtp)?;
    if let Some(file) = &args.smtp_ca {
        let pem = std::fs::read(file).map_err(|_| Failure::NoFile(file.clone()))?;
        server = server.trusting(pem).map_err(Failure::Smtp)?;
    }
    // A server that carries mail on takes it from an address that is known to it.
    let from = args.mail_from.clone().ok_or(Failure::NoSender)?;
    Ok(MailConfig {
        server: Some(server),
        from: Some(from),
    })
}

/// Ctrl-C and SIGTERM.
pub struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Takes them over from the system, which would end the process.
    pub fn new() -> Result<Self, Failure> {
        let take = |kind| signal(kind).map_err(Failure::Runtime);
        Ok(Self {
            interrupt: take(SignalKind::interrupt())?,
            terminate: take(SignalKind::terminate())?,
        })
    }

    /// The next one.
    pub async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// A line on standard output, if that is still there.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn greeting(running: &Running, args: &Serve) -> String {
    let origin = args
        .public_url
        .clone()
        .unwrap_or_else(|| origin_of(running.address));
    let folder = std::fs::canonicalize(&args.data).unwrap_or_else(|_| args.data.clone());
    let data = shell_word(&args.data.to_string_lossy());
    let mut lines = vec![
        format!("Ringfence {} is running.", env!("CARGO_PKG_VERSION")),
        String::new(),
        format!("  Address   {origin}"),
        format!("  API       {origin}/docs"),
        format!("  Data      {}", folder.display()),
        format!(
            "  Mail      {}  (see them: ringfence outbox{})",
            running.post,
            of_folder(args, &data)
        ),
        format!("  Login     {origin}/login"),
    ];
    if let Some(account) = &running.sample.account {
        let what = if running.sample.new_key.is_some() {
            "a sample, made just now"
        } else {
            "the first one"
        };
        lines.push(format!("  Account   {account}  ({what})"));
    }
    match &running.sample.new_key {
        Some(key) => lines.push(format!("  API key   {}  (shown only this once)", key.reveal())),
        None => lines.push(format!(
            "  API key   shown at the first start; if lost, stop this and run: ringfence key new --data {data}"
        )),
    }
    if running.sample.new_key.is_some() {
        lines.push(format!(
            "  People    nobody can log in yet; stop this and run: ringfence invite you@example.com{}",
            of_folder(args, &data)
        ));
    }
    lines.extend(reach(running, args, &origin));
    if !args.allow_subnets.is_empty() {
        lines.push(format!(
            "  Warning   callbacks may also go to {}  (--allow-subnet)",
            list(&args.allow_subnets)
        ));
    }
    if let Some(account) = &running.sample.account {
        lines.push(String::new());
        lines.push(
            match running.sample.new_key {
                Some(_) => "Post a first event, from another terminal:",
                None => {
                    "Post an event, from another terminal that has the API key in RINGFENCE_KEY:"
                }
            }
            .to_owned(),
        );
        lines.push(String::new());
        lines.push(format!("  export RINGFENCE_ACCOUNT={account}"));
        if let Some(key) = &running.sample.new_key {
            lines.push(format!("  export RINGFENCE_KEY={}", key.reveal()));
        }
        lines.extend(first_request(&origin));
    }
    lines.push(String::new());
    lines.push("Ctrl-C stops it.".to_owned());
    lines.push(String::new());
    lines.join("\n")
}

/// Which folder a command is for, unless it is the one that it takes anyway.
fn of_folder(args: &Serve, data: &str) -> String {
    if args.data == Path::new(DEFAULT_DATA) {
        String::new()
    } else {
        format!(" --data {data}")
    }
}

/// What somebody has to know who wants to reach it from elsewhere, and has not said how.
fn reach(running: &Running, args: &Serve, origin: &str) -> Vec<String> {
    let mut lines = Vec::new();
    if args.public_url.is_some() {
        return lines;
    }
    let is_elsewhere = !running.address.ip().is_loopback();
    if is_elsewhere {
        lines.push(
            "  Warning   people elsewhere can log in and give PINs over HTTPS only: put a proxy with TLS before this, and set"
                .to_owned(),
        );
        lines.push(
            "            --public-url https://…; on a network that you trust, --public-url http://HOST:PORT does without"
                .to_owned(),
        );
    }
    if is_elsewhere || running.post.server.is_some() {
        lines.push(format!(
            "  Warning   links in mails and callbacks lead to {origin}, which is this machine: set --public-url"
        ));
    }
    lines
}

/// A `curl` to copy: with a file where the source tree is at hand, else with an event of its own.
fn first_request(origin: &str) -> Vec<String> {
    let (path, data) = if Path::new(SAMPLE_FILE).exists() {
        ("ingest/freeswitch", format!("--data-binary @{SAMPLE_FILE}"))
    } else {
        let event = r#"{"type":"cdr.created","id":"first","data":{"call_id":"call-1","from":"+14155550123","to":"+14155550100","started_at":"2026-01-31T09:14:55Z","duration":42,"disposition":"answered"}}"#;
        ("events", format!("-d '{event}'"))
    };
    vec![
        format!("  curl {origin}/v1/accounts/$RINGFENCE_ACCOUNT/{path} \\"),
        "    -H \"Authorization: Bearer $RINGFENCE_KEY\" -H 'Content-Type: application/json' \\"
            .to_owned(),
        format!("    {data}"),
    ]
}

fn list(subnets: &[Subnet]) -> String {
    subnets
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// As a shell takes it for one word.
fn shell_word(text: &str) -> String {
    let is_plain = !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | '~'));
    if is_plain {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_copied_survives_the_shell() {
        assert_eq!(shell_word("./data"), "./data");
        assert_eq!(shell_word("my data"), "'my data'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(
            origin_of(([0, 0, 0, 0], 8080).into()),
            "http://127.0.0.1:8080"
        );
        assert_eq!(origin_of("[::]:1".parse().unwrap()), "http://[::1]:1");
    }
}
