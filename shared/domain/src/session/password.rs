//! Passwords: which are taken, and how one is kept.
//!
//! The rules are those of NIST SP 800-63B-4 section 3.1.1.2: a length, a list of what is refused, and no
//! demands on the kinds of characters. The same password typed on another system is the same: it is
//! prepared as an `OpaqueString` (RFC 8265 section 4.2.2), that is, every space becomes the plain one, and
//! what keyboards compose in different ways becomes the same (Unicode NFC).

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use icu_normalizer::ComposingNormalizerBorrowed;
use jiff::Timestamp;
use ringfence_ports::KeysError;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::{App, id};

/// The fewest characters of a password that opens by itself (SP 800-63B-4: 15 for single-factor use).
pub const MIN_CHARS: usize = 15;
/// The fewest characters where the agency requires a second factor beside it (SP 800-63B-4: 8).
pub const MIN_CHARS_WITH_SECOND_FACTOR: usize = 8;
/// The most characters (SP 800-63B-4 asks for at least 64 to be taken).
pub const MAX_CHARS: usize = 256;

/// The most bytes of a password that is looked at at all.
const MAX_BYTES: usize = 4 * MAX_CHARS;

static COMMON: &str = include_str!("common_passwords.txt");

/// A password in the clear. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// What was given, prepared; `None`: longer than any that is taken.
    pub fn given(text: &str) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        // The category Zs, without the space itself.
        let is_space = |c| {
            matches!(
                c,
                '\u{a0}' | '\u{1680}' | '\u{2000}'
                    ..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
            )
        };
        let text = text.replace(is_space, " ");
        let nfc = ComposingNormalizerBorrowed::new_nfc().normalize(&text);
        Some(Self(nfc.into_owned()))
    }

    /// Whether it may be set, by somebody of whom `about` (mail address, name) is known. The error says
    /// why not.
    pub fn check(&self, min_chars: usize, about: &[&str]) -> Result<(), Refused> {
        let chars = self.0.chars().count();
        if chars < min_chars {
            return Err(Refused::TooShort(min_chars));
        }
        if chars > MAX_CHARS {
            return Err(Refused::TooLong);
        }
        let lower = self.0.to_lowercase();
        // "password2026!!!" is what people make of "password" when they are asked for more.
        let core = lower.trim_matches(|c: char| !c.is_alphabetic());
        let mut distinct: Vec<char> = lower.chars().collect();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() < 5 || core.is_empty() || is_common(&lower) || is_common(core) {
            return Err(Refused::Common);
        }
        let is_about = about
            .iter()
            .map(|known| known.to_lowercase())
            .chain(["ringfence".to_owned()])
            .any(|known| !known.is_empty() && (lower == known || core == known));
        if is_about {
            return Err(Refused::AboutYou);
        }
        Ok(())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

fn is_common(lower: &str) -> bool {
    COMMON
        .lines()
        .skip_while(|line| line.starts_with('#'))
        .any(|common| common == lower)
}

/// Why a password may not be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It has fewer characters than this.
    #[error("must have at least {0} characters; several words in a row make a good one")]
    TooShort(usize),
    /// It has more than [`MAX_CHARS`].
    #[error("must have at most {MAX_CHARS} characters")]
    TooLong,
    /// It is one of the first that anybody would guess.
    #[error("is one of the most common passwords, or one of them with digits around it")]
    Common,
    /// It is the person's own name or address.
    #[error("must not be your name or mail address")]
    AboutYou,
}

impl Refused {
    /// A stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooShort(_) => "too_short",
            Self::TooLong => "too_long",
            Self::Common => "too_common",
            Self::AboutYou => "about_you",
        }
    }
}

/// A password as it is stored. `Debug` shows its version only.
#[derive(Clone, Serialize, Deserialize)]
pub struct StoredPassword {
    /// Random, new each time a password is set: failures count for one password only.
    pub(crate) version: String,
    /// When it was set.
    pub(crate) set_at: Timestamp,
    salt: String,
    hash: String,
}

impl fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredPassword")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl App {
    /// A password of `user` to be stored.
    pub(crate) async fn store_password(
        &self,
        user: &str,
        password: Password,
    ) -> Result<StoredPassword, KeysError> {
        let (mut salt, mut version) = ([0; 16], [0; 8]);
        self.random.fill(&mut salt);
        self.random.fill(&mut version);
        let hash = self.hash_password(user, password, salt.to_vec()).await?;
        Ok(StoredPassword {
            version: id::hex(&version),
            set_at: self.clock.now(),
            salt: STANDARD_NO_PAD.encode(salt),
            hash: STANDARD_NO_PAD.encode(hash),
        })
    }

    /// Whether `password` is the one stored for `user`. Without one it takes as long, and is not.
    pub(crate) async fn is_password(
        &self,
        user: &str,
        stored: Option<&StoredPassword>,
        password: Password,
    ) -> Result<bool, KeysError> {
        let decode = |text: &str| STANDARD_NO_PAD.decode(text).map_err(|_| KeysError::Refused);
        let (salt, expected) = match stored {
            Some(stored) => (decode(&stored.salt)?, decode(&stored.hash)?),
            None => (vec![0; 16], vec![0; 32]),
        };
        let hash = self.hash_password(user, password, salt).await?;
        let is_same: bool = hash.as_slice().ct_eq(&expected).into();
        Ok(is_same && stored.is_some())
    }

    /// Argon2id as for PINs ([`crate::pin`]), with as many at a time.
    async fn hash_password(
        &self,
        user: &str,
        password: Password,
        salt: Vec<u8>,
    ) -> Result<[u8; 32], KeysError> {
        let unavailable = || KeysError::Unavailable("a password cannot be hashed".to_owned());
        let pepper = self.keys.mac(&format!("password/{user}"), &salt).await?;
        let _place = self.pin_places.acquire().await.map_err(|_| unavailable())?;
        let hasher = self.pin_hasher.clone();
        tokio::task::spawn_blocking(move || hasher.hash(password.0.as_bytes(), &salt, &pepper))
            .await
            .map_err(|_| unavailable())?
            .ok_or_else(unavailable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), Refused> {
        Password::given(text)
            .unwrap()
            .check(15, &["ada@example.com", "Ada Lovelace-Byron"])
    }

    #[test]
    fn length_and_the_common_ones_decide_and_nothing_else() {
        for good in [
            "correct horse battery",
            "das ist mein haus",
            "ÄÖÜß ñandú über alles",
            "aq9!aq9!aq9!aq9!zz",
            "               five words",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("", Refused::TooShort(15)),
            ("fourteen chars", Refused::TooShort(15)),
            ("1234567890123456789", Refused::Common),
            ("aaaaaaaaaaaaaaaaaaa", Refused::Common),
            ("Password123456789", Refused::Common),
            ("!!!iloveyou!!!!!!!!2026", Refused::Common),
            ("1q2w3e4r5t6y7u8i9o0p", Refused::Common),
            ("ADA@EXAMPLE.COM", Refused::AboutYou),
            ("ada lovelace-byron1815", Refused::AboutYou),
            ("ringfence2026-11-21", Refused::AboutYou),
        ] {
            assert_eq!(check(bad), Err(why), "{bad}");
        }
        let long = "ab cd ef gh ".repeat(30);
        assert_eq!(check(&long), Err(Refused::TooLong));
        assert!(Password::given(&"x".repeat(MAX_BYTES + 1)).is_none());
        let password = Password::given("correct horse battery").unwrap();
        assert_eq!(format!("{password:?}"), "Password(..)");
    }

    #[test]
    fn a_password_is_the_same_however_it_is_typed_and_counts_what_one_sees() {
        let of = |text: &str| Password::given(text).unwrap().0;
        // One letter, or a letter and its mark.
        assert_eq!(of("u\u{308}ber"), of("\u{fc}ber"));
        assert_eq!(of("\u{1112}\u{1161}\u{11ab}"), of("\u{d55c}"));
        assert_eq!(of("two\u{a0}words\u{3000}here"), of("two words here"));
        // Nothing else is changed: neither case, nor what only looks alike.
        for (one, other) in [
            ("A", "a"),
            ("\u{fb01}", "fi"),
            ("\u{ff21}", "A"),
            (" a", "a"),
        ] {
            assert_ne!(of(one), of(other));
        }
        let composed = "a\u{308}o\u{308}u\u{308} fourteen";
        assert_eq!(check(composed), Err(Refused::TooShort(15)), "12 characters");
    }

    #[test]
    fn the_list_has_thousands_of_lower_case_passwords() {
        let common: Vec<_> = COMMON
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect();
        assert!(common.len() > 8_000, "{}", common.len());
        assert!(
            common
                .iter()
                .all(|line| *line == line.to_lowercase() && line.len() >= 8)
        );
        assert!(is_common("football1"));
    }
}
