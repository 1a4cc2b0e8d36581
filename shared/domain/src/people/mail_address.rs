//! Mail addresses.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A mail address as a person wrote it (RFC 5321 §4.1.2, without quoted local parts and address
/// literals: ASCII, at most 254 characters). `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MailAddress(String);

impl MailAddress {
    /// Reads an address; blanks at its ends are passed over.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches(' ');
        let (local, domain) = text.rsplit_once('@')?;
        let atom = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&c);
        let dotted = |text: &str, fits: fn(&str) -> bool| text.split('.').all(fits);
        let fits = text.len() <= 254
            && local.len() <= 64
            && local
                .split('.')
                .all(|part| !part.is_empty() && part.bytes().all(atom))
            && domain.contains('.')
            && dotted(domain, |label| {
                (1..=63).contains(&label.len())
                    && label
                        .bytes()
                        .all(|c| c.is_ascii_alphanumeric() || c == b'-')
                    && !label.starts_with('-')
                    && !label.ends_with('-')
            });
        fits.then(|| Self(text.to_owned()))
    }

    /// What stands in place of the address of somebody who was erased: none at all.
    pub(crate) const fn erased() -> Self {
        Self(String::new())
    }

    /// The address, to show and to send to.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// By which two addresses are the same: without regard to case, as practically every provider has
    /// it.
    pub fn normalised(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl fmt::Debug for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailAddress(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_strictly_and_compared_without_case() {
        for text in [
            "ada@example.com",
            "a.b+c@mail.example.co.uk",
            "x_y-z@a-b.de",
        ] {
            assert_eq!(MailAddress::parse(text).unwrap().as_str(), text);
        }
        let long = format!("{}@example.com", "a".repeat(65));
        for text in [
            "",
            "@",
            "ada",
            "ada@",
            "@example.com",
            "ada@example",
            "ada@.com",
            "a b@example.com",
            "ada@exa mple.com",
            "ada@-a.com",
            "ada..b@example.com",
            ".ada@example.com",
            "\"a\"@example.com",
            "ada@[127.0.0.1]",
            "ädä@example.com",
            "ada@example.com\r\nBcc: eve@example.com",
            "a@b@c.com",
            long.as_str(),
        ] {
            assert_eq!(MailAddress::parse(text), None, "{text:?}");
        }
        let address = MailAddress::parse(" Ada@Example.COM ").unwrap();
        assert_eq!(address.as_str(), "Ada@Example.COM");
        assert_eq!(address.normalised(), "ada@example.com");
        assert!(!format!("{address:?}").contains("xample"));
    }
}
