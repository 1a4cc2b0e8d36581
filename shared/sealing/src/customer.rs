use ringfence_ports::Random;
use rsa::{
    Oaep, RsaPublicKey,
    pkcs8::{DecodePublicKey as _, EncodePublicKey as _},
    rand_core::{CryptoRng, RngCore},
    traits::PublicKeyParts as _,
};
use sha2::{Digest as _, Sha256};

use crate::DataKey;

/// PEM of a 4,096-bit key has 800 bytes.
const MAX_PEM_BYTES: usize = 8 * 1024;
const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;
const EXPONENT: u32 = 65_537;

/// Why a customer's public key is not taken. The sender is told so.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CustomerKeyError {
    /// It is not an RSA public key in PEM (`-----BEGIN PUBLIC KEY-----`, RFC 5280's
    /// `SubjectPublicKeyInfo`).
    #[error("this is not an RSA public key in PEM (BEGIN PUBLIC KEY)")]
    Format,
    /// Somebody sent us a secret.
    #[error("this is a private key: keep it, and send the public one")]
    Private,
    /// Too short to protect, or too long to be meant.
    #[error("an RSA key has 2,048 to 4,096 bits; this one has {0}")]
    Size(usize),
    /// An exponent that is unsafe or unusual.
    #[error("the RSA key's public exponent must be 65,537")]
    Exponent,
    /// The key does not encrypt.
    #[error("the RSA key cannot encrypt")]
    Unusable,
}

/// A customer's own RSA public key: what is wrapped for it, only they can open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerKey(RsaPublicKey);

impl CustomerKey {
    /// From PEM, strictly: 2,048 to 4,096 bits, exponent 65,537, nothing around it but white space.
    pub fn from_pem(pem: &str) -> Result<Self, CustomerKeyError> {
        let pem = pem.trim();
        if pem.contains("PRIVATE KEY") {
            return Err(CustomerKeyError::Private);
        }
        if pem.len() > MAX_PEM_BYTES {
            return Err(CustomerKeyError::Format);
        }
        // Line ends of Windows are nobody's fault.
        let pem = pem.replace("\r\n", "\n");
        let key = RsaPublicKey::from_public_key_pem(&pem).map_err(|_| CustomerKeyError::Format)?;
        let bits = key.n().bits();
        if !MODULUS_BITS.contains(&bits) {
            return Err(CustomerKeyError::Size(bits));
        }
        if *key.e() != EXPONENT.into() {
            return Err(CustomerKeyError::Exponent);
        }
        Ok(Self(key))
    }

    /// SHA-256 of the key's DER (RFC 5280's `SubjectPublicKeyInfo`): which key it is.
    pub fn fingerprint(&self) -> Result<[u8; 32], CustomerKeyError> {
        let der = self
            .0
            .to_public_key_der()
            .map_err(|_| CustomerKeyError::Unusable)?;
        Ok(Sha256::digest(der.as_bytes()).into())
    }

    /// Wraps a data key with RSAES-OAEP, SHA-256 for hash and MGF1, empty label (RFC 8017 section 7.1).
    pub fn wrap(&self, key: &DataKey, random: &dyn Random) -> Result<Vec<u8>, CustomerKeyError> {
        self.0
            .encrypt(&mut Rng(random), Oaep::new::<Sha256>(), key.bytes())
            .map_err(|_| CustomerKeyError::Unusable)
    }
}

/// The port's randomness, as the RSA crate takes it.
struct Rng<'a>(&'a dyn Random);

impl RngCore for Rng<'_> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
        self.0.fill(bytes);
        Ok(())
    }
}

/// The port says that it is cryptographically secure.
impl CryptoRng for Rng<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use ringfence_ports::contract::TestRandom;
    use rsa::{RsaPrivateKey, pkcs8::DecodePrivateKey as _};

    // Made with openssl for this test; it protects nothing.
    const PRIVATE: &str = include_str!("../tests/customer.private.pem");
    const PUBLIC: &str = include_str!("../tests/customer.public.pem");
    const WEAK: &str = include_str!("../tests/weak.public.pem");
    const ELLIPTIC: &str = include_str!("../tests/elliptic.public.pem");

    #[test]
    fn only_the_customer_opens_what_was_wrapped_for_them() {
        let random = TestRandom::new(7);
        let key = DataKey::generate(&random);
        let customer = CustomerKey::from_pem(PUBLIC).unwrap();
        let wrapped = customer.wrap(&key, &random).unwrap();
        assert_eq!(wrapped.len(), 256);
        assert_ne!(wrapped, customer.wrap(&key, &random).unwrap());
        let private = RsaPrivateKey::from_pkcs8_pem(PRIVATE).unwrap();
        let opened = private.decrypt(Oaep::new::<Sha256>(), &wrapped).unwrap();
        assert_eq!(opened, key.bytes());
        let mut changed = wrapped;
        changed[100] ^= 1;
        assert!(private.decrypt(Oaep::new::<Sha256>(), &changed).is_err());
    }

    #[test]
    fn line_ends_and_space_around_do_not_matter() {
        let windows = format!("\r\n {}\r\n", PUBLIC.trim().replace('\n', "\r\n"));
        assert_eq!(
            CustomerKey::from_pem(&windows),
            CustomerKey::from_pem(PUBLIC)
        );
    }

    #[test]
    fn what_is_no_fit_key_is_refused_with_its_reason() {
        assert_eq!(
            CustomerKey::from_pem(PRIVATE),
            Err(CustomerKeyError::Private)
        );
        assert_eq!(
            CustomerKey::from_pem(WEAK),
            Err(CustomerKeyError::Size(1024))
        );
        let cut = &PUBLIC[..PUBLIC.len() / 2];
        for text in ["", "ssh-rsa AAAA", ELLIPTIC, cut, &"x".repeat(10_000)] {
            assert_eq!(
                CustomerKey::from_pem(text),
                Err(CustomerKeyError::Format),
                "{text}"
            );
        }
    }
}
