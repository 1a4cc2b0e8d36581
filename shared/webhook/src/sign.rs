//! Signatures of [Standard Webhooks 1.0.0]: symmetric `v1` (HMAC-SHA256, [`Secret`]) and asymmetric
//! `v1a` (Ed25519, [`SigningKey`] and [`VerifyingKey`]).
//!
//! What is signed is `{id}.{timestamp}.{raw body}`; an id therefore never holds a full stop.
//!
//! [Standard Webhooks 1.0.0]: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use subtle::ConstantTimeEq as _;

/// Fewest random bytes in a symmetric secret (192 bits).
pub const SECRET_MIN_BYTES: usize = 24;
/// Most random bytes in a symmetric secret (512 bits).
pub const SECRET_MAX_BYTES: usize = 64;
/// The tolerance the specification's own libraries use for a timestamp, in both directions.
pub const DEFAULT_TOLERANCE: Duration = Duration::from_secs(5 * 60);

const SECRET_PREFIX: &str = "whsec_";
const SIGNING_PREFIX: &str = "whsk_";
const VERIFYING_PREFIX: &str = "whpk_";

const SEED_BYTES: usize = 32;
const PUBLIC_BYTES: usize = 32;

/// More signatures than any rotation sends; bounds what a hostile header costs a receiver.
const MAX_SIGNATURES: usize = 32;
/// Longest message id accepted, in bytes.
const MAX_ID_BYTES: usize = 256;

/// Why a key could not be read. Never holds any part of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The prefix is none that this kind of key has.
    #[error("the key must start with {0}")]
    Prefix(&'static str),
    /// What follows the prefix is not standard, padded base64.
    #[error("the key is not valid base64")]
    Base64,
    /// A symmetric secret is shorter than 24 or longer than 64 bytes.
    #[error("a secret must be {SECRET_MIN_BYTES} to {SECRET_MAX_BYTES} bytes long")]
    SecretLength,
    /// An Ed25519 key has another length than its form has, or its public half is not its own.
    #[error("the key is not a valid Ed25519 key")]
    Ed25519,
}

/// Why a message could not be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The id is empty, longer than 256 bytes, or holds a full stop or anything but visible ASCII.
    #[error(
        "a message id must be 1 to {MAX_ID_BYTES} visible ASCII characters without a full stop"
    )]
    Id,
    /// The timestamp is before 1970.
    #[error("the timestamp must not be negative")]
    Timestamp,
}

/// Why a message was not accepted by [`verify`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The id cannot be one of a signed message (see [`SignError::Id`]).
    #[error("the webhook-id header is missing or malformed")]
    Id,
    /// The timestamp is not a whole number of seconds.
    #[error("the webhook-timestamp header is missing or malformed")]
    Timestamp,
    /// The timestamp lies further in the past than the tolerance: a replay, or a slow clock.
    #[error("the message is too old")]
    TooOld,
    /// The timestamp lies further in the future than the tolerance.
    #[error("the message is from the future")]
    TooNew,
    /// No signature of a known version was made by one of the keys over this id, time and body.
    #[error("no signature matches")]
    NoMatch,
}

/// A symmetric secret: 24 to 64 random bytes, written `whsec_` and base64.
///
/// Holds the HMAC key with its padding already hashed, so that signing costs the message only.
#[derive(Clone)]
pub struct Secret {
    bytes: Vec<u8>,
    key: hmac::Key,
}

impl Secret {
    /// Makes a secret of random bytes that the caller drew (32 is a good number).
    pub fn from_random(bytes: &[u8]) -> Result<Self, KeyError> {
        if !(SECRET_MIN_BYTES..=SECRET_MAX_BYTES).contains(&bytes.len()) {
            return Err(KeyError::SecretLength);
        }
        Ok(Self {
            bytes: bytes.to_vec(),
            key: hmac::Key::new(hmac::HMAC_SHA256, bytes),
        })
    }

    /// The secret as shown to a customer once and stored encrypted: `whsec_…`.
    pub fn reveal(&self) -> String {
        format!("{SECRET_PREFIX}{}", STANDARD.encode(&self.bytes))
    }

    fn tag(&self, id: &str, timestamp: &str, body: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(id.as_bytes());
        context.update(b".");
        context.update(timestamp.as_bytes());
        context.update(b".");
        context.update(body);
        context.sign()
    }
}

impl FromStr for Secret {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::from_random(&decode(text, SECRET_PREFIX)?)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(whsec_***)")
    }
}

/// An Ed25519 key pair that signs, written `whsk_` and base64 of seed and public key (64 bytes, the
/// form of the Svix server). The bare seed (32 bytes, the form of the specification's Go library)
/// is read as well.
#[derive(Clone)]
pub struct SigningKey {
    seed: [u8; SEED_BYTES],
    pair: Arc<Ed25519KeyPair>,
}

impl SigningKey {
    /// Makes a key pair of a random seed that the caller drew.
    pub fn from_seed(seed: [u8; SEED_BYTES]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| KeyError::Ed25519)?;
        Ok(Self {
            seed,
            pair: Arc::new(pair),
        })
    }

    /// The private key as stored encrypted, never shown to a receiver: `whsk_…`.
    pub fn reveal(&self) -> String {
        let mut bytes = self.seed.to_vec();
        bytes.extend_from_slice(self.pair.public_key().as_ref());
        format!("{SIGNING_PREFIX}{}", STANDARD.encode(bytes))
    }

    /// The public half, for receivers.
    pub fn verifying_key(&self) -> VerifyingKey {
        let mut bytes = [0; PUBLIC_BYTES];
        bytes.copy_from_slice(self.pair.public_key().as_ref());
        VerifyingKey { bytes }
    }
}

impl FromStr for SigningKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = decode(text, SIGNING_PREFIX)?;
        let (seed, public) = bytes
            .split_at_checked(SEED_BYTES)
            .ok_or(KeyError::Ed25519)?;
        let key = Self::from_seed(seed.try_into().map_err(|_| KeyError::Ed25519)?)?;
        // A public half of another pair would let whoever supplied it learn the private key from
        // two signatures.
        if public.is_empty() || public == key.pair.public_key().as_ref() {
            Ok(key)
        } else {
            Err(KeyError::Ed25519)
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(whsk_***)")
    }
}

/// The public half of a [`SigningKey`], written `whpk_` and base64 of its 32 bytes. Not secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VerifyingKey {
    bytes: [u8; PUBLIC_BYTES],
}

impl FromStr for VerifyingKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = decode(text, VERIFYING_PREFIX)?;
        Ok(Self {
            bytes: bytes.try_into().map_err(|_| KeyError::Ed25519)?,
        })
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERIFYING_PREFIX}{}", STANDARD.encode(self.bytes))
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({self})")
    }
}

/// A key that signs.
#[derive(Clone, Debug)]
pub enum Key {
    /// `whsec_…`, signs as `v1`.
    Symmetric(Secret),
    /// `whsk_…`, signs as `v1a`.
    Asymmetric(SigningKey),
}

impl Key {
    /// The key as stored encrypted: `whsec_…` or `whsk_…`.
    pub fn reveal(&self) -> String {
        match self {
            Self::Symmetric(secret) => secret.reveal(),
            Self::Asymmetric(key) => key.reveal(),
        }
    }

    /// What a receiver needs to verify this key's signatures.
    pub fn verifier(&self) -> Verifier {
        match self {
            Self::Symmetric(secret) => Verifier::Symmetric(secret.clone()),
            Self::Asymmetric(key) => Verifier::Asymmetric(key.verifying_key()),
        }
    }

    /// What a receiver is given, once: `whsec_…`, or the public `whpk_…`.
    pub fn reveal_for_receiver(&self) -> String {
        match self {
            Self::Symmetric(secret) => secret.reveal(),
            Self::Asymmetric(key) => key.verifying_key().to_string(),
        }
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text.starts_with(SIGNING_PREFIX) {
            text.parse().map(Self::Asymmetric)
        } else if text.starts_with(SECRET_PREFIX) {
            text.parse().map(Self::Symmetric)
        } else {
            Err(KeyError::Prefix("whsec_ or whsk_"))
        }
    }
}

/// A key that verifies.
#[derive(Clone, Debug)]
pub enum Verifier {
    /// `whsec_…`, verifies `v1`.
    Symmetric(Secret),
    /// `whpk_…`, verifies `v1a`.
    Asymmetric(VerifyingKey),
}

impl FromStr for Verifier {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text.starts_with(VERIFYING_PREFIX) {
            text.parse().map(Self::Asymmetric)
        } else if text.starts_with(SECRET_PREFIX) {
            text.parse().map(Self::Symmetric)
        } else {
            Err(KeyError::Prefix("whsec_ or whpk_"))
        }
    }
}

/// Signs a message with every key and returns the value of the `webhook-signature` header: one
/// signature a key, in the order of the keys, with a space between. Put the newest key first.
///
/// `timestamp` is the time of this attempt in Unix seconds; `body` the exact bytes that are sent.
pub fn sign(keys: &[Key], id: &str, timestamp: i64, body: &[u8]) -> Result<String, SignError> {
    if timestamp < 0 {
        return Err(SignError::Timestamp);
    }
    sign_text(keys, id, &timestamp.to_string(), body)
}

/// [`sign`] for a caller that has the timestamp as text already.
pub(crate) fn sign_text(
    keys: &[Key],
    id: &str,
    timestamp: &str,
    body: &[u8],
) -> Result<String, SignError> {
    if !is_id(id) {
        return Err(SignError::Id);
    }
    let mut header = String::with_capacity(keys.len() * 96);
    for key in keys {
        if !header.is_empty() {
            header.push(' ');
        }
        match key {
            Key::Symmetric(secret) => {
                header.push_str("v1,");
                STANDARD.encode_string(secret.tag(id, timestamp, body), &mut header);
            }
            Key::Asymmetric(key) => {
                header.push_str("v1a,");
                // Ed25519 hashes its message twice, so it needs it in one piece.
                let signature = key.pair.sign(&signed_content(id, timestamp, body));
                STANDARD.encode_string(signature, &mut header);
            }
        }
    }
    Ok(header)
}

/// Verifies a received message: accepts it when any signature of the header was made by any of the
/// keys over this id, timestamp and body, and the timestamp is within `tolerance` of `now`.
///
/// `id`, `timestamp` and `signatures` are the values of the three headers as received; `now` is in
/// Unix seconds. Signatures of unknown versions are skipped. Comparison takes constant time.
pub fn verify(
    keys: &[Verifier],
    id: &str,
    timestamp: &str,
    signatures: &str,
    body: &[u8],
    now: i64,
    tolerance: Duration,
) -> Result<(), VerifyError> {
    if !is_id(id) {
        return Err(VerifyError::Id);
    }
    let seconds = parse_timestamp(timestamp).ok_or(VerifyError::Timestamp)?;
    let tolerance = i64::try_from(tolerance.as_secs()).unwrap_or(i64::MAX);
    if seconds < now.saturating_sub(tolerance) {
        return Err(VerifyError::TooOld);
    }
    if seconds > now.saturating_add(tolerance) {
        return Err(VerifyError::TooNew);
    }
    let expected: Vec<Expected<'_>> = keys
        .iter()
        .map(|key| match key {
            Verifier::Symmetric(secret) => Expected::Tag(secret.tag(id, timestamp, body)),
            Verifier::Asymmetric(key) => Expected::Public(key),
        })
        .collect();
    let mut content = None;
    for signature in signatures.split(' ').take(MAX_SIGNATURES) {
        let Some((version, encoded)) = signature.split_once(',') else {
            continue;
        };
        let Ok(bytes) = STANDARD.decode(encoded) else {
            continue;
        };
        for key in &expected {
            let matches = match (version, key) {
                ("v1", Expected::Tag(tag)) => bool::from(tag.as_ref().ct_eq(&bytes)),
                ("v1a", Expected::Public(key)) => {
                    let content =
                        content.get_or_insert_with(|| signed_content(id, timestamp, body));
                    UnparsedPublicKey::new(&ED25519, key.bytes)
                        .verify(content, &bytes)
                        .is_ok()
                }
                _ => false,
            };
            if matches {
                return Ok(());
            }
        }
    }
    Err(VerifyError::NoMatch)
}

enum Expected<'a> {
    Tag(hmac::Tag),
    Public(&'a VerifyingKey),
}

fn signed_content(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(id.len() + timestamp.len() + body.len() + 2);
    content.extend_from_slice(id.as_bytes());
    content.push(b'.');
    content.extend_from_slice(timestamp.as_bytes());
    content.push(b'.');
    content.extend_from_slice(body);
    content
}

fn is_id(id: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic() && b != b'.')
}

/// Digits only: `str::parse` would take a sign as well.
fn parse_timestamp(text: &str) -> Option<i64> {
    let digits = (1..=15).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn decode(text: &str, prefix: &'static str) -> Result<Vec<u8>, KeyError> {
    let encoded = text.strip_prefix(prefix).ok_or(KeyError::Prefix(prefix))?;
    STANDARD.decode(encoded).map_err(|_| KeyError::Base64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    fn key(text: &str) -> Key {
        text.parse().unwrap()
    }

    fn check(
        keys: &[Verifier],
        at: &str,
        header: &str,
        body: &[u8],
        now: i64,
    ) -> Result<(), VerifyError> {
        verify(keys, ID, at, header, body, now, DEFAULT_TOLERANCE)
    }

    /// (key, id, timestamp, body, signature), published by:
    const VECTORS: &[(&str, &str, i64, &str, &str)] = &[
        // standard-webhooks, libraries/go/webhook_symmetric_test.go (and php, javascript, python, C#);
        // svix-webhooks, server/svix-server/src/worker.rs.
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            ID,
            AT,
            r#"{"test": 2432232314}"#,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        // standard-webhooks, libraries/rust/src/lib.rs, test_sign.
        (
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553,
            r#"{"email":"test@example.com","username":"test_user"}"#,
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
        // svix-webhooks, server/svix-server/src/worker.rs, test_asymmetric_key_signing (64-byte form).
        (
            "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==",
            ID,
            AT,
            r#"{"test": 2432232314}"#,
            "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
        ),
        // standard-webhooks, libraries/go/webhook_asymmetric_test.go, TestAsymmetricWebhookSign (32-byte form).
        (
            "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=",
            ID,
            AT,
            r#"{"test": 2432232314}"#,
            "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag==",
        ),
    ];

    #[test]
    fn published_vectors() {
        for (text, id, at, body, signature) in VECTORS {
            let key = key(text);
            let keys = std::slice::from_ref(&key);
            assert_eq!(
                sign(keys, id, *at, body.as_bytes()).as_deref(),
                Ok(*signature)
            );
            let verdict = verify(
                &[key.verifier()],
                id,
                &at.to_string(),
                signature,
                body.as_bytes(),
                *at,
                DEFAULT_TOLERANCE,
            );
            assert_eq!(verdict, Ok(()), "{signature}");
        }
    }

    #[test]
    fn published_public_key_of_the_published_private_key() {
        // svix-webhooks, server/README.md.
        let Key::Asymmetric(pair) = key(VECTORS[2].0) else {
            panic!("an asymmetric key");
        };
        let public = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
        assert_eq!(pair.verifying_key().to_string(), public);
        assert_eq!(pair.verifying_key(), public.parse().unwrap());
    }

    #[test]
    fn keys_round_trip_and_the_bare_seed_is_written_in_the_long_form() {
        for text in [VECTORS[0].0, VECTORS[1].0, VECTORS[2].0] {
            assert_eq!(key(text).reveal(), text);
        }
        let long = key("whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc=").reveal();
        assert_eq!(long, VECTORS[2].0);
        assert_eq!(key(VECTORS[0].0).reveal_for_receiver(), VECTORS[0].0);
        assert!(key(VECTORS[2].0).reveal_for_receiver().starts_with("whpk_"));
    }

    #[test]
    fn malformed_keys_are_refused() {
        // The list of svix-webhooks, server/svix-server/src/core/types, test_endpoint_secret_deserialization,
        // and a pair whose halves do not belong together.
        for (text, error) in [
            ("w", KeyError::Prefix("whsec_ or whsk_")),
            ("", KeyError::Prefix("whsec_ or whsk_")),
            ("whsec_%", KeyError::Base64),
            ("whsec_", KeyError::SecretLength),
            ("whsec_wronglength", KeyError::Base64),
            ("whsec_AAAA", KeyError::SecretLength),
            (
                "whsec_V09IYXZUaFJoSnFobnpJQkpPMXdpdGFNWnJsRzAxdXZCeTVndVpwRmxSSXFsc0oyYzBTRWRUekJhYnlaZ0JSRGNPQ3BGZG1xYjFVVmRGQ3UK",
                KeyError::SecretLength,
            ),
            (
                "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
                KeyError::Prefix("whsec_ or whsk_"),
            ),
            (
                "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kv",
                KeyError::Base64,
            ),
            (
                "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlaaaaaaaaaaAJ6p9lMicMFs6Kvg==",
                KeyError::Ed25519,
            ),
            ("whsk_AAAA", KeyError::Ed25519),
            (
                "hwsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                KeyError::Prefix("whsec_ or whsk_"),
            ),
            (
                " whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                KeyError::Prefix("whsec_ or whsk_"),
            ),
        ] {
            assert_eq!(text.parse::<Key>().unwrap_err(), error, "{text}");
        }
        assert_eq!(
            "whpk_AAAA".parse::<Verifier>().unwrap_err(),
            KeyError::Ed25519
        );
        assert_eq!(
            "whsk_AAAA".parse::<Verifier>().unwrap_err(),
            KeyError::Prefix("whsec_ or whpk_")
        );
    }

    #[test]
    fn debug_shows_nothing_of_a_secret() {
        let shown = format!("{:?} {:?}", key(VECTORS[0].0), key(VECTORS[2].0));
        assert_eq!(
            shown,
            "Symmetric(Secret(whsec_***)) Asymmetric(SigningKey(whsk_***))"
        );
        let shown = format!("{:?}", key(VECTORS[0].0).verifier());
        assert!(!shown.contains("MfKQ"), "{shown}");
    }

    #[test]
    fn rotation_signs_with_every_key_and_each_verifies_alone() {
        let keys: Vec<Key> = VECTORS.iter().map(|v| key(v.0)).collect();
        let header = sign(&keys, ID, AT, BODY).unwrap();
        assert_eq!(header.split(' ').count(), 4);
        for key in &keys {
            assert_eq!(
                check(&[key.verifier()], "1614265330", &header, BODY, AT),
                Ok(())
            );
        }
        // Both signatures of the specification's own example of the header's form are found among others.
        let padded = format!("v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,xx {header} v1,");
        assert_eq!(
            check(&[keys[0].verifier()], "1614265330", &padded, BODY, AT),
            Ok(())
        );
    }

    #[test]
    fn the_tolerance_holds_in_both_directions_to_the_second() {
        let key = key(VECTORS[0].0);
        let header = VECTORS[0].4;
        for (now, expected) in [
            (AT - 301, Err(VerifyError::TooNew)),
            (AT - 300, Ok(())),
            (AT + 300, Ok(())),
            (AT + 301, Err(VerifyError::TooOld)),
            (i64::MAX, Err(VerifyError::TooOld)),
            (i64::MIN, Err(VerifyError::TooNew)),
        ] {
            assert_eq!(
                check(&[key.verifier()], "1614265330", header, BODY, now),
                expected,
                "{now}"
            );
        }
    }

    #[test]
    fn hostile_headers_are_refused() {
        let keys = [key(VECTORS[0].0).verifier(), key(VECTORS[2].0).verifier()];
        for header in [
            "",
            "v1",
            "v1,",
            "v1a,",
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA=",
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1O",
            "v1,g0hM9S==",
            "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ] {
            assert_eq!(
                check(&keys, "1614265330", header, BODY, AT),
                Err(VerifyError::NoMatch),
                "{header}"
            );
        }
        let good = VECTORS[0].4;
        for at in [
            "",
            "-1",
            "+1614265330",
            " 1614265330",
            "1614265330.0",
            "0x60",
            "99999999999999999999",
        ] {
            assert_eq!(
                check(&keys, at, good, BODY, AT),
                Err(VerifyError::Timestamp),
                "{at}"
            );
        }
        // The raw text is what is signed: another spelling of the number is another message.
        assert_eq!(
            check(&keys, "01614265330", good, BODY, AT),
            Err(VerifyError::NoMatch)
        );
        assert_eq!(
            check(&[], "1614265330", good, BODY, AT),
            Err(VerifyError::NoMatch)
        );
        for id in ["", "a.b", "a b", "é", "a\n"] {
            assert_eq!(
                verify(&keys, id, "1614265330", good, BODY, AT, DEFAULT_TOLERANCE),
                Err(VerifyError::Id)
            );
            assert_eq!(sign(&[], id, AT, BODY), Err(SignError::Id));
        }
        assert_eq!(sign(&[], ID, -1, BODY), Err(SignError::Timestamp));
    }

    #[test]
    fn a_valid_signature_behind_more_than_any_rotation_sends_is_not_searched_for() {
        let header = format!("{}{}", "v1,AAAA ".repeat(MAX_SIGNATURES), VECTORS[0].4);
        let keys = [key(VECTORS[0].0).verifier()];
        assert_eq!(
            check(&keys, "1614265330", &header, BODY, AT),
            Err(VerifyError::NoMatch)
        );
    }

    proptest! {
        #[test]
        fn what_is_signed_verifies_and_any_change_of_the_body_does_not(
            random in proptest::collection::vec(any::<u8>(), SECRET_MIN_BYTES..=SECRET_MAX_BYTES),
            seed in any::<[u8; 32]>(),
            id in "[!-\\-/-~]{1,64}",
            at in 0..4_000_000_000_i64,
            mut body in proptest::collection::vec(any::<u8>(), 1..200),
            flip in any::<prop::sample::Index>(),
        ) {
            let keys = [
                Key::Symmetric(Secret::from_random(&random).unwrap()),
                Key::Asymmetric(SigningKey::from_seed(seed).unwrap()),
            ];
            let header = sign(&keys, &id, at, &body).unwrap();
            let again: Vec<Verifier> = keys.iter().map(|k| k.reveal_for_receiver().parse().unwrap()).collect();
            let at = at.to_string();
            let now = at.parse().unwrap();
            for key in &again {
                let key = std::slice::from_ref(key);
                prop_assert_eq!(verify(key, &id, &at, &header, &body, now, Duration::ZERO), Ok(()));
            }
            let flip = flip.index(body.len());
            body[flip] ^= 1;
            prop_assert_eq!(
                verify(&again, &id, &at, &header, &body, now, Duration::ZERO),
                Err(VerifyError::NoMatch)
            );
        }

        #[test]
        fn no_text_makes_a_parser_panic(text in "(whsec_|whsk_|whpk_)?[A-Za-z0-9+/=]{0,120}") {
            let _ = text.parse::<Key>();
            let _ = text.parse::<Verifier>();
        }
    }
}
