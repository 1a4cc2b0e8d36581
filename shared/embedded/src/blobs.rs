//! Objects as files in the data folder.
//!
//! An object is a row in the database, which names a file under `blobs/`. A file is written under a
//! random name, synced, and only then named by a row, so that whatever moment the process dies at, an
//! object is there whole or not at all. What a row named before, or names no longer, is unlinked by the
//! broom, which at start also removes files that no row names.
//!
//! Files are encrypted, always ([`at_rest`]); lengths, checksums and ranges are those of the plain bytes.
//!
//! Architecture invariants: no part of a key becomes part of a path; a file is never written again
//! once a row names it; nobody but the broom and a draft that failed unlinks; nothing reaches a file
//! but sealed.

mod at_rest;
mod broom;
mod draft;
mod link;
pub(crate) mod rows;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use ringfence_ports::{
    BlobError, BlobHead, BlobId, BlobMeta, Blobs, ByteStream, ListPage, Listed, MAX_BLOB_BYTES,
    MAX_DELETES, Message, OBJECTS, ObjectCreated, OpenUpload, Served, StoreError, UploadLink,
    validate_blob_key,
};

pub(crate) use broom::{Broom, Order};
pub(crate) use draft::{Committing, Files};
pub use link::{LinkError, LinkGrant};

use crate::FileKeys;
use crate::store::Shared;
use crate::writer::Job;
use at_rest::Object;
use draft::{Draft, blocking};
use rows::BlobRow;

/// Bytes that are written at once.
const PIECE: usize = 256 * 1024;

/// [`Blobs`] in the data folder of an [`Embedded`](crate::Embedded) store. No versions.
///
/// Links are relative to the server's origin (`/blobs/…`); the server answers them by
/// [`FileBlobs::grant`] and, for an upload, [`FileBlobs::receive`].
pub struct FileBlobs {
    shared: Arc<Shared>,
    files: Arc<Files>,
    keys: Arc<FileKeys>,
}

impl std::fmt::Debug for FileBlobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FileBlobs")
    }
}

impl FileBlobs {
    pub(crate) fn new(shared: Arc<Shared>, files: Arc<Files>, keys: Arc<FileKeys>) -> Self {
        Self {
            shared,
            files,
            keys,
        }
    }

    /// Removes the files that no object has, and answers how many those were. A start does the same
    /// by the way; this waits for it.
    pub async fn remove_orphans(&self) -> Result<usize, BlobError> {
        self.shared.submit.sweep_blobs().await.map_err(blob_error)
    }

    /// Stores what comes through an upload link, and tells of it in
    /// [`OBJECTS`](ringfence_ports::OBJECTS), both in one commit.
    pub async fn receive(
        &self,
        key: &str,
        meta: BlobMeta,
        bytes: ByteStream,
    ) -> Result<BlobHead, BlobError> {
        self.store(key, meta, bytes, true).await
    }

    async fn store(
        &self,
        key: &str,
        meta: BlobMeta,
        mut bytes: ByteStream,
        tell: bool,
    ) -> Result<BlobHead, BlobError> {
        validate_blob_key(key)?;
        meta.validate()?;
        let limit = meta.length.unwrap_or(MAX_BLOB_BYTES);
        let random = self.files.random();
        let (sealer, wrapped_key) =
            at_rest::begin(&self.keys, random, key, meta.kms_key.as_deref()).await?;
        let mut draft = Draft::begin(&self.files, key, sealer).await?;
        let mut piece: Vec<Bytes> = Vec::new();
        let (mut waiting, mut length) = (0, 0_u64);
        while let Some(part) = bytes.next().await {
            let part = part?;
            length += part.len() as u64;
            if length > limit {
                return Err(if meta.length.is_some() {
                    BlobError::Mismatch
                } else {
                    BlobError::Invalid("an object has at most 64 GiB")
                });
            }
            waiting += part.len();
            piece.push(part);
            if waiting >= PIECE {
                draft = draft.write(std::mem::take(&mut piece)).await?;
                waiting = 0;
            }
        }
        let (draft, sha256) = draft.finish(piece).await?;
        if meta.length.is_some_and(|announced| announced != length)
            || meta.sha256.is_some_and(|announced| announced != sha256)
        {
            return Err(BlobError::Mismatch);
        }
        let row = BlobRow {
            file: draft.name().to_owned(),
            wrapped_key: Some(wrapped_key),
            kms_key: meta.kms_key,
            head: BlobHead {
                length,
                content_type: meta.content_type,
                sha256: Some(sha256),
                stored_at: self.shared.clock.now(),
                version: None,
            },
        };
        let head = row.head.clone();
        let sends = if tell {
            vec![created(key, length)?]
        } else {
            Vec::new()
        };
        // From here on the writer has the draft: whether this caller waits or not, the file stays
        // exactly if its row does.
        let draft = draft.commit()?;
        let key = key.to_owned();
        self.shared
            .submit
            .ask(|reply| Job::PutBlob {
                key,
                row,
                draft,
                sends,
                reply,
            })
            .await
            .map_err(blob_error)?;
        Ok(head)
    }

    async fn row(&self, key: &str) -> Result<BlobRow, BlobError> {
        let key = key.to_owned();
        self.shared
            .readers
            .run(move |connection| rows::get(connection, &key))
            .await
            .map_err(blob_error)?
            .ok_or(BlobError::NotFound)
    }

    /// An object, open, with the first piece of `range`, which is what of it lies within the object.
    async fn open(
        &self,
        key: &str,
        range: Option<&Range<u64>>,
    ) -> Result<(BlobHead, Reading), BlobError> {
        // An overwrite between the two looks takes the file away; a second look finds the new one.
        for _ in 0..8 {
            let row = self.row(key).await?;
            let range = clip(range, row.head.length)?;
            let unlocked = match &row.wrapped_key {
                None => None,
                Some(wrapped) => {
                    let kms_key = row.kms_key.as_deref();
                    Some(at_rest::unlock(&self.keys, key, kms_key, wrapped).await?)
                }
            };
            let (path, length) = (self.files.path(&row.file), row.head.length);
            let opened = blocking(move || {
                let Some(object) = Object::open(&path, length, unlocked.as_ref())? else {
                    return Ok(None);
                };
                let piece = at_rest::piece(&range);
                Ok(Some(Reading {
                    first: Some(object.read(piece.clone())?),
                    object: Arc::new(object),
                    left: piece.end..range.end,
                }))
            });
            if let Some(reading) = opened.await?? {
                return Ok((row.head, reading));
            }
        }
        Err(BlobError::Damaged)
    }
}

/// The part of `range` that lies within an object of this length.
fn clip(range: Option<&Range<u64>>, length: u64) -> Result<Range<u64>, BlobError> {
    match range {
        None => Ok(0..length),
        Some(range) if range.start >= length => Err(BlobError::Range { length }),
        Some(range) => Ok(range.start..range.end.min(length)),
    }
}

#[async_trait]
impl Blobs for FileBlobs {
    async fn put(
        &self,
        key: &str,
        meta: BlobMeta,
        bytes: ByteStream,
    ) -> Result<BlobHead, BlobError> {
        self.store(key, meta, bytes, false).await
    }

    async fn get(
        &self,
        key: &str,
        range: Option<Range<u64>>,
    ) -> Result<(BlobHead, ByteStream), BlobError> {
        validate_blob_key(key)?;
        if range.as_ref().is_some_and(Range::is_empty) {
            return Err(BlobError::Invalid("a range has at least one byte"));
        }
        let (head, reading) = self.open(key, range.as_ref()).await?;
        Ok((head, read(reading)))
    }

    async fn head(&self, key: &str) -> Result<BlobHead, BlobError> {
        validate_blob_key(key)?;
        Ok(self.row(key).await?.head)
    }

    async fn list(&self, prefix: &str, after: Option<String>) -> Result<ListPage, BlobError> {
        let prefix = prefix.to_owned();
        let found = self
            .shared
            .readers
            .run(move |connection| rows::list(connection, &prefix, after.as_deref()))
            .await
            .map_err(blob_error)?;
        Ok(found)
    }

    async fn versions(&self, prefix: &str, after: Option<String>) -> Result<ListPage, BlobError> {
        self.list(prefix, after).await
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<Result<(), BlobError>>, BlobError> {
        if ids.len() > MAX_DELETES {
            return Err(BlobError::Invalid("at most 1,000 objects go at once"));
        }
        ids.iter().try_for_each(|id| validate_blob_key(&id.key))?;
        let keys: Vec<String> = ids
            .iter()
            .filter(|id| id.version.is_none())
            .map(|id| id.key.clone())
            .collect();
        let mut gone = if keys.is_empty() {
            Vec::new()
        } else {
            self.shared
                .submit
                .ask(|reply| Job::DeleteBlobs { keys, reply })
                .await
                .map_err(blob_error)?
        }
        .into_iter();
        Ok(ids
            .iter()
            .map(|id| {
                if id.version.is_some() {
                    return Err(BlobError::Invalid("this store keeps no versions"));
                }
                gone.next().unwrap_or(Ok(())).map_err(blob_error)
            })
            .collect())
    }

    async fn open_uploads(&self, prefix: &str) -> Result<Vec<OpenUpload>, BlobError> {
        Ok(self.files.open_uploads(prefix))
    }

    async fn abort_upload(&self, upload: &OpenUpload) -> Result<(), BlobError> {
        self.files.abort(upload);
        Ok(())
    }

    async fn link(
        &self,
        key: &str,
        ttl: Duration,
        served: Served<'_>,
    ) -> Result<String, BlobError> {
        link::download(&self.keys, self.shared.clock.now(), key, ttl, served).await
    }

    async fn upload_link(
        &self,
        key: &str,
        meta: &BlobMeta,
        ttl: Duration,
    ) -> Result<UploadLink, BlobError> {
        link::upload(&self.keys, self.shared.clock.now(), key, meta, ttl).await
    }
}

impl FileBlobs {
    /// What the token of a link (what stands behind `/blobs/`) allows, now.
    pub async fn grant(&self, token: &str) -> Result<LinkGrant, LinkError> {
        link::open(&self.keys, self.shared.clock.now(), token).await
    }
}

/// An object that is being read.
struct Reading {
    object: Arc<Object>,
    /// What was read when it was opened.
    first: Option<Bytes>,
    /// What follows that.
    left: Range<u64>,
}

/// The bytes, piece by piece as they are asked for. Nothing follows an error.
fn read(reading: Reading) -> ByteStream {
    Box::pin(stream::try_unfold(reading, |mut reading| async move {
        if let Some(first) = reading.first.take()
            && !first.is_empty()
        {
            return Ok(Some((first, reading)));
        }
        if reading.left.is_empty() {
            return Ok(None);
        }
        let piece = at_rest::piece(&reading.left);
        reading.left.start = piece.end;
        let object = Arc::clone(&reading.object);
        let bytes = blocking(move || object.read(piece)).await??;
        Ok(Some((bytes, reading)))
    }))
}

fn created(key: &str, length: u64) -> Result<Message, BlobError> {
    let body = serde_json::to_string(&ObjectCreated {
        key: key.to_owned(),
        length,
    })
    .map_err(|_| BlobError::Invalid("an object that cannot be told of"))?;
    // Objects of one folder are of one account, mostly.
    let group = key.split('/').next().unwrap_or(key);
    Ok(Message {
        queue: OBJECTS,
        body,
        delay: Duration::ZERO,
        group: group.to_owned(),
    })
}

fn blob_error(error: StoreError) -> BlobError {
    match error {
        StoreError::Busy => BlobError::Unavailable("the store is busy".to_owned()),
        StoreError::Invalid(why) => BlobError::Invalid(why),
        error => BlobError::Unavailable(error.to_string()),
    }
}

/// The folder of the files, made with mode 0700.
pub(crate) fn folder(data: &Path) -> std::io::Result<std::path::PathBuf> {
    let folder = data.join("blobs");
    draft::make_folder(&folder)?;
    Ok(folder)
}

/// A [`Listed`] of a store without versions.
fn listed(key: String, length: u64) -> Listed {
    Listed {
        key,
        version: None,
        is_delete_marker: false,
        length,
    }
}
