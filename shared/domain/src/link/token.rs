//! What stands in a link: `v1.<kid>.<secret>.<mac>`, 32 random bytes and the first 16 of their
//! HMAC-SHA256, both in base64url. The MAC lets a forged link fail without a look into the store; what
//! the link opens, and until when, only the row under the secret's hash says.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use subtle::ConstantTimeEq;

use crate::{derived::mac_of, id};

/// Which key makes the MACs of new links. Another one gets another name, and both are accepted until
/// the last link of the old one has ended.
pub(super) const KEY_ID: &str = "1";

/// The characters of 32 bytes in base64url.
const SECRET_CHARS: usize = 43;
const MAC_BYTES: usize = 16;

/// The part of a link behind `/r/`. `Debug` prints nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkToken {
    text: String,
    secret: std::ops::Range<usize>,
}

impl fmt::Debug for LinkToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkToken(…)")
    }
}

impl LinkToken {
    /// The token of a secret.
    pub(super) fn new(key: &hmac::Key, secret: &[u8; 32]) -> Self {
        let secret = URL_SAFE_NO_PAD.encode(secret);
        let mac = mac(key, KEY_ID, &secret);
        let start = "v1.".len() + KEY_ID.len() + 1;
        Self {
            secret: start..start + secret.len(),
            text: format!("v1.{KEY_ID}.{secret}.{mac}"),
        }
    }

    /// The token that `text` is, to the last character; `None`: nothing that was made here.
    pub(super) fn parse(key: &hmac::Key, text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (version, kid, secret, found) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let well_formed = parts.next().is_none()
            && version == "v1"
            && kid == KEY_ID
            && secret.len() == SECRET_CHARS;
        if !well_formed {
            return None;
        }
        // Compared as text: base64url has more than one text of some bytes.
        let is_ours: bool = mac(key, kid, secret)
            .as_bytes()
            .ct_eq(found.as_bytes())
            .into();
        let start = version.len() + kid.len() + 2;
        is_ours.then(|| Self {
            secret: start..start + secret.len(),
            text: text.to_owned(),
        })
    }

    /// The text, for the URL.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// The hash under which the link's row stands.
    pub(super) fn hash(&self) -> String {
        let secret = self.text.get(self.secret.clone()).unwrap_or_default();
        id::hex(ring::digest::digest(&ring::digest::SHA256, secret.as_bytes()).as_ref())
    }
}

fn mac(key: &hmac::Key, kid: &str, secret: &str) -> String {
    let mac = mac_of(key, &["link", kid, secret]);
    URL_SAFE_NO_PAD.encode(mac.get(..MAC_BYTES).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[7; 32])
    }

    proptest! {
        #[test]
        fn what_was_made_is_read_and_nothing_else(secret: [u8; 32], at in 0_usize..70, to: char, other: [u8; 32]) {
            let token = LinkToken::new(&key(), &secret);
            let text = token.reveal().to_owned();
            prop_assert_eq!(LinkToken::parse(&key(), &text), Some(token));
            let changed: String = text.chars().enumerate().map(|(i, c)| if i == at { to } else { c }).collect();
            if changed != text {
                prop_assert_eq!(LinkToken::parse(&key(), &changed), None);
            }
            prop_assert_eq!(LinkToken::parse(&hmac::Key::new(hmac::HMAC_SHA256, &other), &text), None);
        }

        #[test]
        fn no_text_is_too_strange(text in ".{0,200}") {
            prop_assert_eq!(LinkToken::parse(&key(), &text), None);
        }
    }
}
