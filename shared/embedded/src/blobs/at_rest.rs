//! How an object lies in its file: sealed as recordings are (`ringfence-sealing`), under a data key of its
//! own, which stands wrapped under the key file in the object's row. Whoever has the files without the
//! keys has nothing; whoever changes, cuts or swaps them gets no byte of it played.
//!
//! Files of an earlier version lie in the clear, and their rows have no wrapped key: they stay readable.

use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use bytes::Bytes;
use ringfence_ports::{BlobError, KeysError, Random};
use ringfence_sealing::{
    CHUNK, DataKey, HEADER_BYTES, Opener, Sealer, SealingError, sealed_length,
};

use super::draft::unavailable;
use crate::FileKeys;

/// The most plain bytes that are read at once: whole chunks.
pub(super) const PIECE: u64 = 4 * CHUNK as u64;

/// What an object is sealed and its data key wrapped for: the object's key, and that of the caller's choice.
fn context(key: &str, kms_key: Option<&str>) -> String {
    // Neither has control characters.
    match kms_key {
        None => format!("object\n{key}"),
        Some(kms_key) => format!("object\n{key}\n{kms_key}"),
    }
}

/// What seals a new object, and its data key as the row keeps it.
pub(super) async fn begin(
    keys: &FileKeys,
    random: &dyn Random,
    key: &str,
    kms_key: Option<&str>,
) -> Result<(Sealer, Vec<u8>), BlobError> {
    let context = context(key, kms_key);
    let data_key = DataKey::generate(random);
    let wrapped = data_key.wrap(keys, &context).await.map_err(refused)?;
    Ok((Sealer::new(&data_key, &context, random)?, wrapped))
}

/// What opens an object's file.
pub(super) struct Unlocked {
    data_key: DataKey,
    context: String,
}

/// Opens the wrapped key of an object's row.
pub(super) async fn unlock(
    keys: &FileKeys,
    key: &str,
    kms_key: Option<&str>,
    wrapped: &[u8],
) -> Result<Unlocked, BlobError> {
    let context = context(key, kms_key);
    let data_key = DataKey::unwrap(keys, &context, wrapped)
        .await
        .map_err(refused)?;
    Ok(Unlocked { data_key, context })
}

/// The wrapped key of an object's row under the newest key of the key file. The file itself stays as it is.
pub(super) fn rewrap(
    keys: &FileKeys,
    key: &str,
    kms_key: Option<&str>,
    wrapped: &[u8],
) -> Result<Vec<u8>, KeysError> {
    let context = context(key, kms_key);
    keys.seal_now(&context, &keys.open_now(&context, wrapped)?)
}

fn refused(error: KeysError) -> BlobError {
    match error {
        // The row is not what was written, or the key file is another one.
        KeysError::Refused => BlobError::Damaged,
        error @ KeysError::Unavailable(_) => BlobError::Unavailable(error.to_string()),
    }
}

fn sealing_error(error: SealingError) -> BlobError {
    match error {
        SealingError::Header | SealingError::Length => BlobError::Damaged,
        SealingError::Range { length } => BlobError::Range { length },
        SealingError::Blob(error) => error,
    }
}

/// An object's file, open: what happens to the object from then on does not matter to it.
pub(super) struct Object {
    file: File,
    /// `None`: it lies in the clear.
    opener: Option<Opener>,
}

impl Object {
    /// The file of an object of `length` plain bytes; `None`: it is gone. Waits for the disk.
    pub(super) fn open(
        path: &Path,
        length: u64,
        unlocked: Option<&Unlocked>,
    ) -> Result<Option<Self>, BlobError> {
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|error| unavailable(&error))?,
        };
        let opener = match unlocked {
            None => None,
            Some(unlocked) => {
                let found = file.metadata().map_err(|error| unavailable(&error))?.len();
                if found != sealed_length(length) {
                    return Err(BlobError::Damaged);
                }
                let mut header = [0; HEADER_BYTES];
                read_at(&file, &mut header, 0)?;
                let opener = Opener::new(&unlocked.data_key, &unlocked.context, &header, found);
                Some(opener.map_err(sealing_error)?)
            }
        };
        Ok(Some(Self { file, opener }))
    }

    /// The plain bytes of `range`, which lies within the object, up to [`PIECE`] of them. Waits for the disk.
    pub(super) fn read(&self, range: Range<u64>) -> Result<Bytes, BlobError> {
        let Some(opener) = &self.opener else {
            return read(&self.file, &range).map(Bytes::from);
        };
        let sealed = opener.sealed_range(&range).map_err(sealing_error)?;
        let sealed = read(&self.file, &sealed)?;
        opener.open_at_once(range, sealed).map_err(sealing_error)
    }
}

/// The first part of `range` that is read at once: up to the end of a chunk.
pub(super) fn piece(range: &Range<u64>) -> Range<u64> {
    let end = (range.start - range.start % CHUNK as u64).saturating_add(PIECE);
    range.start..end.min(range.end)
}

fn read(file: &File, range: &Range<u64>) -> Result<Vec<u8>, BlobError> {
    let length = usize::try_from(range.end - range.start).map_err(|_| BlobError::Damaged)?;
    let mut bytes = vec![0; length];
    read_at(file, &mut bytes, range.start)?;
    Ok(bytes)
}

fn read_at(file: &File, bytes: &mut [u8], at: u64) -> Result<(), BlobError> {
    file.read_exact_at(bytes, at)
        .map_err(|error| match error.kind() {
            // The file is shorter than its row says.
            ErrorKind::UnexpectedEof => BlobError::Damaged,
            _ => unavailable(&error),
        })
}
