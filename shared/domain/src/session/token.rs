//! Secrets that are handed out once and found again by their hash.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ringfence_ports::Random;

use crate::id;

/// 256 random bits in base64url. `Debug` shows nothing of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new one.
    pub fn new(random: &dyn Random) -> Self {
        let mut bytes = [0; 32];
        random.fill(&mut bytes);
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The one that `text` is, if it has the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.len() == 43
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        fits.then(|| Self(text.to_owned()))
    }

    /// The text, for whoever it is meant for.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Under which it is stored: hexadecimal SHA-256. A plain hash is enough for what cannot be guessed.
    pub fn hash(&self) -> String {
        id::hex(ring::digest::digest(&ring::digest::SHA256, self.0.as_bytes()).as_ref())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// A token with whose it is: `{user}.{token}`, so that what it stands for is found beside the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// `usr_…`
    pub user: String,
    /// The secret.
    pub token: Token,
}

impl Ticket {
    /// A new one.
    pub(crate) fn new(user: &str, random: &dyn Random) -> Self {
        Self {
            user: user.to_owned(),
            token: Token::new(random),
        }
    }

    /// Reads one.
    pub fn parse(text: &str) -> Option<Self> {
        let (user, token) = text.split_once('.')?;
        if !id::Kind::User.matches(user) {
            return None;
        }
        Some(Self {
            user: user.to_owned(),
            token: Token::parse(token)?,
        })
    }

    /// The text, for whoever it is meant for.
    pub fn reveal(&self) -> String {
        format!("{}.{}", self.user, self.token.reveal())
    }
}

#[cfg(test)]
mod tests {
    use ringfence_ports::contract::TestRandom;

    use super::*;

    #[test]
    fn a_ticket_is_read_as_it_was_made_and_nothing_else_is() {
        let user = format!("usr_{}", "0a".repeat(16));
        let ticket = Ticket::new(&user, &TestRandom::new(1));
        let text = ticket.reveal();
        assert_eq!(Ticket::parse(&text).as_ref(), Some(&ticket));
        assert!(!format!("{ticket:?}").contains(ticket.token.reveal()));
        for wrong in [
            "",
            ".",
            user.as_str(),
            &text[1..],
            &text[..text.len() - 1],
            &format!("{text}="),
            &text.replace("usr_", "acc_"),
            &format!("{user}.{}", "+".repeat(43)),
        ] {
            assert_eq!(Ticket::parse(wrong), None, "{wrong}");
        }
    }
}
