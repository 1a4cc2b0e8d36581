use async_trait::async_trait;

use crate::{SendError, mail::is_message_id};

/// The longest text, in characters: what phones show as one message, in two or three parts on its way.
pub const MAX_SMS_CHARS: usize = 320;

/// A text message to one phone. `Debug` shows its id alone.
#[derive(Clone, PartialEq, Eq)]
pub struct TextMessage {
    /// Letters, digits, `-` and `_`, at most 64: the same at every try.
    pub id: String,
    /// The number, as E.164 has it: `+` and 8 to 15 digits.
    pub to: String,
    /// At most [`MAX_SMS_CHARS`]; no control characters but line breaks.
    pub text: String,
}

impl TextMessage {
    /// Refuses what is no text message: every adapter does this first.
    pub fn validate(&self) -> Result<(), SendError> {
        let refuse = |what: &str| Err(SendError::Refused(what.to_owned()));
        if !is_message_id(&self.id) {
            return refuse("the id is not one");
        }
        let is_number = self.to.strip_prefix('+').is_some_and(|digits| {
            (8..=15).contains(&digits.len())
                && digits.bytes().all(|b| b.is_ascii_digit())
                && !digits.starts_with('0')
        });
        if !is_number {
            return refuse("the recipient is not a phone number in E.164");
        }
        let is_text = !self.text.trim().is_empty()
            && self.text.chars().count() <= MAX_SMS_CHARS
            && !self.text.contains(|c: char| c.is_control() && c != '\n');
        if !is_text {
            return refuse("the text is empty, too long or holds control characters");
        }
        Ok(())
    }
}

impl std::fmt::Debug for TextMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextMessage")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Sends text messages. As with [`Mail`](crate::Mail), a second try may arrive twice.
#[async_trait]
pub trait Sms: Send + Sync {
    /// Hands over one message.
    async fn send(&self, message: &TextMessage) -> Result<(), SendError>;
}
