use ring::{
    aead::{AES_256_GCM, LessSafeKey, UnboundKey},
    hkdf,
};
use ringfence_ports::{Keys, KeysError, Random};

use crate::layout::Header;

const INFO: &[u8] = b"ringfence/sealing/1";

/// The secret of one recording: 32 random bytes. It never shows itself.
#[derive(Clone, PartialEq, Eq)]
pub struct DataKey([u8; 32]);

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey")
    }
}

impl DataKey {
    /// A new one.
    pub fn generate(random: &dyn Random) -> Self {
        let mut key = [0; 32];
        random.fill(&mut key);
        Self(key)
    }

    /// Seals it under an account's key, for `context` (`acc_…/recording/rec_…`).
    pub async fn wrap(&self, keys: &dyn Keys, context: &str) -> Result<Vec<u8>, KeysError> {
        keys.seal(context, &self.0).await
    }

    /// Opens what [`DataKey::wrap`] made.
    pub async fn unwrap(keys: &dyn Keys, context: &str, wrapped: &[u8]) -> Result<Self, KeysError> {
        let key = keys.open(context, wrapped).await?;
        key.try_into().map(Self).map_err(|_| KeysError::Refused)
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key of one file: sealing the same recording again, as a redacted copy say, uses another, so
    /// that no nonce is ever used twice under one key.
    pub(crate) fn of_file(&self, header: &Header) -> Result<LessSafeKey, ring::error::Unspecified> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, header.salt());
        let key = salt.extract(&self.0);
        let key = key.expand(&[INFO], &AES_256_GCM)?;
        Ok(LessSafeKey::new(UnboundKey::from(key)))
    }
}
