//! Mail and text messages: the ports' contract on SES and SNS, against an emulator.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use common::Account;
use mail_parser::MessageParser;
use ringfence_aws::{Aws, SesMail, SnsSms};
use ringfence_ports::contract::{self, Arrived, Mailboxes, Phones};
use ringfence_ports::{Email, Mail as _, Mailbox, SendError, Sms as _, SystemRandom, TextMessage};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What the emulator has taken of an account.
struct Inspection {
    endpoint: String,
    account: String,
}

impl Inspection {
    fn of(account: &Account) -> Self {
        Self {
            endpoint: account.connection.endpoint.clone().unwrap(),
            account: account.connection.credentials.access_key_id.clone(),
        }
    }

    async fn get(&self, path: &str) -> Value {
        let host = self.endpoint.strip_prefix("http://").unwrap();
        let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
        let request = format!(
            "GET {path}?account={} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
            self.account
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let from = answer.find('{').unwrap();
        let to = answer.rfind('}').unwrap();
        serde_json::from_str(&answer[from..=to]).expect("JSON")
    }
}

#[async_trait]
impl Mailboxes for Inspection {
    async fn of(&self, address: &str) -> Vec<Arrived> {
        let all = self.get("/_ministack/ses/messages").await;
        let text = |mail: &Value, name: &str| mail[name].as_str().unwrap_or_default().to_owned();
        let of_account = all["messages"][&self.account].as_array();
        of_account
            .into_iter()
            .flatten()
            .map(|mail| {
                let header = format!("From: {}\r\n\r\n", text(mail, "Source"));
                let parsed = MessageParser::default().parse(&header).unwrap();
                let from = parsed.from().unwrap().first().unwrap();
                let to = ["To", "CC", "BCC"].iter().flat_map(|kind| {
                    let list = mail[*kind].as_array().unwrap();
                    list.iter().map(|to| to.as_str().unwrap().to_owned())
                });
                Arrived {
                    from: (
                        from.name().unwrap_or_default().to_owned(),
                        from.address().unwrap_or_default().to_owned(),
                    ),
                    to: to.collect(),
                    reply_to: None,
                    subject: text(mail, "Subject"),
                    text: text(mail, "BodyText"),
                    html: text(mail, "BodyHtml"),
                    message_id: None,
                }
            })
            .filter(|arrived| arrived.to.iter().any(|to| to == address))
            .collect()
    }
}

#[async_trait]
impl Phones for Inspection {
    async fn of(&self, number: &str) -> Vec<String> {
        let all = self.get("/_ministack/sns/sms-messages").await;
        let mut found = Vec::new();
        collect(&all, number, &mut found);
        found
    }
}

/// Messages to a number, however deep they lie.
fn collect(value: &Value, number: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| collect(one, number, found)),
        Value::Object(one) if one.get("PhoneNumber").is_some_and(|to| to == number) => {
            found.push(one["Message"].as_str().unwrap().to_owned());
        }
        Value::Object(all) => all.values().for_each(|one| collect(one, number, found)),
        _ => {}
    }
}

async fn verify(account: &Account, identity: &str) {
    let ses = aws_sdk_sesv2::Client::new(&account.config);
    let made = ses.create_email_identity().email_identity(identity);
    made.send().await.expect("an identity");
}

fn ses(aws: &Aws) -> SesMail {
    SesMail::new(aws, Arc::new(SystemRandom::new()))
}

fn email() -> Email {
    Email {
        id: "ntc_1".to_owned(),
        from: Mailbox::parse("ringfence@example.com").unwrap(),
        to: "canary@example.com".to_owned(),
        reply_to: None,
        subject: "Canary".to_owned(),
        text: "canary\n".to_owned(),
        html: "<p>canary</p>\n".to_owned(),
    }
}

/// Where nobody listens.
fn nowhere() -> ringfence_aws::Connection {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    ringfence_aws::Connection {
        region: "eu-west-1".to_owned(),
        endpoint: Some(format!("http://127.0.0.1:{port}")),
        credentials: ringfence_aws::Credentials {
            access_key_id: "a".to_owned(),
            secret_access_key: "b".to_owned(),
            session_token: None,
        },
    }
}

#[tokio::test]
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn mail() {
    let account = Account::new();
    verify(&account, "example.com").await;
    contract::mail(&ses(&account.aws()), &Inspection::of(&account), "m").await;
}

#[tokio::test]
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn sms() {
    let account = Account::new();
    let sms = SnsSms::new(&account.aws(), Arc::new(SystemRandom::new()));
    contract::sms(&sms, &Inspection::of(&account), "0132").await;
}

#[tokio::test]
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn a_lost_answer_is_left_to_whoever_asked() {
    let account = Account::new();
    verify(&account, "example.com").await;
    account.counter.lose_answers("POST", 1);
    let lost = ses(&account.aws()).send(&email()).await;
    assert!(matches!(lost, Err(SendError::Later(_))), "{lost:?}");
    let arrived = Mailboxes::of(&Inspection::of(&account), "canary@example.com").await;
    assert_eq!(arrived.len(), 1, "it was sent, and not again");
}

#[tokio::test]
async fn what_is_about_the_mail_is_told_from_what_the_operator_mends() {
    let connection = nowhere();
    for (status, code, for_good) in [
        (400, "MessageRejected", true),
        (400, "BadRequestException", true),
        (400, "MailFromDomainNotVerifiedException", false),
        (400, "SendingPausedException", false),
        (400, "LimitExceededException", false),
        (403, "AccessDeniedException", false),
        (404, "NotFoundException", false),
        (500, "InternalFailure", false),
    ] {
        let counter = Arc::<ringfence_aws::Counter>::default();
        let body = format!(r#"{{"__type":"{code}","message":"canary@example.com"}}"#);
        counter.answer_with("POST", status, &body, 9);
        let aws = Aws::counted(&connection, &counter).unwrap();
        let error = ses(&aws).send(&email()).await.unwrap_err();
        let is_for_good = matches!(error, SendError::Refused(_));
        assert_eq!(is_for_good, for_good, "{code}: {error}");
        assert!(error.to_string().contains(code), "{error}");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        assert_eq!(counter.take().requests["POST"], 1, "{code} is asked once");
    }
}

#[tokio::test]
async fn a_throttle_is_outlasted() {
    let counter = Arc::<ringfence_aws::Counter>::default();
    let body = r#"{"__type":"TooManyRequestsException"}"#;
    counter.answer_with("POST", 429, body, u32::MAX);
    let aws = Aws::counted(&nowhere(), &counter).unwrap();
    let error = ses(&aws).send(&email()).await.unwrap_err();
    assert_eq!(error, SendError::Later("throttled".to_owned()));
    assert!(counter.take().requests["POST"] > 3);
}

#[tokio::test]
async fn what_cannot_be_reached_is_tried_later_and_told_without_addresses() {
    let connection = nowhere();
    let aws = Aws::new(&connection).unwrap();
    let started = Instant::now();
    let text = TextMessage {
        id: "ntc_2".to_owned(),
        to: "+14155550132".to_owned(),
        text: "canary".to_owned(),
    };
    let sms = SnsSms::new(&aws, Arc::new(SystemRandom::new()));
    for error in [
        ses(&aws).send(&email()).await.unwrap_err(),
        sms.send(&text).await.unwrap_err(),
    ] {
        assert_eq!(error, SendError::Later("no connection".to_owned()));
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
    assert!(started.elapsed() < Duration::from_secs(5));
}
