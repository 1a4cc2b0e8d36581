//! Mail and text messages: the ports' contract on the folder and on a mail server, and what a server
//! can do wrong.

mod smtp;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use mail_parser::{Address, MessageParser};
use ringfence_embedded::{Outbox, SmtpMail, SmtpServer};
use ringfence_ports::contract::{self, Arrived, Mailboxes, Phones, TestClock};
use ringfence_ports::{Email, Mail, Mailbox, SendError, TextMessage};
use smtp::{Behaviour, Server};

/// As another mail program reads it.
fn read(raw: &[u8]) -> Arrived {
    let message = MessageParser::default().parse(raw).expect("a message");
    let all = |address: Option<&Address<'_>>| -> Vec<(String, String)> {
        address
            .into_iter()
            .flat_map(|address| address.iter())
            .map(|one| {
                (
                    one.name().unwrap_or_default().to_owned(),
                    one.address().unwrap_or_default().to_owned(),
                )
            })
            .collect()
    };
    assert!(message.cc().is_none() && message.bcc().is_none());
    assert_eq!(message.attachment_count(), 0);
    Arrived {
        from: all(message.from()).remove(0),
        to: all(message.to()).into_iter().map(|(_, to)| to).collect(),
        reply_to: all(message.reply_to()).pop().map(|(_, to)| to),
        subject: message.subject().unwrap_or_default().to_owned(),
        text: lines(&message.body_text(0).unwrap_or_default()),
        html: lines(&message.body_html(0).unwrap_or_default()),
        message_id: message.message_id().map(str::to_owned),
    }
}

fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

struct Folder(Outbox);

#[async_trait]
impl Mailboxes for Folder {
    async fn of(&self, address: &str) -> Vec<Arrived> {
        let all = self.0.list().unwrap();
        all.iter()
            .filter(|entry| entry.name.ends_with(".eml"))
            .map(|entry| read(&self.0.read(&entry.name).unwrap()))
            .filter(|arrived| arrived.to.iter().any(|to| to == address))
            .collect()
    }
}

#[async_trait]
impl Phones for Folder {
    async fn of(&self, number: &str) -> Vec<String> {
        let all = self.0.list().unwrap();
        all.iter()
            .filter_map(|entry| {
                let content = String::from_utf8(self.0.read(&entry.name).unwrap()).unwrap();
                let text = content.strip_prefix(&format!("To: {number}\n\n"))?;
                Some(text.strip_suffix('\n').unwrap().to_owned())
            })
            .collect()
    }
}

fn outbox(folder: &Path) -> Outbox {
    Outbox::new(folder.join("outbox"), Arc::new(TestClock::default()))
}

fn email(id: &str, to: &str) -> Email {
    Email {
        id: id.to_owned(),
        from: Mailbox {
            name: None,
            address: "ringfence@example.com".to_owned(),
        },
        to: to.to_owned(),
        reply_to: None,
        subject: "Canary subject".to_owned(),
        text: "canary text\n".to_owned(),
        html: "<p>canary</p>\n".to_owned(),
    }
}

#[tokio::test]
async fn the_folder_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = outbox(folder.path());
    let mailboxes = Folder(outbox.clone());
    contract::mail(&outbox, &mailboxes, "o").await;
    contract::sms(&outbox, &mailboxes, "0199").await;
}

#[tokio::test]
async fn the_folder_takes_a_message_once_and_shows_it_to_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = outbox(folder.path());
    outbox.send_mail(&email("ntc_1", "a@example.com")).await;
    // What another try brings is the same message.
    outbox.send_mail(&email("ntc_1", "a@example.com")).await;
    let text = TextMessage {
        id: "ntc_2".to_owned(),
        to: "+14155550132".to_owned(),
        text: "hello".to_owned(),
    };
    ringfence_ports::Sms::send(&outbox, &text).await.unwrap();
    let names: Vec<_> = outbox
        .list()
        .unwrap()
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    assert_eq!(names, ["ntc_1.eml", "ntc_2.txt"]);
    for (path, mode) in [
        (outbox.folder().to_path_buf(), 0o700),
        (outbox.folder().join("ntc_1.eml"), 0o600),
        (outbox.folder().join("ntc_2.txt"), 0o600),
    ] {
        let found = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{}", path.display());
    }
    for name in [
        "../outbox/ntc_1.eml",
        "/etc/passwd",
        "ntc_1",
        "draft.new",
        ".eml",
    ] {
        assert!(outbox.read(name).is_err(), "{name}");
    }
    let raw = String::from_utf8(outbox.read("ntc_1.eml").unwrap()).unwrap();
    assert!(raw.contains("Auto-Submitted: auto-generated\r\n"), "{raw}");
    assert!(
        raw.contains("Date: Fri, 02 Jan 2026 03:04:05 +0000\r\n"),
        "{raw}"
    );
}

#[tokio::test]
async fn the_folder_keeps_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = outbox(folder.path());
    outbox.send_mail(&email("first", "a@example.com")).await;
    // As a thousand others would have left it.
    for n in 0..999 {
        std::fs::write(outbox.folder().join(format!("n{n:04}.eml")), b"x").unwrap();
    }
    let earlier = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    let first = std::fs::File::options()
        .append(true)
        .open(outbox.folder().join("first.eml"))
        .unwrap();
    first.set_modified(earlier).unwrap();
    std::fs::write(outbox.folder().join("notes of somebody"), b"x").unwrap();
    outbox.send_mail(&email("last", "a@example.com")).await;
    let all = outbox.list().unwrap();
    assert_eq!(all.len(), 1000);
    assert!(all.iter().any(|entry| entry.name == "last.eml"));
    assert!(!all.iter().any(|entry| entry.name == "first.eml"));
    assert!(outbox.folder().join("notes of somebody").exists());
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_tried_later() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("outbox"), b"a file").unwrap();
    let sent = Mail::send(&outbox(folder.path()), &email("a", "a@example.com")).await;
    assert!(matches!(sent, Err(SendError::Later(_))), "{sent:?}");
}

trait SendMail {
    async fn send_mail(&self, mail: &Email);
}

impl SendMail for Outbox {
    async fn send_mail(&self, mail: &Email) {
        Mail::send(self, mail).await.unwrap();
    }
}

#[async_trait]
impl Mailboxes for Server {
    async fn of(&self, address: &str) -> Vec<Arrived> {
        let taken = self.taken();
        taken
            .iter()
            .filter(|mail| mail.recipients.iter().any(|to| to == address))
            .map(|mail| read(mail.data.as_bytes()))
            .collect()
    }
}

fn mail_by(url: &str) -> SmtpMail {
    let server: SmtpServer = url.parse().unwrap();
    SmtpMail::new(&server, "example.com", Arc::new(TestClock::default())).unwrap()
}

#[tokio::test]
async fn a_mail_server_keeps_the_contract() {
    let server = Server::start(Behaviour::default()).await;
    let mail = mail_by(&format!("smtp://127.0.0.1:{}", server.port));
    contract::mail(&mail, &server, "s").await;
}

#[tokio::test]
async fn who_has_a_password_logs_in_and_greets_by_name() {
    let server = Server::start(Behaviour::default()).await;
    let mail = mail_by(&format!("smtp://user:p%40ss@127.0.0.1:{}", server.port));
    mail.send(&email("ntc_1", "a@example.com")).await.unwrap();
    let taken = server.taken();
    assert_eq!(taken[0].login.as_deref(), Some("\0user\0p@ss"));
    assert_eq!(taken[0].hello, "example.com");
    assert_eq!(taken[0].sender, "ringfence@example.com");
}

#[tokio::test]
async fn refusals_for_good_are_told_from_those_for_now() {
    for (command, answer, for_good) in [
        (
            "RCPT",
            "550 5.1.1 <canary@example.com> does not exist",
            true,
        ),
        ("RCPT", "553 no such mailbox", true),
        ("DATA-END", "552 too large", true),
        ("RCPT", "451 greylisted", false),
        ("RCPT", "452 mailbox full", false),
        ("AUTH", "535 5.7.8 wrong password canary", false),
        ("MAIL", "530 5.7.0 log in first", false),
        ("DATA-END", "554 5.7.1 policy", false),
        ("CONNECT", "554 not for you", false),
        ("CONNECT", "421 too busy", false),
        ("DATA-END", "", false),
    ] {
        let server = Server::start(Behaviour {
            answers: vec![(command, answer)],
            ..Behaviour::default()
        })
        .await;
        let mail = mail_by(&format!("smtp://user:pass@127.0.0.1:{}", server.port));
        let error = mail
            .send(&email("ntc_1", "canary@example.com"))
            .await
            .unwrap_err();
        let is_for_good = matches!(error, SendError::Refused(_));
        assert_eq!(is_for_good, for_good, "{command} {answer}: {error}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("canary"), "{shown}");
        assert_eq!(server.taken().len(), 0);
    }
}

#[tokio::test]
async fn a_server_that_is_gone_is_tried_later() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let mail = mail_by(&format!("smtp://127.0.0.1:{port}"));
    let sent = mail.send(&email("ntc_1", "a@example.com")).await;
    assert!(matches!(sent, Err(SendError::Later(_))), "{sent:?}");
}
