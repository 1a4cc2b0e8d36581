use std::fmt::Debug;

use async_trait::async_trait;

use crate::{Email, MAX_SMS_CHARS, MAX_SUBJECT_CHARS, Mail, Mailbox, SendError, Sms, TextMessage};

/// A mail as whoever it went to would read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    /// Name (empty: none) and address.
    pub from: (String, String),
    /// All of them.
    pub to: Vec<String>,
    /// Where answers go, if said.
    pub reply_to: Option<String>,
    /// Decoded.
    pub subject: String,
    /// The plain part; lines end in `\n`.
    pub text: String,
    /// The HTML part; lines end in `\n`.
    pub html: String,
    /// Without angle brackets; `None` where the service makes its own.
    pub message_id: Option<String>,
}

/// Where an adapter's mail arrives.
#[async_trait]
pub trait Mailboxes: Send + Sync {
    /// What has arrived at this address, oldest first.
    async fn of(&self, address: &str) -> Vec<Arrived>;
}

/// Where an adapter's text messages arrive.
#[async_trait]
pub trait Phones: Send + Sync {
    /// The texts that have arrived at this number, oldest first.
    async fn of(&self, number: &str) -> Vec<String>;
}

fn email(id: &str, to: &str) -> Email {
    Email {
        id: id.to_owned(),
        from: Mailbox {
            name: Some("Ringfence".to_owned()),
            address: "ringfence@example.com".to_owned(),
        },
        to: to.to_owned(),
        reply_to: None,
        subject: "A subject".to_owned(),
        text: "Hello\n".to_owned(),
        html: "<p>Hello</p>\n".to_owned(),
    }
}

/// A body through which a line of each kind goes that carriers are known to change.
const TRICKY: &str =
    "From the start\n.\n..two dots\n=3D =\n\ttab and trailing space \n\nгруппа – naïve 电话 📞\n";

/// Runs every case against `mail`, whose mail arrives in `mailboxes`. Addresses begin with `prefix`.
///
/// # Panics
///
/// At the first expectation that is not met.
pub async fn mail(mail: &dyn Mail, mailboxes: &dyn Mailboxes, prefix: &str) {
    let at = |name: &str| format!("{prefix}-{name}@example.com");

    let plain = email(&format!("{prefix}-plain"), &at("plain"));
    mail.send(&plain).await.expect("sent");
    let got = only(&mailboxes.of(&plain.to).await);
    let expected = Arrived {
        from: ("Ringfence".to_owned(), "ringfence@example.com".to_owned()),
        to: vec![plain.to.clone()],
        reply_to: None,
        subject: plain.subject.clone(),
        text: plain.text.clone(),
        html: plain.html.clone(),
        message_id: got
            .message_id
            .is_some()
            .then(|| format!("{prefix}-plain@example.com")),
    };
    assert_eq!(got, expected, "it arrives as it was sent");

    let long = format!("{TRICKY}{}\n", "a long line ".repeat(200));
    let tricky = Email {
        from: Mailbox {
            name: Some("Rïngfence, \"Ops\" <x@y>".to_owned()),
            address: "ringfence@example.com".to_owned(),
        },
        reply_to: Some(at("answers")),
        subject: format!("=?utf-8?Q?not_encoded?= – {} 电话 📞", "naïve ".repeat(24)),
        text: long.clone(),
        html: format!("<!doctype html>\n<p>{long}</p>\n"),
        ..email(&format!("{prefix}-tricky"), &at("tricky+tag.x"))
    };
    mail.send(&tricky).await.expect("sent");
    let got = only(&mailboxes.of(&tricky.to).await);
    assert_eq!(got.subject, tricky.subject, "any letters in a subject");
    assert_eq!(Some(got.from.0), tricky.from.name, "any letters in a name");
    assert_eq!(got.from.1, tricky.from.address);
    assert_eq!(got.reply_to, tricky.reply_to);
    assert_eq!(got.text, tricky.text, "every line of the text");
    assert_eq!(got.html, tricky.html, "every line of the HTML");

    let (victim, other) = (at("victim"), at("hostile"));
    for (what, spoil) in SPOILED {
        let mut bad = email(&format!("{prefix}-hostile"), &other);
        spoil(&mut bad, &victim);
        refused(&mail.send(&bad).await, what);
    }
    assert!(
        mailboxes.of(&victim).await.is_empty(),
        "nobody else got anything"
    );
    assert!(
        mailboxes.of(&other).await.is_empty(),
        "what was refused was not sent"
    );
}

/// Makes what is no mail of a good one; most try to reach somebody else.
type Spoil = fn(&mut Email, &str);

const SPOILED: [(&str, Spoil); 13] = [
    ("subject", |mail, victim| {
        mail.subject = format!("Hello\r\nBcc: {victim}");
    }),
    ("subject, LF", |mail, victim| {
        mail.subject = format!("Hello\nBcc: {victim}");
    }),
    ("subject, NEL", |mail, victim| {
        mail.subject = format!("Hello\u{85}Bcc: {victim}");
    }),
    ("long subject", |mail, _| {
        mail.subject = "x".repeat(MAX_SUBJECT_CHARS + 1);
    }),
    ("no subject", |mail, _| mail.subject = " ".into()),
    ("name", |mail, victim| {
        mail.from.name = Some(format!("Ringfence\r\nBcc: {victim}"));
    }),
    ("two recipients", |mail, victim| {
        mail.to = format!("{}, {victim}", mail.to);
    }),
    ("header in the recipient", |mail, victim| {
        mail.to = format!("{}\r\nBcc: {victim}", mail.to);
    }),
    ("SMTP in the recipient", |mail, victim| {
        mail.to = format!("{}>\r\nRCPT TO:<{victim}", mail.to);
    }),
    ("header in the address for answers", |mail, victim| {
        mail.reply_to = Some(format!("{}\r\nBcc: {victim}", mail.to));
    }),
    ("path in the id", |mail, _| mail.id = "../../etc/x".into()),
    ("header in the id", |mail, _| {
        mail.id = "x>\r\nBcc: y".into();
    }),
    ("no text", |mail, _| mail.text = String::new()),
];

/// Runs every case against `sms`, whose messages arrive on `phones`. Numbers end in `suffix`, four
/// digits.
///
/// # Panics
///
/// At the first expectation that is not met.
pub async fn sms(sms: &dyn Sms, phones: &dyn Phones, suffix: &str) {
    let message = |to: &str, text: &str| TextMessage {
        id: format!("sms-{suffix}"),
        to: to.to_owned(),
        text: text.to_owned(),
    };
    let number = format!("+1415555{suffix}");
    let text = "123456 is your code – naïve 电话.\nIt is valid for 10 minutes.";
    sms.send(&message(&number, text)).await.expect("sent");
    assert_eq!(
        phones.of(&number).await,
        [text],
        "it arrives as it was sent"
    );

    let other = format!("+1415556{suffix}");
    let long = "x".repeat(MAX_SMS_CHARS + 1);
    for (what, bad) in [
        ("no number", message("", "x")),
        ("no plus", message(&other[1..], "x")),
        ("letters", message("+1415555abcd", "x")),
        ("a topic", message("arn:aws:sns:eu-west-1:1:topic", "x")),
        ("two numbers", message(&format!("{other},{number}"), "x")),
        ("short", message("+1234567", "x")),
        ("long", message("+1234567890123456", "x")),
        ("no text", message(&other, "\n ")),
        ("a long text", message(&other, &long)),
        ("control characters", message(&other, "a\u{1b}[2Jb")),
    ] {
        refused(&sms.send(&bad).await, what);
    }
    let bad_id = TextMessage {
        id: "../x".to_owned(),
        ..message(&other, "x")
    };
    refused(&sms.send(&bad_id).await, "path in the id");
    assert!(phones.of(&other).await.is_empty());
    assert_eq!(phones.of(&number).await.len(), 1);
}

fn only<T: Debug + Clone>(all: &[T]) -> T {
    assert_eq!(all.len(), 1, "one arrived: {all:?}");
    all[0].clone()
}

fn refused(result: &Result<(), SendError>, what: &str) {
    assert!(
        matches!(result, Err(SendError::Refused(_))),
        "{what}: {result:?}"
    );
}
