use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::{hkdf, hmac};
use ringfence_ports::{Keys, KeysError, Random, SystemRandom};

use crate::KeyFileError;

const KEY_BYTES: usize = 32;
/// AES-256-GCM under a key derived from context by HKDF-SHA-256 (RFC 5869).
const VERSION: u8 = 1;
/// KMS encrypts at most this much; the port has the same limit on both sides.
const MAX_PLAIN_BYTES: usize = 4096;

/// What to do when there is no key file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenMissing {
    /// Make a new one: nothing has been sealed yet.
    Create,
    /// Refuse: there are secrets that only the old one opens.
    Refuse,
}

/// [`Keys`] under a key file of 32 random bytes.
///
/// A sealed value is one version byte, a random 96-bit nonce, and the AES-256-GCM ciphertext with
/// its tag. Each context has a key of its own, so that random nonces stay far from their birthday
/// bound (NIST SP 800-38D section 8.3).
pub struct FileKeys {
    master: hkdf::Prk,
    random: SystemRandom,
}

impl std::fmt::Debug for FileKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FileKeys")
    }
}

impl FileKeys {
    /// Reads `file`; a new one appears whole or not at all, with mode 0600, in a folder of mode 0700.
    pub fn open(file: &Path, when_missing: WhenMissing) -> Result<Self, KeyFileError> {
        let io = |cause| KeyFileError::Io {
            file: file.to_path_buf(),
            cause,
        };
        let random = SystemRandom::new();
        let mut opened = match File::open(file) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                if when_missing == WhenMissing::Refuse {
                    return Err(KeyFileError::Missing {
                        file: file.to_path_buf(),
                    });
                }
                create(file, &random).map_err(io)?;
                File::open(file).map_err(io)?
            }
            other => other.map_err(io)?,
        };
        let mode = opened.metadata().map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::Exposed {
                file: file.to_path_buf(),
                mode,
            });
        }
        let mut key = [0; KEY_BYTES];
        let whole = opened.read_exact(&mut key).is_ok() && matches!(opened.read(&mut [0]), Ok(0));
        if !whole {
            return Err(KeyFileError::Damaged {
                file: file.to_path_buf(),
            });
        }
        let master = hkdf::Salt::new(hkdf::HKDF_SHA256, b"ringfence/1").extract(&key);
        Ok(Self { master, random })
    }

    fn aead(&self, context: &str) -> Result<LessSafeKey, KeysError> {
        self.master
            .expand(&[b"seal\0", context.as_bytes()], &AES_256_GCM)
            .map(|okm| LessSafeKey::new(UnboundKey::from(okm)))
            .map_err(|_| KeysError::Refused)
    }
}

/// Under another name first and linked into place, so that a crash leaves no half key, and a race
/// leaves the winner's.
fn create(file: &Path, random: &SystemRandom) -> std::io::Result<()> {
    let folder = file.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)?;
    let draft = file.with_extension("new");
    match std::fs::remove_file(&draft) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut key = [0; KEY_BYTES];
    random.fill(&mut key);
    let mut out = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    out.write_all(&key)?;
    out.sync_all()?;
    std::fs::hard_link(&draft, file)?;
    std::fs::remove_file(&draft)?;
    File::open(&folder)?.sync_all()?;
    match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

#[async_trait]
impl Keys for FileKeys {
    async fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, KeysError> {
        if plain.len() > MAX_PLAIN_BYTES {
            return Err(KeysError::Refused);
        }
        let key = self.aead(context)?;
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce);
        let mut cipher = plain.to_vec();
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(context),
            &mut cipher,
        )
        .map_err(|_| KeysError::Refused)?;
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + cipher.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.append(&mut cipher);
        Ok(sealed)
    }

    async fn open(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, KeysError> {
        let (&version, rest) = sealed.split_first().ok_or(KeysError::Refused)?;
        let (nonce, cipher) = rest.split_at_checked(NONCE_LEN).ok_or(KeysError::Refused)?;
        if version != VERSION {
            return Err(KeysError::Refused);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeysError::Refused)?;
        let mut plain = cipher.to_vec();
        let length = self
            .aead(context)?
            .open_in_place(nonce, Aad::from(context), &mut plain)
            .map_err(|_| KeysError::Refused)?
            .len();
        plain.truncate(length);
        Ok(plain)
    }

    async fn mac(&self, context: &str, data: &[u8]) -> Result<[u8; 32], KeysError> {
        let key: hmac::Key = self
            .master
            .expand(&[b"mac\0", context.as_bytes()], hmac::HMAC_SHA256)
            .map_err(|_| KeysError::Refused)?
            .into();
        hmac::sign(&key, data)
            .as_ref()
            .try_into()
            .map_err(|_| KeysError::Refused)
    }
}
