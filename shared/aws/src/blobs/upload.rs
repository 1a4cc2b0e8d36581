use aws_sdk_s3::primitives::ByteStream as Body;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ring::digest;
use ringfence_ports::{BlobError, BlobHead, BlobMeta, Blobs as _, OpenUpload};

use super::{S3Blobs, SHA256, check, encryption, finish, hex, sha256, strange};
use crate::retry::Patience;

/// A multipart upload under way. Whatever way it ends without being completed, it is given up; if even
/// that fails, the bucket's lifecycle rule does it.
pub(super) struct Upload {
    blobs: S3Blobs,
    open: OpenUpload,
    parts: Vec<CompletedPart>,
    hash: digest::Context,
    is_over: bool,
}

impl Upload {
    pub(super) async fn begin(
        blobs: &S3Blobs,
        key: &str,
        meta: &BlobMeta,
    ) -> Result<Self, BlobError> {
        let mut patience = Patience::new();
        let begun = loop {
            let sent = blobs
                .s3
                .create_multipart_upload()
                .bucket(&blobs.bucket)
                .key(key)
                .content_type(&meta.content_type)
                .checksum_algorithm(ChecksumAlgorithm::Sha256)
                // Of an object that was not announced it is known too late.
                .set_metadata(
                    meta.sha256
                        .map(|sha256| [(SHA256.to_owned(), hex(&sha256))].into()),
                )
                .set_server_side_encryption(encryption(meta))
                .set_ssekms_key_id(meta.kms_key.clone())
                .set_bucket_key_enabled(meta.kms_key.as_ref().map(|_| true))
                .send()
                .await;
            match sent {
                Ok(begun) => break begun,
                Err(error) => blobs.outlast(&mut patience, &error).await?,
            }
        };
        Ok(Self {
            blobs: blobs.clone(),
            open: OpenUpload {
                key: key.to_owned(),
                upload: begun.upload_id.ok_or_else(strange)?,
            },
            parts: Vec::new(),
            hash: digest::Context::new(&digest::SHA256),
            is_over: false,
        })
    }

    pub(super) async fn part(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        self.hash.update(&bytes);
        let checksum = STANDARD.encode(sha256(&bytes));
        let number = i32::try_from(self.parts.len() + 1).map_err(|_| strange())?;
        let mut patience = Patience::new();
        let sent = loop {
            let sent = self
                .blobs
                .s3
                .upload_part()
                .bucket(&self.blobs.bucket)
                .key(&self.open.key)
                .upload_id(&self.open.upload)
                .part_number(number)
                .checksum_sha256(&checksum)
                .body(Body::from(bytes.clone()))
                .send()
                .await;
            match sent {
                Ok(sent) => break sent,
                Err(error) => self.blobs.outlast(&mut patience, &error).await?,
            }
        };
        let part = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag)
            .checksum_sha256(checksum)
            .build();
        self.parts.push(part);
        Ok(())
    }

    pub(super) async fn complete(
        mut self,
        meta: BlobMeta,
        length: u64,
    ) -> Result<BlobHead, BlobError> {
        let sha256 = finish(&self.hash);
        if let Err(error) = check(&meta, length, &sha256) {
            self.abort().await;
            return Err(error);
        }
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(std::mem::take(&mut self.parts)))
            .build();
        let mut patience = Patience::new();
        let completed = loop {
            let sent = self
                .blobs
                .s3
                .complete_multipart_upload()
                .bucket(&self.blobs.bucket)
                .key(&self.open.key)
                .upload_id(&self.open.upload)
                .multipart_upload(parts.clone())
                .send()
                .await;
            // If an answer was lost, the next try may find the upload gone though its object is there: the
            // caller is told that it failed, and may put it again.
            match sent {
                Ok(completed) => break completed,
                Err(error) => {
                    if let Err(error) = self.blobs.outlast(&mut patience, &error).await {
                        self.abort().await;
                        return Err(error);
                    }
                }
            }
        };
        self.is_over = true;
        Ok(BlobHead {
            length,
            content_type: meta.content_type,
            sha256: meta.sha256,
            stored_at: self.blobs.clock.now(),
            version: completed.version_id,
        })
    }

    pub(super) async fn abort(mut self) {
        self.is_over = true;
        if let Err(error) = self.blobs.abort_upload(&self.open).await {
            tracing::warn!(%error, "an upload stays open until the bucket gives it up");
        }
    }
}

impl Drop for Upload {
    /// Whoever waited for it has gone.
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (blobs, open) = (self.blobs.clone(), self.open.clone());
            runtime.spawn(async move { blobs.abort_upload(&open).await });
        }
    }
}
