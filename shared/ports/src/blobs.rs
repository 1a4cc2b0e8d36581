use std::{ops::Range, pin::Pin, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{QueueName, limits::validate_content_type};

/// The longest that a presigned link lives: a minute, so that a leaked one is soon worth nothing.
pub const MAX_LINK_TTL: Duration = Duration::from_mins(1);

/// The most objects of one [`Blobs::delete`] (S3's `DeleteObjects` limit).
pub const MAX_DELETES: usize = 1_000;

/// The largest key of an object, in bytes.
pub const MAX_BLOB_KEY_BYTES: usize = 1_024;

/// The largest object, in bytes: what S3 takes in 10,000 parts of 8 MiB, with room to spare.
pub const MAX_BLOB_BYTES: u64 = 64 * 1024 * 1024 * 1024;

/// The largest object that an upload link takes, in bytes (S3's limit of one `PutObject`).
pub const MAX_UPLOAD_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// Where it is told that an object came through an upload link; each body is an [`ObjectCreated`].
pub const OBJECTS: QueueName = QueueName("objects");

/// An object came through an upload link. On AWS this is made from S3's own notification, which
/// also tells of objects that were put in other ways: whoever handles it looks whether it expects the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectCreated {
    /// The object.
    pub key: String,
    /// Bytes.
    pub length: u64,
}

/// Bytes as they come.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, BlobError>> + Send>>;

/// Why the store of objects did not do it. Never holds content.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum BlobError {
    /// There is no such object (or version).
    #[error("there is no such object")]
    NotFound,
    /// The range lies outside of the object.
    #[error("the range lies outside of the object, which has {length} bytes")]
    Range {
        /// The object's length, in bytes.
        length: u64,
    },
    /// The bytes are not those that were announced: another length or checksum. Nothing was stored.
    #[error("the bytes do not match their announced length or checksum")]
    Mismatch,
    /// The request breaks a limit or rule of the port; the same request will never succeed.
    #[error("invalid request of an object: {0}")]
    Invalid(&'static str),
    /// What is stored is not what was stored: changed, cut short or of another object.
    #[error("the object is damaged")]
    Damaged,
    /// The key that the object is, or is to be, encrypted with ([`BlobMeta::kms_key`]) cannot be used: it is
    /// disabled, gone, of another kind, or not for us to use. Nothing was stored. The cause is the
    /// service's code, such as `KMS.DisabledException`.
    #[error("the object's encryption key cannot be used: {0}")]
    Key(String),
    /// The store cannot be reached or cannot write (a full disk). The cause is for the log.
    #[error("the object store is unavailable: {0}")]
    Unavailable(String),
}

/// What is known of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobHead {
    /// Bytes.
    pub length: u64,
    /// The media type it was stored with.
    pub content_type: String,
    /// SHA-256 of its bytes, where the store knows it.
    pub sha256: Option<[u8; 32]>,
    /// When it was stored.
    pub stored_at: Timestamp,
    /// The version's id, where the store keeps versions.
    pub version: Option<String>,
}

/// What is announced of an object that is put. What is `Some` is checked before anything is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlobMeta {
    /// The media type.
    pub content_type: String,
    /// Bytes.
    pub length: Option<u64>,
    /// SHA-256 of the bytes.
    pub sha256: Option<[u8; 32]>,
    /// The key of the store's provider that the object is encrypted with (on AWS the ARN of a KMS key, of
    /// the bucket's region); `None`: the store's own. Not checked: an unfit one is [`BlobError::Key`].
    pub kms_key: Option<String>,
}

/// The longest name of a key ([`BlobMeta::kms_key`]), in bytes (KMS's limit).
pub const MAX_KMS_KEY_BYTES: usize = 2_048;

/// One entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The object.
    pub key: String,
    /// The version, in a listing of versions.
    pub version: Option<String>,
    /// Whether this version only marks that the object was deleted.
    pub is_delete_marker: bool,
    /// Bytes.
    pub length: u64,
}

/// A page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPage {
    /// In order of the key, as bytes; of one key newest first.
    pub items: Vec<Listed>,
    /// Where to go on; `None`: there is no more.
    pub next: Option<String>,
}

/// An object, or one version of it, to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobId {
    /// The object.
    pub key: String,
    /// One version of it; `None`: the object itself (a store with versions then only marks it).
    pub version: Option<String>,
}

/// An upload that was begun and neither finished nor given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenUpload {
    /// The object it would become.
    pub key: String,
    /// The upload's id.
    pub upload: String,
}

/// A URL that takes an object by PUT, and what that request has to say.
#[derive(Clone, PartialEq, Eq)]
pub struct UploadLink {
    /// The URL; relative to the server's origin where the server itself takes it.
    pub url: String,
    /// Headers that the PUT must carry exactly so, beside `Content-Length`; names in lower case.
    pub headers: Vec<(String, String)>,
}

impl std::fmt::Debug for UploadLink {
    /// Without the URL: who holds it may upload.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UploadLink")
    }
}

/// How a link gives its object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served<'a> {
    /// As a download of this name.
    pub download_as: Option<&'a str>,
    /// With this media type, whatever it was stored with.
    pub content_type: Option<&'a str>,
}

impl Served<'_> {
    /// Refuses a name over 255 bytes, and what is no media type for a header.
    pub fn validate(&self) -> Result<(), BlobError> {
        if self.download_as.is_some_and(|name| name.len() > 255) {
            return Err(BlobError::Invalid("a file name has at most 255 bytes"));
        }
        self.content_type.map_or(Ok(()), validate_content_type)
    }
}

/// `Content-Disposition` of a download under this name (RFC 6266): the name in UTF-8, and an ASCII one
/// for whoever does not know that. What could end the quotes, the header or the folder becomes `_`.
pub fn attachment(name: &str) -> String {
    use std::fmt::Write as _;
    let safe = |c: char| !c.is_control() && !matches!(c, '"' | '\\' | '/' | '%');
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii() && safe(c) { c } else { '_' })
        .collect();
    let mut header = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''");
    for byte in name
        .replace(|c: char| c.is_control() || matches!(c, '/' | '\\'), "_")
        .bytes()
    {
        // attr-char of RFC 5987 section 3.2.1, without what is rare.
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
            header.push(char::from(byte));
        } else {
            let _ = write!(header, "%{byte:02X}");
        }
    }
    header
}

/// Objects: recordings and files. S3, or files in the data folder.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Stores an object whole or not at all, in constant memory. Durable when it answers `Ok`.
    async fn put(
        &self,
        key: &str,
        meta: BlobMeta,
        bytes: ByteStream,
    ) -> Result<BlobHead, BlobError>;

    /// An object's bytes, or a range of them (half open, clipped to its end; a start at or past the end
    /// is [`BlobError::Range`], an empty range [`BlobError::Invalid`]), in constant memory.
    async fn get(
        &self,
        key: &str,
        range: Option<Range<u64>>,
    ) -> Result<(BlobHead, ByteStream), BlobError>;

    /// What is known of an object, without its bytes.
    async fn head(&self, key: &str) -> Result<BlobHead, BlobError>;

    /// A page of at most 1,000 of the objects whose keys start with `prefix`; `after` is the
    /// [`ListPage::next`] of the page before.
    async fn list(&self, prefix: &str, after: Option<String>) -> Result<ListPage, BlobError>;

    /// The same with every version and every delete marker. A store without versions lists its objects.
    async fn versions(&self, prefix: &str, after: Option<String>) -> Result<ListPage, BlobError>;

    /// Deletes up to [`MAX_DELETES`] objects or versions; one result each, in order. Deleting an absent
    /// one is `Ok`.
    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<Result<(), BlobError>>, BlobError>;

    /// The uploads under `prefix` that are still open. Whether a small one shows is up to the store.
    async fn open_uploads(&self, prefix: &str) -> Result<Vec<OpenUpload>, BlobError>;

    /// Gives an open upload up: nothing of it is stored, and its [`Blobs::put`] fails. One that is not
    /// open any more is `Ok`.
    async fn abort_upload(&self, upload: &OpenUpload) -> Result<(), BlobError>;

    /// A URL that gives the object to whoever holds it, for `ttl` (at most [`MAX_LINK_TTL`]), ranges
    /// included. Relative to the server's origin where the server itself answers it. Whether there is
    /// such an object shows when it is used.
    async fn link(&self, key: &str, ttl: Duration, served: Served<'_>)
    -> Result<String, BlobError>;

    /// A URL that takes the object by PUT for `ttl` (at most [`MAX_LINK_TTL`]), with exactly the announced
    /// type, length (which must be announced, and is at most [`MAX_UPLOAD_BYTES`]) and checksum. When it
    /// has come, an [`ObjectCreated`] goes into [`OBJECTS`].
    async fn upload_link(
        &self,
        key: &str,
        meta: &BlobMeta,
        ttl: Duration,
    ) -> Result<UploadLink, BlobError>;
}

#[cfg(test)]
mod tests {
    use super::attachment;

    #[test]
    fn names_of_downloads_cannot_leave_their_quotes() {
        assert_eq!(
            attachment("2026-01-31 call.wav"),
            "attachment; filename=\"2026-01-31 call.wav\"; filename*=UTF-8''2026-01-31%20call.wav"
        );
        assert_eq!(
            attachment("a\"\r\nb/..\\é.mp3"),
            "attachment; filename=\"a___b_..__.mp3\"; filename*=UTF-8''a%22__b_.._%C3%A9.mp3"
        );
    }
}
