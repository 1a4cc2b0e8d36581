use std::{ops::Range, time::Duration};

use async_trait::async_trait;
use ringfence_ports::{
    BlobError, BlobHead, BlobId, BlobMeta, Blobs, ByteStream, ListPage, OpenUpload, Served,
    UploadLink,
};

/// The store of an installation that has none for objects: everything is unavailable.
#[derive(Clone, Copy, Debug)]
pub struct NoBlobs;

fn none<T>() -> Result<T, BlobError> {
    Err(BlobError::Unavailable(
        "this installation has no store for objects".to_owned(),
    ))
}

#[async_trait]
impl Blobs for NoBlobs {
    async fn put(&self, _: &str, _: BlobMeta, _: ByteStream) -> Result<BlobHead, BlobError> {
        none()
    }
    async fn get(
        &self,
        _: &str,
        _: Option<Range<u64>>,
    ) -> Result<(BlobHead, ByteStream), BlobError> {
        none()
    }
    async fn head(&self, _: &str) -> Result<BlobHead, BlobError> {
        none()
    }
    async fn list(&self, _: &str, _: Option<String>) -> Result<ListPage, BlobError> {
        none()
    }
    async fn versions(&self, _: &str, _: Option<String>) -> Result<ListPage, BlobError> {
        none()
    }
    async fn delete(&self, _: &[BlobId]) -> Result<Vec<Result<(), BlobError>>, BlobError> {
        none()
    }
    async fn open_uploads(&self, _: &str) -> Result<Vec<OpenUpload>, BlobError> {
        none()
    }
    async fn abort_upload(&self, _: &OpenUpload) -> Result<(), BlobError> {
        none()
    }
    async fn link(&self, _: &str, _: Duration, _: Served<'_>) -> Result<String, BlobError> {
        none()
    }
    async fn upload_link(
        &self,
        _: &str,
        _: &BlobMeta,
        _: Duration,
    ) -> Result<UploadLink, BlobError> {
        none()
    }
}
