//! PINs: how one is kept, and what guessing costs ([`gate`]).

pub mod gate;

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use ringfence_ports::KeysError;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::{App, id};

pub use gate::{PinError, Unlocked};

/// The fewest digits of a PIN.
pub const MIN_PIN_DIGITS: usize = 4;
/// The most digits of a PIN.
pub const MAX_PIN_DIGITS: usize = 12;

/// Memory of one hash, in KiB (OWASP Password Storage: 19 MiB, two passes, one lane).
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// How many hashes a process computes at a time: what bounds the memory of a burst.
pub const MAX_CONCURRENT_HASHES: usize = 4;

/// A PIN in the clear. `Debug` prints nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin(String);

impl Pin {
    /// The PIN that `text` is: [`MIN_PIN_DIGITS`] to [`MAX_PIN_DIGITS`] ASCII digits.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (MIN_PIN_DIGITS..=MAX_PIN_DIGITS).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| Self(text.to_owned()))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(…)")
    }
}

/// A PIN as it is stored. `Debug` shows its version only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPin {
    /// Random, new each time a PIN is set: what a right PIN opens is bound to it.
    pub version: String,
    salt: String,
    hash: String,
}

impl fmt::Debug for StoredPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredPin")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// Computes the hash of a PIN or password: about 20 ms of a core. Passed in, so that tests can count.
pub trait PinHasher: Send + Sync {
    /// 32 bytes that the PIN or password, the salt and the pepper determine; `None`: the machine lacks the memory.
    fn hash(&self, pin: &[u8], salt: &[u8], pepper: &[u8]) -> Option<[u8; 32]>;
}

/// Argon2id (RFC 9106), 19 MiB, two passes, the pepper as its secret.
#[derive(Clone, Copy, Debug)]
pub struct Argon2Pins;

impl PinHasher for Argon2Pins {
    fn hash(&self, pin: &[u8], salt: &[u8], pepper: &[u8]) -> Option<[u8; 32]> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(32)).ok()?;
        let argon2 =
            Argon2::new_with_secret(pepper, Algorithm::Argon2id, Version::V0x13, params).ok()?;
        let mut hash = [0; 32];
        argon2.hash_password_into(pin, salt, &mut hash).ok()?;
        Some(hash)
    }
}

impl App {
    /// A PIN of `owner` (an account, an agency, a recording) to be stored.
    pub(crate) async fn store_pin(&self, owner: &str, pin: Pin) -> Result<StoredPin, KeysError> {
        let (mut salt, mut version) = ([0; 16], [0; 8]);
        self.random.fill(&mut salt);
        self.random.fill(&mut version);
        let hash = self.hash_pin(owner, pin, salt.to_vec()).await?;
        Ok(StoredPin {
            version: id::hex(&version),
            salt: STANDARD_NO_PAD.encode(salt),
            hash: STANDARD_NO_PAD.encode(hash),
        })
    }

    /// Whether `pin` is the one that `stored` keeps for `owner`.
    async fn is_pin(&self, owner: &str, stored: &StoredPin, pin: Pin) -> Result<bool, KeysError> {
        let decode = |text: &str| STANDARD_NO_PAD.decode(text).map_err(|_| KeysError::Refused);
        let expected = decode(&stored.hash)?;
        let hash = self.hash_pin(owner, pin, decode(&stored.salt)?).await?;
        Ok(hash.as_slice().ct_eq(&expected).into())
    }

    async fn hash_pin(&self, owner: &str, pin: Pin, salt: Vec<u8>) -> Result<[u8; 32], KeysError> {
        let unavailable = || KeysError::Unavailable("a PIN cannot be hashed".to_owned());
        let pepper = self.keys.mac(&format!("pin/{owner}"), &salt).await?;
        let _place = self.pin_places.acquire().await.map_err(|_| unavailable())?;
        let hasher = self.pin_hasher.clone();
        tokio::task::spawn_blocking(move || hasher.hash(pin.0.as_bytes(), &salt, &pepper))
            .await
            .map_err(|_| unavailable())?
            .ok_or_else(unavailable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_has_four_to_twelve_ascii_digits() {
        for good in ["0000", "1234", "123456789012"] {
            assert!(Pin::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "123",
            "1234567890123",
            "12a4",
            " 1234",
            "１２３４",
            "12 34",
        ] {
            assert!(Pin::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(format!("{:?}", Pin::parse("4711").unwrap()), "Pin(…)");
    }

    #[test]
    fn salt_and_pepper_both_matter() {
        let hash = |salt: &[u8], pepper: &[u8]| Argon2Pins.hash(b"4711", salt, pepper).unwrap();
        let first = hash(&[1; 16], &[2; 32]);
        assert_eq!(first, hash(&[1; 16], &[2; 32]));
        assert_ne!(first, hash(&[3; 16], &[2; 32]));
        assert_ne!(first, hash(&[1; 16], &[4; 32]));
    }
}
