use async_trait::async_trait;

/// Why a secret could not be sealed or opened. Never holds key or plain text.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeysError {
    /// The sealed bytes were changed, were sealed under another context, or under a key that is gone.
    #[error("the sealed value does not open under this key and context")]
    Refused,
    /// The key service cannot be reached; try again. Callers fail closed.
    #[error("the key service is unavailable: {0}")]
    Unavailable(String),
}

/// Sealing of small secrets (at most 4 KiB) under an account's key, and MACs.
///
/// `context` names what is sealed and for whom (`"acc_…/secret/cdr"`); it is authenticated, not
/// stored, and must be the same to open. On AWS it is the KMS encryption context.
#[async_trait]
pub trait Keys: Send + Sync {
    /// Encrypts and authenticates `plain`, bound to `context`.
    async fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, KeysError>;
    /// Opens what [`Keys::seal`] made.
    async fn open(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, KeysError>;
    /// HMAC-SHA256 of `data` under a key that never leaves the adapter, separated by `context`.
    async fn mac(&self, context: &str, data: &[u8]) -> Result<[u8; 32], KeysError>;
}
