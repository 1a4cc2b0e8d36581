//! Objects in memory, for tests of what works with them.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use ringfence_ports::{
    BlobError, BlobHead, BlobId, BlobMeta, Blobs, ByteStream, Clock, ListPage, Listed, OpenUpload,
    UploadLink,
};

/// An object store in memory, whose links count and say until when they are good.
pub struct MemoryBlobs {
    clock: Arc<dyn Clock>,
    objects: Mutex<BTreeMap<String, (BlobHead, Bytes)>>,
    links: AtomicU64,
}

impl MemoryBlobs {
    /// An empty one.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            objects: Mutex::default(),
            links: AtomicU64::new(0),
        }
    }

    /// Puts an object there, as a platform does by a presigned URL.
    pub fn insert(&self, key: &str, content_type: &str, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        let head = self.head_of(content_type.to_owned(), &bytes);
        self.objects().insert(key.to_owned(), (head, bytes));
    }

    /// The keys of all objects.
    pub fn keys(&self) -> Vec<String> {
        self.objects().keys().cloned().collect()
    }

    /// An object's bytes.
    pub fn bytes(&self, key: &str) -> Bytes {
        self.objects()[key].1.clone()
    }

    /// How many links to objects were made.
    pub fn links(&self) -> u64 {
        self.links.load(Ordering::SeqCst)
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, (BlobHead, Bytes)>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn head_of(&self, content_type: String, bytes: &[u8]) -> BlobHead {
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest.as_ref());
        BlobHead {
            length: bytes.len() as u64,
            content_type,
            sha256: Some(sha256),
            stored_at: self.clock.now(),
            version: None,
        }
    }

    fn url(&self, kind: &str, key: &str, ttl: Duration) -> Result<String, BlobError> {
        if ttl > ringfence_ports::MAX_LINK_TTL {
            return Err(BlobError::Invalid("a link lives too long"));
        }
        let ends = self.clock.now().as_second() + ttl.as_secs().cast_signed();
        Ok(format!("https://store.test/{kind}/{key}?until={ends}"))
    }
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn put(
        &self,
        key: &str,
        meta: BlobMeta,
        mut bytes: ByteStream,
    ) -> Result<BlobHead, BlobError> {
        let mut whole = Vec::new();
        while let Some(part) = bytes.next().await {
            whole.extend_from_slice(&part?);
        }
        let head = self.head_of(meta.content_type.clone(), &whole);
        let fits = meta.length.is_none_or(|length| length == head.length)
            && meta.sha256.is_none_or(|sha256| Some(sha256) == head.sha256);
        if !fits {
            return Err(BlobError::Mismatch);
        }
        self.objects()
            .insert(key.to_owned(), (head.clone(), whole.into()));
        Ok(head)
    }

    async fn get(
        &self,
        key: &str,
        range: Option<Range<u64>>,
    ) -> Result<(BlobHead, ByteStream), BlobError> {
        let (head, bytes) = self
            .objects()
            .get(key)
            .cloned()
            .ok_or(BlobError::NotFound)?;
        let range = range.unwrap_or(0..head.length);
        if range.start >= head.length {
            return Err(BlobError::Range {
                length: head.length,
            });
        }
        let at = |byte: u64| usize::try_from(byte).unwrap();
        let slice = bytes.slice(at(range.start)..at(range.end.min(head.length)));
        Ok((head, Box::pin(stream::iter([Ok(slice)]))))
    }

    async fn head(&self, key: &str) -> Result<BlobHead, BlobError> {
        self.objects()
            .get(key)
            .map(|(head, _)| head.clone())
            .ok_or(BlobError::NotFound)
    }

    async fn list(&self, prefix: &str, after: Option<String>) -> Result<ListPage, BlobError> {
        let mut items: Vec<_> = self
            .objects()
            .iter()
            .filter(|(key, _)| key.starts_with(prefix) && after.as_ref() < Some(key))
            .take(1001)
            .map(|(key, (head, _))| Listed {
                key: key.clone(),
                version: None,
                is_delete_marker: false,
                length: head.length,
            })
            .collect();
        let is_more = items.len() > 1000;
        items.truncate(1000);
        let next = items
            .last()
            .filter(|_| is_more)
            .map(|last| last.key.clone());
        Ok(ListPage { items, next })
    }

    async fn versions(&self, prefix: &str, after: Option<String>) -> Result<ListPage, BlobError> {
        self.list(prefix, after).await
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<Result<(), BlobError>>, BlobError> {
        let mut objects = self.objects();
        Ok(ids
            .iter()
            .map(|id| {
                objects.remove(&id.key);
                Ok(())
            })
            .collect())
    }

    async fn open_uploads(&self, _: &str) -> Result<Vec<OpenUpload>, BlobError> {
        Ok(Vec::new())
    }

    async fn abort_upload(&self, _: &OpenUpload) -> Result<(), BlobError> {
        Ok(())
    }

    async fn link(&self, key: &str, ttl: Duration, _: Option<&str>) -> Result<String, BlobError> {
        self.links.fetch_add(1, Ordering::SeqCst);
        self.url("get", key, ttl)
    }

    async fn upload_link(
        &self,
        key: &str,
        meta: &BlobMeta,
        ttl: Duration,
    ) -> Result<UploadLink, BlobError> {
        Ok(UploadLink {
            url: self.url("put", key, ttl)?,
            headers: vec![("content-type".to_owned(), meta.content_type.clone())],
        })
    }
}
