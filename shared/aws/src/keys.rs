use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_kms::operation::decrypt::DecryptError;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeySpec, MacAlgorithmSpec};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest;
use ringfence_ports::{Keys, KeysError, Random};
use tokio::time::Instant;

use crate::retry::{Patience, Trouble, trouble};
use crate::{Aws, ConfigError};

/// AES-256-GCM under a data key that KMS wrapped.
const VERSION: u8 = 1;
/// The port's limit.
const MAX_PLAIN_BYTES: usize = 4096;
/// Version, and the length of the wrapped key.
const HEAD: usize = 3;
/// For how long a process remembers what KMS unwrapped. Settings are read anew every few seconds, and their
/// secrets opened: without this each time were a request. A permission that is taken away still works here
/// for so long.
const REMEMBERED: Duration = Duration::from_mins(5);
/// How many unwrapped keys a process remembers.
const MOST_REMEMBERED: usize = 10_000;
/// The entry of the encryption context; `CloudTrail` shows it.
const CONTEXT: &str = "ringfence";

/// [`Keys`] on KMS: each value is sealed under a data key of its own, which KMS wraps under the
/// account's key with the context as encryption context; MACs are made by KMS under an HMAC key.
///
/// A sealed value is a version byte, the length of the wrapped data key (two bytes, big endian), the
/// wrapped key, a 96-bit nonce, and the AES-256-GCM ciphertext with its tag. All before the
/// ciphertext and the context are authenticated with it, so nothing can be changed whatever KMS looks at.
///
/// One KMS request a call; none to open again within minutes what was opened. Permissions: `kms:GenerateDataKey` to seal, `kms:Decrypt` to open,
/// `kms:GenerateMac` for MACs.
#[derive(Clone)]
pub struct KmsKeys {
    kms: aws_sdk_kms::Client,
    seal_key: String,
    mac_key: String,
    random: Arc<dyn Random>,
    unwrapped: Arc<Mutex<Unwrapped>>,
}

/// Data keys by context and wrapped key, and until when they are remembered.
type Unwrapped = HashMap<(String, Vec<u8>), (LessSafeKey, Instant)>;

impl std::fmt::Debug for KmsKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KmsKeys")
    }
}

impl KmsKeys {
    /// Over two keys, each an ARN, id or alias: a symmetric encryption key, and one of the kind
    /// `HMAC_256`. Sends nothing.
    pub fn new(
        aws: &Aws,
        seal_key: impl Into<String>,
        mac_key: impl Into<String>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            kms: aws_sdk_kms::Client::new(&aws.config),
            seal_key: seal_key.into(),
            mac_key: mac_key.into(),
            random,
            unwrapped: Arc::default(),
        }
    }

    /// Over the keys that `RINGFENCE_SEAL_KEY` and `RINGFENCE_MAC_KEY` name.
    pub fn from_env(aws: &Aws, random: Arc<dyn Random>) -> Result<Self, ConfigError> {
        let get = |name: &str| {
            let value = std::env::var(name).ok().filter(|value| !value.is_empty());
            value.ok_or_else(|| ConfigError::Missing(name.to_owned()))
        };
        Ok(Self::new(
            aws,
            get("RINGFENCE_SEAL_KEY")?,
            get("RINGFENCE_MAC_KEY")?,
            random,
        ))
    }

    async fn outlast(&self, patience: &mut Patience, trouble: Trouble) -> Result<(), KeysError> {
        patience
            .outlast(trouble, &*self.random)
            .await
            .map_err(|trouble| {
                KeysError::Unavailable(match trouble {
                    Trouble::Busy => "throttled".to_owned(),
                    Trouble::Unsure(cause) | Trouble::Refused(cause) => cause,
                })
            })
    }

    fn unwrapped(&self) -> MutexGuard<'_, Unwrapped> {
        self.unwrapped
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The data key, from memory or from KMS.
    async fn data_key(&self, context: &str, wrapped: &[u8]) -> Result<LessSafeKey, KeysError> {
        let name = (context.to_owned(), wrapped.to_vec());
        let now = Instant::now();
        if let Some((key, until)) = self.unwrapped().get(&name)
            && now < *until
        {
            return Ok(key.clone());
        }
        let key = self.unwrap_key(context, wrapped).await?;
        let mut unwrapped = self.unwrapped();
        if unwrapped.len() >= MOST_REMEMBERED {
            unwrapped.retain(|_, (_, until)| now < *until);
        }
        if unwrapped.len() < MOST_REMEMBERED {
            unwrapped.insert(name, (key.clone(), now + REMEMBERED));
        }
        Ok(key)
    }

    async fn unwrap_key(&self, context: &str, wrapped: &[u8]) -> Result<LessSafeKey, KeysError> {
        let mut patience = Patience::new();
        loop {
            let sent = self
                .kms
                .decrypt()
                .key_id(&self.seal_key)
                .ciphertext_blob(Blob::new(wrapped))
                .encryption_context(CONTEXT, named(context))
                .send()
                .await;
            let error = match sent {
                Ok(opened) => {
                    return opened
                        .plaintext
                        .as_ref()
                        .and_then(aead)
                        .ok_or(KeysError::Refused);
                }
                Err(error) => error,
            };
            match error.as_service_error() {
                Some(
                    DecryptError::InvalidCiphertextException(_)
                    | DecryptError::IncorrectKeyException(_)
                    | DecryptError::NotFoundException(_),
                ) => return Err(KeysError::Refused),
                _ => self.outlast(&mut patience, trouble(&error)).await?,
            }
        }
    }
}

#[async_trait]
impl Keys for KmsKeys {
    async fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, KeysError> {
        if plain.len() > MAX_PLAIN_BYTES {
            return Err(KeysError::Refused);
        }
        let mut patience = Patience::new();
        let made = loop {
            let sent = self
                .kms
                .generate_data_key()
                .key_id(&self.seal_key)
                .key_spec(DataKeySpec::Aes256)
                .encryption_context(CONTEXT, named(context))
                .send()
                .await;
            match sent {
                Ok(made) => break made,
                Err(error) => self.outlast(&mut patience, trouble(&error)).await?,
            }
        };
        let no_key = || KeysError::Unavailable("no data key came back".to_owned());
        let key = made.plaintext.as_ref().and_then(aead).ok_or_else(no_key)?;
        let wrapped = made.ciphertext_blob.ok_or_else(no_key)?.into_inner();
        let length = u16::try_from(wrapped.len()).map_err(|_| no_key())?;
        let mut sealed = Vec::with_capacity(HEAD + wrapped.len() + NONCE_LEN + plain.len() + 16);
        sealed.push(VERSION);
        sealed.extend(length.to_be_bytes());
        sealed.extend(wrapped);
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce);
        sealed.extend(nonce);
        let aad = Aad::from(authenticated(&sealed, context));
        let mut text = plain.to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut text)
            .map_err(|_| KeysError::Unavailable("sealing failed".to_owned()))?;
        sealed.extend(text);
        Ok(sealed)
    }

    async fn open(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, KeysError> {
        let Parts {
            head,
            wrapped,
            nonce,
            text,
        } = parts(sealed).ok_or(KeysError::Refused)?;
        let key = self.data_key(context, wrapped).await?;
        let mut text = text.to_vec();
        let aad = Aad::from(authenticated(head, context));
        let plain = key
            .open_in_place(Nonce::assume_unique_for_key(nonce), aad, &mut text)
            .map_err(|_| KeysError::Refused)?;
        Ok(plain.to_vec())
    }

    async fn mac(&self, context: &str, data: &[u8]) -> Result<[u8; 32], KeysError> {
        let message = Blob::new(mac_message(context, data));
        let mut patience = Patience::new();
        loop {
            let sent = self
                .kms
                .generate_mac()
                .key_id(&self.mac_key)
                .mac_algorithm(MacAlgorithmSpec::HmacSha256)
                .message(message.clone())
                .send()
                .await;
            match sent {
                Ok(made) => {
                    let mac = made.mac.and_then(|mac| mac.into_inner().try_into().ok());
                    return mac
                        .ok_or_else(|| KeysError::Unavailable("no MAC came back".to_owned()));
                }
                Err(error) => self.outlast(&mut patience, trouble(&error)).await?,
            }
        }
    }
}

/// Never empty: what KMS makes of an empty value is not documented.
fn named(context: &str) -> String {
    format!("/{context}")
}

fn aead(key: &Blob) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key.as_ref())
        .ok()
        .map(LessSafeKey::new)
}

/// All of a sealed value that comes before the ciphertext, and what it is for.
fn authenticated(head: &[u8], context: &str) -> Vec<u8> {
    [head, context.as_bytes()].concat()
}

struct Parts<'a> {
    head: &'a [u8],
    wrapped: &'a [u8],
    nonce: [u8; NONCE_LEN],
    text: &'a [u8],
}

fn parts(sealed: &[u8]) -> Option<Parts<'_>> {
    let ([VERSION, high, low], rest) = sealed.split_first_chunk::<HEAD>()? else {
        return None;
    };
    let (wrapped, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
    let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>()?;
    if wrapped.is_empty() || text.len() < AES_256_GCM.tag_len() {
        return None;
    }
    let head = sealed.get(..HEAD + wrapped.len() + NONCE_LEN)?;
    Some(Parts {
        head,
        wrapped,
        nonce: *nonce,
        text,
    })
}

/// KMS takes at most 4,096 bytes, so it makes the MAC of a digest; its length keeps context and data apart.
fn mac_message(context: &str, data: &[u8]) -> [u8; 32] {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(b"ringfence/1/mac");
    hash.update(&(context.len() as u64).to_be_bytes());
    hash.update(context.as_bytes());
    hash.update(data);
    let mut message = [0; 32];
    message.copy_from_slice(hash.finish().as_ref());
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_has_all_its_parts_or_is_none() {
        let mut sealed = vec![VERSION, 0, 2, 7, 7];
        sealed.extend([9; NONCE_LEN]);
        sealed.extend([1; 16]);
        let whole = parts(&sealed).unwrap();
        assert_eq!(
            (whole.wrapped, whole.nonce, whole.text.len()),
            ([7, 7].as_slice(), [9; NONCE_LEN], 16)
        );
        for length in 0..sealed.len() {
            assert!(parts(&sealed[..length]).is_none(), "cut to {length}");
        }
        sealed[0] = 2;
        assert!(parts(&sealed).is_none());
    }

    #[test]
    fn context_and_data_do_not_run_together() {
        assert_ne!(mac_message("pin", b"data"), mac_message("pi", b"ndata"));
    }
}
