use async_trait::async_trait;

/// The longest subject, in characters.
pub const MAX_SUBJECT_CHARS: usize = 200;

/// The largest mail, in bytes: text and HTML together.
pub const MAX_MAIL_BYTES: usize = 256 * 1024;

/// The longest address, in bytes (RFC 5321 §4.5.3.1.3, without the angle brackets).
pub const MAX_ADDRESS_BYTES: usize = 254;

/// An address with the name that is shown beside it. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// What mail programs show; without control characters.
    pub name: Option<String>,
    /// As [`is_mail_address`] has it.
    pub address: String,
}

impl Mailbox {
    /// From `address` or `Name <address>`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (name, address) = match text.strip_suffix('>').and_then(|rest| rest.split_once('<')) {
            None => (None, text),
            Some((name, address)) => (Some(name.trim().trim_matches('"').to_owned()), address),
        };
        let mailbox = Self {
            name: name.filter(|name| !name.is_empty()),
            address: address.to_owned(),
        };
        mailbox.is_valid().then_some(mailbox)
    }

    fn is_valid(&self) -> bool {
        is_mail_address(&self.address)
            && self
                .name
                .as_ref()
                .is_none_or(|name| is_header_text(name, MAX_SUBJECT_CHARS))
    }
}

impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mailbox(…)")
    }
}

/// One mail to one person. `Debug` shows its id alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    /// Letters, digits, `-` and `_`, at most 64: the same at every try. It becomes the local part of the
    /// `Message-ID`, by which mail servers and readers know a second copy.
    pub id: String,
    /// Who sends it.
    pub from: Mailbox,
    /// The one recipient.
    pub to: String,
    /// Where answers go, when not to `from`.
    pub reply_to: Option<String>,
    /// At most [`MAX_SUBJECT_CHARS`], without control characters.
    pub subject: String,
    /// For readers that show no HTML. Lines end in `\n`.
    pub text: String,
    /// A whole document.
    pub html: String,
}

impl Email {
    /// Refuses what is no mail: every adapter does this first, so that no header can be smuggled in
    /// through any of them.
    pub fn validate(&self) -> Result<(), SendError> {
        let refuse = |what: &str| Err(SendError::Refused(what.to_owned()));
        if !is_message_id(&self.id) {
            return refuse("the id is not one");
        }
        if !self.from.is_valid() {
            return refuse("the sender is not a mail address");
        }
        if !is_mail_address(&self.to) {
            return refuse("the recipient is not a mail address");
        }
        if !self.reply_to.as_deref().is_none_or(is_mail_address) {
            return refuse("the address for answers is not one");
        }
        if !is_header_text(&self.subject, MAX_SUBJECT_CHARS) {
            return refuse("the subject is empty, too long or holds control characters");
        }
        let is_body = |body: &str| !body.is_empty() && !body.contains(['\0', '\r']);
        if !is_body(&self.text) || !is_body(&self.html) {
            return refuse("the text is empty or holds control characters");
        }
        if self.text.len() + self.html.len() > MAX_MAIL_BYTES {
            return refuse("the mail is too large");
        }
        Ok(())
    }

    /// The `Message-ID` (RFC 5322 §3.6.4), without its angle brackets: the id at the sender's domain.
    pub fn message_id(&self) -> String {
        let domain = self.from.address.rsplit('@').next().unwrap_or_default();
        format!("{}@{domain}", self.id)
    }
}

impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Email")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Why a mail or a text message was not sent. The causes are for the log: codes, never an address, a
/// number or a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It will never be sent as it is: the recipient does not exist, or it is no message.
    #[error("refused: {0}")]
    Refused(String),
    /// Not now: throttled, unreachable, or not set up as it should be. It may have been sent all the
    /// same, when the answer was lost.
    #[error("not sent for now: {0}")]
    Later(String),
}

/// Sends mail.
///
/// `Ok` means that whoever carries it on has it. A second try with the same id may arrive twice, unless
/// the adapter knows better; it has the same `Message-ID`, where the adapter may choose it.
#[async_trait]
pub trait Mail: Send + Sync {
    /// Hands over one mail.
    async fn send(&self, mail: &Email) -> Result<(), SendError>;
}

/// Whether this is an address that every mail server takes: ASCII, a dot-atom (RFC 5322 §3.2.3) of at
/// most 64 bytes, and a host name (RFC 1123 §2.1). No quoted local part, no address literal; a domain of
/// other letters as punycode.
pub fn is_mail_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let is_atom = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= MAX_ADDRESS_BYTES
        && local.len() <= 64
        && local.split('.').all(is_atom)
        && domain.split('.').all(is_label)
}

/// Whether this can stand in a header: some text, no control character, no line or paragraph separator.
fn is_header_text(text: &str, max_chars: usize) -> bool {
    let is_break = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    !text.trim().is_empty() && text.chars().count() <= max_chars && !text.contains(is_break)
}

/// Whether this may name a message (and a file).
pub(crate) fn is_message_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_every_server_takes() {
        for good in [
            "a@b",
            "first.last+tag@example.com",
            "o'hara@xn--bcher-kva.example",
            "x@1.example",
        ] {
            assert!(is_mail_address(good), "{good}");
        }
        let long = format!("{}@example.com", "x".repeat(65));
        let longer = format!("x@{}com", "label.".repeat(50));
        for bad in [
            "",
            "@",
            "a@",
            "@b",
            "a b@c",
            "a@b c",
            ".a@b",
            "a.@b",
            "a..b@c",
            "a@-b",
            "a@b-",
            "a@b..c",
            "a@.b",
            "a@b.",
            "\"a b\"@c",
            "a@[127.0.0.1]",
            "a@b@c",
            "a@b\r\nBcc: c@d",
            "a@b\0",
            "<a@b>",
            "a@b,c@d",
            "ä@b",
            "a@bücher.example",
            &long,
            &longer,
        ] {
            assert!(!is_mail_address(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_mailbox_is_an_address_with_or_without_a_name() {
        let named = Mailbox::parse("Ringfence Ops <ops@example.com>").unwrap();
        assert_eq!(
            (named.name.as_deref(), named.address.as_str()),
            (Some("Ringfence Ops"), "ops@example.com")
        );
        assert_eq!(Mailbox::parse(" ops@example.com ").unwrap().name, None);
        assert_eq!(
            Mailbox::parse("\"R, F\" <a@b>").unwrap().name.as_deref(),
            Some("R, F")
        );
        for bad in ["", "Ops", "Ops <>", "<a@b> c", "A\nB <a@b>", "a@b <c@d> e"] {
            assert!(Mailbox::parse(bad).is_none(), "{bad:?}");
        }
        assert!(!format!("{named:?}").contains("ops"));
    }
}
