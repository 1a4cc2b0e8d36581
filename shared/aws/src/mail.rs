//! [`Mail`] on SES.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_sesv2::error::BuildError;
use aws_sdk_sesv2::operation::send_email::builders::SendEmailFluentBuilder;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageHeader};
use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ringfence_ports::{Email, Mail, Mailbox, Random, SendError};

use crate::Aws;
use crate::retry::{Patience, Trouble, trouble};

/// [`Mail`] by SES's `SendEmail`: one request a mail.
///
/// Throttles are tried again within seconds. A request whose answer was lost is not: it may have been
/// sent, and SES knows no second copy; that is left to whoever asked. SES makes a `Message-ID` of its
/// own, ours goes along as `X-Ringfence-Id`. Permission: `ses:SendEmail` on the sender's identity.
#[derive(Clone)]
pub struct SesMail {
    ses: aws_sdk_sesv2::Client,
    random: Arc<dyn Random>,
}

impl std::fmt::Debug for SesMail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SesMail")
    }
}

impl SesMail {
    /// Over these credentials. Sends nothing.
    pub fn new(aws: &Aws, random: Arc<dyn Random>) -> Self {
        Self {
            ses: aws_sdk_sesv2::Client::new(&aws.config),
            random,
        }
    }

    fn request(&self, mail: &Email) -> Result<SendEmailFluentBuilder, BuildError> {
        Ok(self
            .ses
            .send_email()
            .from_email_address(sender(&mail.from))
            .destination(Destination::builder().to_addresses(&mail.to).build())
            .set_reply_to_addresses(mail.reply_to.clone().map(|to| vec![to]))
            .content(content(mail)?))
    }
}

#[async_trait]
impl Mail for SesMail {
    async fn send(&self, mail: &Email) -> Result<(), SendError> {
        mail.validate()?;
        let request = self
            .request(mail)
            .map_err(|_| SendError::Refused("the mail is incomplete".to_owned()))?;
        let mut patience = Patience::new();
        loop {
            let Err(error) = request.clone().send().await else {
                return Ok(());
            };
            // What is about this mail or its recipient. All else (an identity that is not verified, an
            // account that may not send) is the operator's to mend, and the mail waits for that.
            let code = error.code().unwrap_or_default();
            if matches!(code, "MessageRejected" | "BadRequestException") {
                return Err(SendError::Refused(format!("SES answered {code}")));
            }
            outlast(&mut patience, trouble(&error), &*self.random).await?;
        }
    }
}

/// Waits where another try certainly is the first one to do something.
pub(crate) async fn outlast(
    patience: &mut Patience,
    trouble: Trouble,
    random: &dyn Random,
) -> Result<(), SendError> {
    let cause = match trouble {
        Trouble::Busy => {
            if patience.wait(random).await {
                return Ok(());
            }
            "throttled".to_owned()
        }
        Trouble::Unsure(cause) | Trouble::Refused(cause) => cause,
    };
    Err(SendError::Later(cause))
}

fn content(mail: &Email) -> Result<EmailContent, BuildError> {
    let text = |data: &str| Content::builder().data(data).charset("UTF-8").build();
    let header = |name: &str, value: &str| MessageHeader::builder().name(name).value(value).build();
    let body = Body::builder()
        .text(text(&mail.text)?)
        .html(text(&mail.html)?)
        .build();
    let message = Message::builder()
        .subject(text(&mail.subject)?)
        .body(body)
        // No answers from machines (RFC 3834 section 5).
        .headers(header("Auto-Submitted", "auto-generated")?)
        .headers(header("X-Ringfence-Id", &mail.message_id())?)
        .build();
    Ok(EmailContent::builder().simple(message).build())
}

/// The sender as SES wants it: ASCII, a name of other letters as an encoded word (RFC 2047).
fn sender(from: &Mailbox) -> String {
    let Some(name) = &from.name else {
        return from.address.clone();
    };
    let is_plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b' ');
    if is_plain {
        return format!("{name} <{}>", from.address);
    }
    let mut words: Vec<String> = vec![String::new()];
    for letter in name.chars() {
        match words.last_mut() {
            // 45 bytes are 60 letters of base64; an encoded word has at most 75.
            Some(word) if word.len() + letter.len_utf8() <= 45 => word.push(letter),
            _ => words.push(letter.to_string()),
        }
    }
    let words: Vec<String> = words
        .iter()
        .map(|word| format!("=?utf-8?B?{}?=", STANDARD.encode(word)))
        .collect();
    format!("{} <{}>", words.join(" "), from.address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str) -> String {
        sender(&Mailbox {
            name: Some(name.to_owned()),
            address: "a@example.com".to_owned(),
        })
    }

    /// What the emulator does not show.
    #[test]
    fn where_answers_go_and_our_own_id_are_said() {
        let connection = crate::Connection {
            region: "eu-west-1".to_owned(),
            endpoint: None,
            credentials: crate::Credentials {
                access_key_id: "a".to_owned(),
                secret_access_key: "b".to_owned(),
                session_token: None,
            },
        };
        let aws = Aws::new(&connection).unwrap();
        let random = Arc::new(ringfence_ports::contract::TestRandom::new(1));
        let mail = Email {
            id: "ntc_1".to_owned(),
            from: Mailbox::parse("a@example.com").unwrap(),
            to: "b@example.com".to_owned(),
            reply_to: Some("c@example.com".to_owned()),
            subject: "s".to_owned(),
            text: "t".to_owned(),
            html: "h".to_owned(),
        };
        let request = SesMail::new(&aws, random).request(&mail).unwrap();
        let reply_to = request.get_reply_to_addresses().as_deref();
        assert_eq!(reply_to, Some(&["c@example.com".to_owned()][..]));
        let content = request.get_content().as_ref().unwrap();
        let headers = content.simple().unwrap().headers();
        let all: Vec<_> = headers.iter().map(|h| (h.name(), h.value())).collect();
        assert!(all.contains(&("X-Ringfence-Id", "ntc_1@example.com")));
        assert!(all.contains(&("Auto-Submitted", "auto-generated")));
    }

    #[test]
    fn a_name_is_ascii_and_cannot_be_more_than_a_name() {
        assert_eq!(shown("Ringfence"), "Ringfence <a@example.com>");
        assert_eq!(
            shown("Eve <eve@example.com>,"),
            "=?utf-8?B?RXZlIDxldmVAZXhhbXBsZS5jb20+LA==?= <a@example.com>"
        );
        let long = shown(&"电话".repeat(20));
        assert!(long.is_ascii());
        assert!(long.split(' ').all(|word| word.len() <= 75), "{long}");
    }
}
