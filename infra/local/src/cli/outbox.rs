//! `ringfence outbox`: the mails and text messages that became files. The server may run meanwhile.

use std::sync::Arc;

use jiff::{Timestamp, tz::TimeZone};
use mail_parser::MessageParser;
use ringfence_embedded::Outbox;
use ringfence_local::mail::outbox_folder;
use ringfence_ports::SystemClock;

use super::{args, failure::Failure, serve::say};

/// Lists them, or shows one.
pub fn outbox(args: &args::Outbox) -> Result<(), Failure> {
    let data = &args.folder.data;
    if !data.is_dir() {
        return Err(Failure::NoFolder(data.clone()));
    }
    let outbox = Outbox::new(outbox_folder(data), Arc::new(SystemClock));
    match &args.message {
        None => list(&outbox),
        Some(name) => show(&outbox, name),
    }
}

fn list(outbox: &Outbox) -> Result<(), Failure> {
    let all = outbox.list().map_err(Failure::Outbox)?;
    if all.is_empty() {
        say("There is nothing here: nothing was sent yet, or mail goes by a mail server.");
    }
    for entry in all {
        // One may be removed meanwhile.
        let Ok(raw) = outbox.read(&entry.name) else {
            continue;
        };
        let (to, what) = about(&raw);
        say(&format!(
            "{}  {}\n    to {to}: {what}",
            entry.name,
            local(entry.at)
        ));
    }
    Ok(())
}

fn show(outbox: &Outbox, name: &str) -> Result<(), Failure> {
    let raw = outbox
        .read(name)
        .map_err(|_| Failure::NoSuch(name.to_owned()))?;
    let (to, what) = about(&raw);
    let text = match MessageParser::default().parse(&raw) {
        Some(mail) if mail.from().is_some() => {
            mail.body_text(0).unwrap_or_default().replace("\r\n", "\n")
        }
        _ => body_of_text(&raw),
    };
    say(&format!(
        "To: {to}\nSubject: {what}\n\n{}",
        printable(text.trim_end())
    ));
    Ok(())
}

/// To whom, and about what.
fn about(raw: &[u8]) -> (String, String) {
    match MessageParser::default().parse(raw) {
        Some(mail) if mail.from().is_some() => {
            let to = mail
                .to()
                .and_then(|to| to.first())
                .and_then(|to| to.address());
            (
                printable(to.unwrap_or_default()),
                printable(mail.subject().unwrap_or_default()),
            )
        }
        _ => {
            let text = String::from_utf8_lossy(raw);
            let to = text
                .lines()
                .next()
                .and_then(|line| line.strip_prefix("To: "));
            (
                printable(to.unwrap_or_default()),
                "a text message".to_owned(),
            )
        }
    }
}

/// The text of an SMS: behind the first line and an empty one.
fn body_of_text(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    text.split_once("\n\n")
        .map_or_else(String::new, |(_, body)| body.to_owned())
}

/// Without what a terminal would take for more than text.
fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() || *c == '\n')
        .collect()
}

fn local(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system())
        .strftime("%-d %B %Y, %H:%M:%S")
        .to_string()
}
