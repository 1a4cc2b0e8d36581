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
/// The most keys of one file: a rotation a week for a year, and the file is still read in one go.
const MAX_KEYS: usize = 64;
/// AES-256-GCM under a key derived from context by HKDF-SHA-256 (RFC 5869), of the file's first key.
const FIRST: u8 = 1;
/// The same under the key whose id follows.
const NAMED: u8 = 2;
const ID_BYTES: usize = 4;
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

/// One of the keys of a key file.
#[derive(Clone)]
struct Master {
    /// Follows from the key, and tells nothing of it.
    id: [u8; ID_BYTES],
    prk: hkdf::Prk,
}

impl Master {
    fn new(key: &[u8]) -> Result<Self, ring::error::Unspecified> {
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, b"ringfence/1").extract(key);
        let mut id = [0; ID_BYTES];
        prk.expand(&[b"id"], IdLength)?.fill(&mut id)?;
        Ok(Self { id, prk })
    }

    fn aead(&self, context: &str) -> Result<LessSafeKey, KeysError> {
        self.prk
            .expand(&[b"seal\0", context.as_bytes()], &AES_256_GCM)
            .map(|okm| LessSafeKey::new(UnboundKey::from(okm)))
            .map_err(|_| KeysError::Refused)
    }
}

struct IdLength;

impl hkdf::KeyType for IdLength {
    fn len(&self) -> usize {
        ID_BYTES
    }
}

/// [`Keys`] under a key file: one key of 32 random bytes or several, the oldest first.
///
/// The last one seals; each opens what it sealed, which says by which it was. MACs stay under the
/// first: links, look-ups and PINs depend on them, and would be lost under another.
///
/// A sealed value is a version byte (2), the key's id (4 bytes), a random 96-bit nonce, and the AES-256-GCM
/// ciphertext with its tag. Each context has a key of its own, so that random nonces stay far from their
/// birthday bound (NIST SP 800-38D section 8.3). Values of version 1 have no id: the first key's.
pub struct FileKeys {
    first: Master,
    newest: Master,
    /// All of them.
    masters: Vec<Master>,
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
        let random = SystemRandom::new();
        let bytes = match read(file) {
            Err(KeyFileError::Missing { .. }) if when_missing == WhenMissing::Create => {
                create(file, &random).map_err(|cause| KeyFileError::Io {
                    file: file.to_path_buf(),
                    cause,
                })?;
                read(file)?
            }
            other => other?,
        };
        let damaged = || KeyFileError::Damaged {
            file: file.to_path_buf(),
        };
        let (keys, rest) = bytes.as_chunks::<KEY_BYTES>();
        if !rest.is_empty() || keys.len() > MAX_KEYS {
            return Err(damaged());
        }
        let masters: Vec<Master> = keys
            .iter()
            .map(|key| Master::new(key))
            .collect::<Result<_, _>>()
            .map_err(|_| damaged())?;
        let (first, newest) = masters
            .first()
            .zip(masters.last())
            .map(|(first, newest)| (first.clone(), newest.clone()))
            .ok_or_else(damaged)?;
        Ok(Self {
            first,
            newest,
            masters,
            random,
        })
    }

    /// How many keys there are.
    pub(crate) fn count(&self) -> usize {
        self.masters.len()
    }

    /// What [`Keys::seal`] does.
    pub(crate) fn seal_now(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, KeysError> {
        if plain.len() > MAX_PLAIN_BYTES {
            return Err(KeysError::Refused);
        }
        let key = self.newest.aead(context)?;
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce);
        let mut cipher = plain.to_vec();
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(context),
            &mut cipher,
        )
        .map_err(|_| KeysError::Refused)?;
        Ok([
            [NAMED].as_slice(),
            &self.newest.id,
            &nonce,
            cipher.as_slice(),
        ]
        .concat())
    }

    /// What [`Keys::open`] does.
    pub(crate) fn open_now(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, KeysError> {
        match sealed.split_first() {
            Some((&FIRST, rest)) => open(&self.first, context, rest),
            Some((&NAMED, rest)) => {
                let (id, rest) = rest.split_at_checked(ID_BYTES).ok_or(KeysError::Refused)?;
                // Two keys of one id are unlikely, and no reason to lose what one of them sealed.
                self.masters
                    .iter()
                    .filter(|master| master.id == id)
                    .find_map(|master| open(master, context, rest).ok())
                    .ok_or(KeysError::Refused)
            }
            _ => Err(KeysError::Refused),
        }
    }
}

fn open(master: &Master, context: &str, sealed: &[u8]) -> Result<Vec<u8>, KeysError> {
    let (nonce, cipher) = sealed
        .split_at_checked(NONCE_LEN)
        .ok_or(KeysError::Refused)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeysError::Refused)?;
    let mut plain = cipher.to_vec();
    let length = master
        .aead(context)?
        .open_in_place(nonce, Aad::from(context), &mut plain)
        .map_err(|_| KeysError::Refused)?
        .len();
    plain.truncate(length);
    Ok(plain)
}

/// The file's bytes, if nobody else may read them.
fn read(file: &Path) -> Result<Vec<u8>, KeyFileError> {
    let io = |cause| KeyFileError::Io {
        file: file.to_path_buf(),
        cause,
    };
    let opened = match File::open(file) {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            return Err(KeyFileError::Missing {
                file: file.to_path_buf(),
            });
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
    let mut bytes = Vec::new();
    opened
        .take((MAX_KEYS * KEY_BYTES) as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    Ok(bytes)
}

/// Adds a new key behind those of a key file, which is replaced whole or not at all.
pub(crate) fn add_key(file: &Path) -> Result<FileKeys, KeyFileError> {
    let io = |cause| KeyFileError::Io {
        file: file.to_path_buf(),
        cause,
    };
    let keys = FileKeys::open(file, WhenMissing::Refuse)?;
    if keys.count() >= MAX_KEYS {
        return Err(KeyFileError::Full {
            file: file.to_path_buf(),
        });
    }
    let mut bytes = read(file)?;
    let mut key = [0; KEY_BYTES];
    keys.random.fill(&mut key);
    bytes.extend_from_slice(&key);
    let draft = write_draft(file, &bytes).map_err(io)?;
    std::fs::rename(&draft, file).map_err(io)?;
    let folder = file.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(io)?;
    FileKeys::open(file, WhenMissing::Refuse)
}

/// Synced, beside the file.
fn write_draft(file: &Path, bytes: &[u8]) -> std::io::Result<PathBuf> {
    let draft = file.with_extension("new");
    match std::fs::remove_file(&draft) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut out = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    Ok(draft)
}

/// Under another name first and linked into place, so that a crash leaves no half key, and a race
/// leaves the winner's.
fn create(file: &Path, random: &SystemRandom) -> std::io::Result<()> {
    let folder = file.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)?;
    let mut key = [0; KEY_BYTES];
    random.fill(&mut key);
    let draft = write_draft(file, &key)?;
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
        self.seal_now(context, plain)
    }

    async fn open(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, KeysError> {
        self.open_now(context, sealed)
    }

    async fn mac(&self, context: &str, data: &[u8]) -> Result<[u8; 32], KeysError> {
        let key: hmac::Key = self
            .first
            .prk
            .expand(&[b"mac\0", context.as_bytes()], hmac::HMAC_SHA256)
            .map_err(|_| KeysError::Refused)?
            .into();
        hmac::sign(&key, data)
            .as_ref()
            .try_into()
            .map_err(|_| KeysError::Refused)
    }
}
