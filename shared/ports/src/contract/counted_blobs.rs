use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::{
    BlobError, BlobHead, BlobId, BlobMeta, Blobs, ByteStream, ListPage, OpenUpload, Served,
    UploadLink,
};

/// What went through a [`CountedBlobs`] wrapper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlobCalls {
    /// Calls of [`Blobs::delete`].
    pub delete: u64,
    /// Objects and versions in them.
    pub deleted: u64,
    /// Calls of [`Blobs::versions`].
    pub versions: u64,
    /// Calls of [`Blobs::open_uploads`].
    pub open_uploads: u64,
    /// Calls of anything else.
    pub others: u64,
}

/// Counts what a caller asks of a store of objects.
#[derive(Debug)]
pub struct CountedBlobs<B: ?Sized> {
    inner: Arc<B>,
    calls: Mutex<BlobCalls>,
}

impl<B: ?Sized> CountedBlobs<B> {
    /// Counts from nought.
    pub fn new(inner: Arc<B>) -> Self {
        Self {
            inner,
            calls: Mutex::default(),
        }
    }

    /// The counts since the last time.
    pub fn take(&self) -> BlobCalls {
        std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is counted.
    pub fn inner(&self) -> &Arc<B> {
        &self.inner
    }

    fn add(&self, add: impl FnOnce(&mut BlobCalls)) {
        add(&mut self.calls.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn other(&self) {
        self.add(|calls| calls.others += 1);
    }
}

#[async_trait]
impl<B: Blobs + ?Sized> Blobs for CountedBlobs<B> {
    async fn put(
        &self,
        key: &str,
        meta: BlobMeta,
        bytes: ByteStream,
    ) -> Result<BlobHead, BlobError> {
        self.other();
        self.inner.put(key, meta, bytes).await
    }

    async fn get(
        &self,
        key: &str,
        range: Option<Range<u64>>,
    ) -> Result<(BlobHead, ByteStream), BlobError> {
        self.other();
        self.inner.get(key, range).await
    }

    async fn head(&self, key: &str) -> Result<BlobHead, BlobError> {
        self.other();
        self.inner.head(key).await
    }

    async fn list(&self, prefix: &str, after: Option<String>) -> Result<ListPage, BlobError> {
        self.other();
        self.inner.list(prefix, after).await
    }

    async fn versions(&self, prefix: &str, after: Option<String>) -> Result<ListPage, BlobError> {
        self.add(|calls| calls.versions += 1);
        self.inner.versions(prefix, after).await
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<Result<(), BlobError>>, BlobError> {
        self.add(|calls| {
            calls.delete += 1;
            calls.deleted += ids.len() as u64;
        });
        self.inner.delete(ids).await
    }

    async fn open_uploads(&self, prefix: &str) -> Result<Vec<OpenUpload>, BlobError> {
        self.add(|calls| calls.open_uploads += 1);
        self.inner.open_uploads(prefix).await
    }

    async fn abort_upload(&self, upload: &OpenUpload) -> Result<(), BlobError> {
        self.other();
        self.inner.abort_upload(upload).await
    }

    async fn link(
        &self,
        key: &str,
        ttl: Duration,
        served: Served<'_>,
    ) -> Result<String, BlobError> {
        self.other();
        self.inner.link(key, ttl, served).await
    }

    async fn upload_link(
        &self,
        key: &str,
        meta: &BlobMeta,
        ttl: Duration,
    ) -> Result<UploadLink, BlobError> {
        self.other();
        self.inner.upload_link(key, meta, ttl).await
    }
}
