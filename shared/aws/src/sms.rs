//! [`Sms`] on SNS.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_sns::types::MessageAttributeValue;
use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;
use ringfence_ports::{Random, SendError, Sms, TextMessage};

use crate::Aws;
use crate::mail::outlast;
use crate::retry::{Patience, trouble};

/// [`Sms`] by SNS's `Publish` to a phone number, as a transactional message: one request a text.
///
/// As with mail, only what certainly was not sent is tried again here. Permission: `sns:Publish` on `*`
/// (a phone number is no resource), denied on topics.
#[derive(Clone)]
pub struct SnsSms {
    sns: aws_sdk_sns::Client,
    random: Arc<dyn Random>,
}

impl std::fmt::Debug for SnsSms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SnsSms")
    }
}

impl SnsSms {
    /// Over these credentials. Sends nothing.
    pub fn new(aws: &Aws, random: Arc<dyn Random>) -> Self {
        Self {
            sns: aws_sdk_sns::Client::new(&aws.config),
            random,
        }
    }
}

#[async_trait]
impl Sms for SnsSms {
    async fn send(&self, message: &TextMessage) -> Result<(), SendError> {
        message.validate()?;
        let kind = MessageAttributeValue::builder()
            .data_type("String")
            .string_value("Transactional")
            .build()
            .map_err(|_| SendError::Refused("the text is incomplete".to_owned()))?;
        let request = self
            .sns
            .publish()
            .phone_number(&message.to)
            .message(&message.text)
            .message_attributes("AWS.SNS.SMS.SMSType", kind);
        let mut patience = Patience::new();
        loop {
            let Err(error) = request.clone().send().await else {
                return Ok(());
            };
            // A number that cannot be, or whose owner wants no texts.
            let code = error.code().unwrap_or_default();
            let is_for_good = matches!(
                code,
                "InvalidParameter"
                    | "InvalidParameterException"
                    | "InvalidParameterValue"
                    | "OptedOut"
                    | "OptedOutException"
            );
            if is_for_good {
                return Err(SendError::Refused(format!("SNS answered {code}")));
            }
            outlast(&mut patience, trouble(&error), &*self.random).await?;
        }
    }
}
