//! Recovery codes: each opens once, for who has lost the second factor.

use ring::hmac;
use ringfence_ports::{KeysError, Random};
use serde::{Deserialize, Serialize};

use crate::{App, derived::mac_of, id};

/// How many a person gets.
pub const COUNT: u8 = 10;

/// Characters of a code: 50 random bits.
const CHARS: usize = 10;

/// Without what is easily taken for another.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKMNPQRSTVWXYZ23456789UL";

/// The codes that are left, as keyed hashes.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct RecoveryCodes(Vec<String>);

impl RecoveryCodes {
    pub(crate) fn left(&self) -> u8 {
        u8::try_from(self.0.len()).unwrap_or(u8::MAX)
    }

    fn without(&self, hash: &str) -> Option<Self> {
        let left: Vec<_> = self
            .0
            .iter()
            .filter(|kept| *kept != hash)
            .cloned()
            .collect();
        (left.len() < self.0.len()).then_some(Self(left))
    }
}

/// Ten new codes, `XXXXX-XXXXX`.
fn generate(random: &dyn Random) -> Vec<String> {
    (0..COUNT)
        .map(|_| {
            let mut bytes = [0; CHARS];
            random.fill(&mut bytes);
            let mut text: String = bytes
                .iter()
                .map(|byte| char::from(ALPHABET[usize::from(byte & 31)]))
                .collect();
            text.insert(CHARS / 2, '-');
            text
        })
        .collect()
}

/// A code as it was typed, if it has the form of one.
fn normalised(text: &str) -> Option<String> {
    let code: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let fits = code.len() == CHARS && code.bytes().all(|b| ALPHABET.contains(&b));
    fits.then_some(code)
}

fn hash(key: &hmac::Key, user: &str, code: &str) -> String {
    id::hex(&mac_of(key, &[user, code]))
}

impl App {
    /// New codes of a person: to show once, and to store.
    pub(crate) async fn new_recovery_codes(
        &self,
        user: &str,
    ) -> Result<(Vec<String>, RecoveryCodes), KeysError> {
        let key = self.derived_key("recovery-code").await?;
        let codes = generate(&*self.random);
        let hashes = codes
            .iter()
            .filter_map(|code| normalised(code))
            .map(|code| hash(&key, user, &code))
            .collect();
        Ok((codes, RecoveryCodes(hashes)))
    }

    /// What is left once `code` is used; `None`: it is none of them.
    pub(crate) async fn use_recovery_code(
        &self,
        user: &str,
        codes: &RecoveryCodes,
        code: &str,
    ) -> Result<Option<RecoveryCodes>, KeysError> {
        let Some(code) = normalised(code) else {
            return Ok(None);
        };
        let key = self.derived_key("recovery-code").await?;
        Ok(codes.without(&hash(&key, user, &code)))
    }
}

#[cfg(test)]
mod tests {
    use ringfence_ports::contract::TestRandom;

    use super::*;

    #[test]
    fn codes_are_their_own_and_read_as_people_type_them() {
        let mut codes = generate(&TestRandom::new(3));
        let typed = codes[0].to_lowercase().replace('-', " ");
        assert_eq!(normalised(&typed), normalised(&codes[0]));
        assert!(
            codes
                .iter()
                .all(|code| code.len() == 11 && normalised(code).is_some())
        );
        codes.sort();
        codes.dedup();
        assert_eq!(codes.len(), usize::from(COUNT));
        for wrong in ["", "ABCDE", "ABCDE-FGHJKM", "ABCDE-FGHI0"] {
            assert_eq!(normalised(wrong), None);
        }
        let mut alphabet = ALPHABET.to_vec();
        alphabet.sort_unstable();
        alphabet.dedup();
        assert_eq!(alphabet.len(), 32);
    }
}
