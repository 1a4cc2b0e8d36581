use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    RequestChecksumCalculation, ResponseChecksumValidation, StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::primitives::{ByteStream as Body, DateTime};
use aws_sdk_s3::types::{ChecksumAlgorithm, Delete, ObjectIdentifier, ServerSideEncryption};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::timeout::TimeoutConfig;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use ring::digest;
use ringfence_ports::{
    BlobError, BlobHead, BlobId, BlobMeta, Blobs, ByteStream, Clock, ListPage, Listed,
    MAX_BLOB_BYTES, MAX_DELETES, OpenUpload, Random, Served, UploadLink, attachment,
    validate_blob_key, validate_link_ttl,
};

use crate::retry::{Patience, Status, Trouble, trouble};
use crate::{Aws, ConfigError};

mod upload;

use upload::Upload;

/// What is sent at once: an object of at most this is one `PutObject`, a larger one is uploaded in parts
/// of it. It bounds the memory of a put, and by S3's 10,000 parts the size of an object.
const PART: usize = 8 * 1024 * 1024;

/// One try of a request with a part, over a slow link.
const ATTEMPT: Duration = Duration::from_secs(30);

/// User metadata: SHA-256 of the whole object, in hexadecimal. S3's own checksum of an object in parts is
/// one of checksums.
const SHA256: &str = "sha256";

/// The most entries of a page (S3's limit).
const PAGE: i32 = 1000;

/// [`Blobs`] on one S3 bucket. The bucket decides versions, and encryption where an object names no key.
///
/// Permissions, each only where used: `s3:PutObject`, `s3:GetObject`, `s3:ListBucket`,
/// `s3:ListBucketVersions`, `s3:DeleteObject`, `s3:DeleteObjectVersion`, `s3:AbortMultipartUpload`,
/// `s3:ListBucketMultipartUploads`. Without `s3:ListBucket` S3 answers an absent object as forbidden, and this
/// as unavailable.
#[derive(Clone)]
pub struct S3Blobs {
    s3: Client,
    bucket: String,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl std::fmt::Debug for S3Blobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Blobs")
            .field("bucket", &self.bucket)
            .finish_non_exhaustive()
    }
}

impl S3Blobs {
    /// Over this bucket. `clock` says from when a presigned link holds. Sends nothing.
    pub fn new(
        aws: &Aws,
        bucket: impl Into<String>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(crate::client::CONNECT)
            .operation_attempt_timeout(ATTEMPT)
            .build();
        let config = aws_sdk_s3::config::Builder::from(&aws.config)
            // An emulator is reached by one address.
            .force_path_style(aws.config.endpoint_url().is_some())
            .timeout_config(timeouts)
            // The attempt's deadline ends with the answer's head; a body that stalls is cut off by this.
            .stalled_stream_protection(StalledStreamProtectionConfig::enabled().build())
            // SHA-256 is given wherever bytes are sent; a CRC of the SDK's own would be one too many.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        Self {
            s3: Client::from_conf(config),
            bucket: bucket.into(),
            clock,
            random,
        }
    }

    /// Over the bucket that `RINGFENCE_BUCKET` names.
    pub fn from_env(
        aws: &Aws,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, ConfigError> {
        let bucket = std::env::var("RINGFENCE_BUCKET")
            .ok()
            .filter(|bucket| !bucket.is_empty())
            .ok_or_else(|| ConfigError::Missing("RINGFENCE_BUCKET".to_owned()))?;
        Ok(Self::new(aws, bucket, clock, random))
    }

    /// Waits before the next try, if there is one.
    async fn outlast<E, R: Status>(
        &self,
        patience: &mut Patience,
        error: &SdkError<E, R>,
    ) -> Result<(), BlobError>
    where
        E: ProvideErrorMetadata,
    {
        if let Some(meant) = meaning(error) {
            return Err(meant);
        }
        patience
            .outlast(trouble(error), &*self.random)
            .await
            .map_err(unavailable)
    }

    /// An object that fits into one request.
    async fn put_whole(
        &self,
        key: &str,
        meta: BlobMeta,
        bytes: Bytes,
    ) -> Result<BlobHead, BlobError> {
        let sha256 = sha256(&bytes);
        check(&meta, bytes.len() as u64, &sha256)?;
        let mut patience = Patience::new();
        loop {
            let sent = self
                .s3
                .put_object()
                .bucket(&self.bucket)
                .key(key)
                .content_type(&meta.content_type)
                .checksum_sha256(STANDARD.encode(sha256))
                .metadata(SHA256, hex(&sha256))
                .set_server_side_encryption(encryption(&meta))
                .set_ssekms_key_id(meta.kms_key.clone())
                .set_bucket_key_enabled(meta.kms_key.as_ref().map(|_| true))
                .body(Body::from(bytes.clone()))
                .send()
                .await;
            match sent {
                Ok(put) => {
                    return Ok(BlobHead {
                        length: bytes.len() as u64,
                        content_type: meta.content_type,
                        sha256: Some(sha256),
                        stored_at: self.clock.now(),
                        version: put.version_id,
                    });
                }
                Err(error) => self.outlast(&mut patience, &error).await?,
            }
        }
    }

    async fn presign(
        &self,
        ttl: Duration,
        sign: impl AsyncFnOnce(PresigningConfig) -> Result<PresignedRequest, BlobError>,
    ) -> Result<PresignedRequest, BlobError> {
        validate_link_ttl(ttl)?;
        let config = PresigningConfig::builder()
            .start_time(self.clock.now().into())
            .expires_in(ttl)
            .build()
            .map_err(|_| BlobError::Invalid("a link cannot live so long"))?;
        sign(config).await
    }
}

#[async_trait]
impl Blobs for S3Blobs {
    async fn put(
        &self,
        key: &str,
        meta: BlobMeta,
        mut bytes: ByteStream,
    ) -> Result<BlobHead, BlobError> {
        validate_blob_key(key)?;
        meta.validate()?;
        let limit = meta.length.unwrap_or(MAX_BLOB_BYTES);
        let mut part = BytesMut::new();
        let mut length = 0_u64;
        let mut upload: Option<Upload> = None;
        let outcome = loop {
            let mut piece = match bytes.next().await {
                None => break Ok(()),
                Some(Err(error)) => break Err(error),
                Some(Ok(piece)) => piece,
            };
            length += piece.len() as u64;
            if length > limit {
                break Err(if meta.length.is_some() {
                    BlobError::Mismatch
                } else {
                    BlobError::Invalid("an object has at most 64 GiB")
                });
            }
            let mut sent = Ok(());
            while part.len() + piece.len() > PART && sent.is_ok() {
                part.extend_from_slice(&piece.split_to(PART - part.len()));
                let full = std::mem::take(&mut part).freeze();
                if upload.is_none() {
                    upload = Some(Upload::begin(self, key, &meta).await?);
                }
                if let Some(upload) = &mut upload {
                    sent = upload.part(full).await;
                }
            }
            if sent.is_err() {
                break sent;
            }
            part.extend_from_slice(&piece);
        };
        let Some(mut upload) = upload else {
            outcome?;
            return self.put_whole(key, meta, part.freeze()).await;
        };
        let mut outcome = outcome;
        if outcome.is_ok() && !part.is_empty() {
            outcome = upload.part(part.freeze()).await;
        }
        match outcome {
            Ok(()) => upload.complete(meta, length).await,
            Err(error) => {
                upload.abort().await;
                Err(error)
            }
        }
    }

    async fn get(
        &self,
        key: &str,
        range: Option<Range<u64>>,
    ) -> Result<(BlobHead, ByteStream), BlobError> {
        validate_blob_key(key)?;
        let asked = match &range {
            None => None,
            Some(range) if range.is_empty() => {
                return Err(BlobError::Invalid("a range has at least one byte"));
            }
            // Numbers that no object reaches, S3 may take for no range at all.
            Some(range) if range.start >= MAX_BLOB_BYTES => {
                let length = self.head(key).await?.length;
                return Err(BlobError::Range { length });
            }
            Some(range) if range.end > MAX_BLOB_BYTES => Some(format!("bytes={}-", range.start)),
            Some(range) => Some(format!("bytes={}-{}", range.start, range.end - 1)),
        };
        let mut patience = Patience::new();
        let got = loop {
            let sent = self
                .s3
                .get_object()
                .bucket(&self.bucket)
                .key(key)
                .set_range(asked.clone())
                .send()
                .await;
            match sent {
                Ok(got) => break got,
                Err(error) if error.code() == Some("InvalidRange") => {
                    let length = self.head(key).await?.length;
                    return Err(BlobError::Range { length });
                }
                Err(error) => self.outlast(&mut patience, &error).await?,
            }
        };
        let length = match (&asked, got.content_range()) {
            (None, _) => got.content_length().and_then(|n| u64::try_from(n).ok()),
            // `bytes 0-9/100`
            (Some(_), Some(part)) => part.rsplit('/').next().and_then(|all| all.parse().ok()),
            // All of it instead of a part.
            (Some(_), None) => None,
        };
        let head = BlobHead {
            length: length.ok_or_else(strange)?,
            content_type: got.content_type.unwrap_or_default(),
            sha256: told_sha256(got.metadata.as_ref()),
            stored_at: time(got.last_modified),
            version: got.version_id,
        };
        let bytes = stream::unfold(Some(got.body), |body| async move {
            let mut body = body?;
            if let Ok(bytes) = body.next().await? {
                return Some((Ok(bytes), Some(body)));
            }
            let broken = BlobError::Unavailable("the answer broke off".to_owned());
            Some((Err(broken), None))
        });
        Ok((head, Box::pin(bytes)))
    }

    async fn head(&self, key: &str) -> Result<BlobHead, BlobError> {
        validate_blob_key(key)?;
        let mut patience = Patience::new();
        loop {
            let sent = self
                .s3
                .head_object()
                .bucket(&self.bucket)
                .key(key)
                .send()
                .await;
            match sent {
                Ok(head) => {
                    let length = head.content_length.and_then(|n| u64::try_from(n).ok());
                    return Ok(BlobHead {
                        length: length.ok_or_else(strange)?,
                        content_type: head.content_type.unwrap_or_default(),
                        sha256: told_sha256(head.metadata.as_ref()),
                        stored_at: time(head.last_modified),
                        version: head.version_id,
                    });
                }
                Err(error) => self.outlast(&mut patience, &error).await?,
            }
        }
    }

    async fn list(&self, prefix: &str, after: Option<String>) -> Result<ListPage, BlobError> {
        let mut patience = Patience::new();
        let page = loop {
            // Behind a key, not by S3's token: a job that comes back a day later still goes on here.
            let sent = self
                .s3
                .list_objects_v2()
                .bucket(&self.bucket)
                .prefix(prefix)
                .set_start_after(after.clone())
                .max_keys(PAGE)
                .send()
                .await;
            match sent {
                Ok(page) => break page,
                Err(error) => self.outlast(&mut patience, &error).await?,
            }
        };
        let items: Vec<Listed> = page
            .contents
            .unwrap_or_default()
            .into_iter()
            .filter_map(|object| {
                Some(Listed {
                    key: object.key?,
                    version: None,
                    is_delete_marker: false,
                    length: length(object.size),
                })
            })
            .collect();
        let more = page.is_truncated == Some(true);
        let next = items.last().filter(|_| more).map(|last| last.key.clone());
        Ok(ListPage { items, next })
    }

    async fn versions(&self, prefix: &str, after: Option<String>) -> Result<ListPage, BlobError> {
        // Neither has a line break.
        let (key, version) = match after.as_deref().map(|after| after.split_once('\n')) {
            None => (None, None),
            Some(Some((key, ""))) => (Some(key.to_owned()), None),
            Some(Some((key, version))) => (Some(key.to_owned()), Some(version.to_owned())),
            Some(None) => return Err(BlobError::Invalid("the position is of another listing")),
        };
        let mut patience = Patience::new();
        let page = loop {
            let sent = self
                .s3
                .list_object_versions()
                .bucket(&self.bucket)
                .prefix(prefix)
                .set_key_marker(key.clone())
                .set_version_id_marker(version.clone())
                .max_keys(PAGE)
                .send()
                .await;
            match sent {
                Ok(page) => break page,
                Err(error) => self.outlast(&mut patience, &error).await?,
            }
        };
        // Two lists come, each in order; what is newest of a key stands first.
        let versions = page.versions.unwrap_or_default().into_iter().map(|found| {
            let at = (found.is_latest == Some(true), found.last_modified);
            (at, false, found.key, found.version_id, found.size)
        });
        let markers = page.delete_markers.unwrap_or_default().into_iter();
        let markers = markers.map(|found| {
            let at = (found.is_latest == Some(true), found.last_modified);
            (at, true, found.key, found.version_id, None)
        });
        let mut found: Vec<_> = versions.chain(markers).collect();
        found.sort_by(|a, b| a.2.cmp(&b.2).then(b.0.cmp(&a.0)));
        let items = found
            .into_iter()
            .filter_map(|(_, is_delete_marker, key, version, size)| {
                Some(Listed {
                    key: key?,
                    version,
                    is_delete_marker,
                    length: length(size),
                })
            })
            .collect();
        let next = page
            .next_key_marker
            .filter(|_| page.is_truncated == Some(true));
        let next =
            next.map(|key| format!("{key}\n{}", page.next_version_id_marker.unwrap_or_default()));
        Ok(ListPage { items, next })
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<Result<(), BlobError>>, BlobError> {
        if ids.len() > MAX_DELETES {
            return Err(BlobError::Invalid("at most 1,000 objects go at once"));
        }
        ids.iter().try_for_each(|id| validate_blob_key(&id.key))?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let objects = ids
            .iter()
            .map(|id| {
                ObjectIdentifier::builder()
                    .key(&id.key)
                    .set_version_id(id.version.clone())
                    .build()
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| strange())?;
        let delete = Delete::builder()
            .set_objects(Some(objects))
            // Only what failed comes back.
            .quiet(true)
            .build()
            .map_err(|_| strange())?;
        let mut patience = Patience::new();
        let done = loop {
            let sent = self
                .s3
                .delete_objects()
                .bucket(&self.bucket)
                .delete(delete.clone())
                .checksum_algorithm(ChecksumAlgorithm::Sha256)
                .send()
                .await;
            match sent {
                Ok(done) => break done,
                Err(error) => self.outlast(&mut patience, &error).await?,
            }
        };
        let failed: HashMap<(&str, Option<&str>), &str> = done
            .errors()
            .iter()
            .filter_map(|error| {
                let version = error.version_id().filter(|version| !version.is_empty());
                Some(((error.key()?, version), error.code().unwrap_or("no code")))
            })
            .collect();
        Ok(ids
            .iter()
            .map(
                |id| match failed.get(&(id.key.as_str(), id.version.as_deref())) {
                    None | Some(&("NoSuchKey" | "NoSuchVersion")) => Ok(()),
                    Some(code) => Err(BlobError::Unavailable(format!(
                        "the service answered {code}"
                    ))),
                },
            )
            .collect())
    }

    async fn open_uploads(&self, prefix: &str) -> Result<Vec<OpenUpload>, BlobError> {
        let mut all = Vec::new();
        let mut after = (None, None);
        loop {
            let mut patience = Patience::new();
            let page = loop {
                let sent = self
                    .s3
                    .list_multipart_uploads()
                    .bucket(&self.bucket)
                    .prefix(prefix)
                    .set_key_marker(after.0.clone())
                    .set_upload_id_marker(after.1.clone())
                    .send()
                    .await;
                match sent {
                    Ok(page) => break page,
                    Err(error) => self.outlast(&mut patience, &error).await?,
                }
            };
            let found = page.uploads.unwrap_or_default().into_iter();
            all.extend(found.filter_map(|upload| {
                Some(OpenUpload {
                    key: upload.key?,
                    upload: upload.upload_id?,
                })
            }));
            if page.is_truncated != Some(true) || page.next_key_marker.is_none() {
                return Ok(all);
            }
            after = (page.next_key_marker, page.next_upload_id_marker);
        }
    }

    async fn abort_upload(&self, upload: &OpenUpload) -> Result<(), BlobError> {
        let mut patience = Patience::new();
        loop {
            let sent = self
                .s3
                .abort_multipart_upload()
                .bucket(&self.bucket)
                .key(&upload.key)
                .upload_id(&upload.upload)
                .send()
                .await;
            match sent {
                Ok(_) => return Ok(()),
                Err(error) if error.code() == Some("NoSuchUpload") => return Ok(()),
                Err(error) => self.outlast(&mut patience, &error).await?,
            }
        }
    }

    async fn link(
        &self,
        key: &str,
        ttl: Duration,
        served: Served<'_>,
    ) -> Result<String, BlobError> {
        validate_blob_key(key)?;
        served.validate()?;
        let request = self
            .s3
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .response_cache_control("private, no-store")
            .set_response_content_type(served.content_type.map(str::to_owned))
            .set_response_content_disposition(served.download_as.map(attachment));
        let signed = self
            .presign(ttl, async |config| {
                let signed = request.presigned(config).await;
                signed.map_err(|error| unavailable(trouble(&error)))
            })
            .await?;
        Ok(signed.uri().to_owned())
    }

    async fn upload_link(
        &self,
        key: &str,
        meta: &BlobMeta,
        ttl: Duration,
    ) -> Result<UploadLink, BlobError> {
        validate_blob_key(key)?;
        let length = meta.validate_upload()?;
        let request = self
            .s3
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type(&meta.content_type)
            .set_content_length(i64::try_from(length).ok())
            .set_checksum_sha256(meta.sha256.map(|sha256| STANDARD.encode(sha256)))
            .set_metadata(
                meta.sha256
                    .map(|sha256| [(SHA256.to_owned(), hex(&sha256))].into()),
            )
            .set_server_side_encryption(encryption(meta))
            .set_ssekms_key_id(meta.kms_key.clone())
            .set_bucket_key_enabled(meta.kms_key.as_ref().map(|_| true));
        let signed = self
            .presign(ttl, async |config| {
                let signed = request.presigned(config).await;
                signed.map_err(|error| unavailable(trouble(&error)))
            })
            .await?;
        let headers = signed
            .headers()
            .filter(|(name, _)| !matches!(*name, "content-length" | "host"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(UploadLink {
            url: signed.uri().to_owned(),
            headers,
        })
    }
}

/// How the object is encrypted, where that is said; else the bucket says it. With the bucket's key for that
/// KMS key, as for its own: one request of KMS for some time, and a context that names the bucket alone.
fn encryption(meta: &BlobMeta) -> Option<ServerSideEncryption> {
    meta.kms_key.as_ref().map(|_| ServerSideEncryption::AwsKms)
}

/// Why S3 cannot use the key of an object, by its code
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>). That the role may not use it, or
/// the key's policy does not let it, S3 tells as any other denial, with the action of KMS in its message.
fn unusable_key<'a>(code: Option<&'a str>, message: Option<&str>) -> Option<&'a str> {
    match code? {
        code @ ("KMS.DisabledException"
        | "KMS.NotFoundException"
        | "KMS.InvalidKeyUsageException"
        | "KMS.KMSInvalidStateException"
        | "KMS.AccessDeniedException") => Some(code),
        "AccessDenied" if message.is_some_and(|text| text.contains("kms:")) => {
            Some("KMS.AccessDeniedException")
        }
        _ => None,
    }
}

/// An error that says something of the object, and not of the service.
fn meaning<E: ProvideErrorMetadata, R: Status>(error: &SdkError<E, R>) -> Option<BlobError> {
    if let Some(code) = unusable_key(error.code(), error.message()) {
        return Some(BlobError::Key(code.to_owned()));
    }
    match (error.code(), error.raw_response().map(Status::status)) {
        (Some("NoSuchUpload"), _) => Some(BlobError::Invalid("the upload was given up")),
        (Some("BadDigest" | "InvalidDigest" | "XAmzContentSHA256Mismatch"), _) => {
            Some(BlobError::Mismatch)
        }
        // Answers to HEAD have no code.
        (Some("NoSuchKey" | "NoSuchVersion" | "NotFound"), _) | (None, Some(404)) => {
            Some(BlobError::NotFound)
        }
        _ => None,
    }
}

fn unavailable(trouble: Trouble) -> BlobError {
    BlobError::Unavailable(match trouble {
        Trouble::Busy => "throttled".to_owned(),
        Trouble::Unsure(cause) | Trouble::Refused(cause) => cause,
    })
}

fn strange() -> BlobError {
    BlobError::Unavailable("an answer that is none".to_owned())
}

fn check(meta: &BlobMeta, length: u64, sha256: &[u8; 32]) -> Result<(), BlobError> {
    let fits = meta.length.is_none_or(|announced| announced == length)
        && meta.sha256.is_none_or(|announced| announced == *sha256);
    if fits {
        Ok(())
    } else {
        Err(BlobError::Mismatch)
    }
}

fn length(size: Option<i64>) -> u64 {
    size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0)
}

fn time(time: Option<DateTime>) -> Timestamp {
    time.and_then(|time| Timestamp::new(time.secs(), time.subsec_nanos().cast_signed()).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    finish(&{
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(bytes);
        hash
    })
}

fn finish(hash: &digest::Context) -> [u8; 32] {
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(hash.clone().finish().as_ref());
    sha256
}

fn hex(bytes: &[u8; 32]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn told_sha256(metadata: Option<&HashMap<String, String>>) -> Option<[u8; 32]> {
    let text = metadata?.get(SHA256)?;
    let mut sha256 = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (n, byte) in sha256.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * n..2 * n + 2)?, 16).ok()?;
    }
    Some(sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_survive_metadata() {
        let sha256 = sha256(b"abc");
        let told = [(SHA256.to_owned(), hex(&sha256))].into();
        assert_eq!(told_sha256(Some(&told)), Some(sha256));
        for wrong in ["", "ba", &"g".repeat(64), &"é".repeat(32)] {
            let told = [(SHA256.to_owned(), wrong.to_owned())].into();
            assert_eq!(told_sha256(Some(&told)), None, "{wrong}");
        }
    }

    #[test]
    fn a_key_that_cannot_be_used_is_told_from_a_service_that_is_away() {
        let denied = "User: arn:aws:sts::111122223333:assumed-role/r/s is not authorized to perform: \
                      kms:GenerateDataKey on this resource";
        for (code, message, expected) in [
            ("KMS.DisabledException", None, Some("KMS.DisabledException")),
            ("KMS.NotFoundException", None, Some("KMS.NotFoundException")),
            (
                "KMS.KMSInvalidStateException",
                Some("pending deletion"),
                Some("KMS.KMSInvalidStateException"),
            ),
            (
                "AccessDenied",
                Some(denied),
                Some("KMS.AccessDeniedException"),
            ),
            ("AccessDenied", Some("Access Denied"), None),
            ("SlowDown", Some("kms:Decrypt"), None),
        ] {
            assert_eq!(unusable_key(Some(code), message), expected, "{code}");
        }
        assert_eq!(unusable_key(None, Some(denied)), None);
    }

    #[tokio::test]
    async fn an_upload_link_is_signed_with_the_key_that_it_names() {
        let connection = crate::Connection {
            region: "eu-west-1".to_owned(),
            endpoint: Some("http://127.0.0.1:9".to_owned()),
            credentials: crate::Credentials {
                access_key_id: "id".to_owned(),
                secret_access_key: "secret".to_owned(),
                session_token: None,
            },
        };
        let aws = Aws::new(&connection).unwrap();
        let clock = Arc::new(ringfence_ports::SystemClock);
        let random = Arc::new(ringfence_ports::SystemRandom::new());
        let blobs = S3Blobs::new(&aws, "bucket", clock, random);
        let arn = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        let mut meta = BlobMeta {
            content_type: "audio/wav".to_owned(),
            length: Some(3),
            ..BlobMeta::default()
        };
        for kms_key in [None, Some(arn)] {
            meta.kms_key = kms_key.map(str::to_owned);
            let ttl = Duration::from_mins(1);
            let link = blobs.upload_link("a", &meta, ttl).await.unwrap();
            let told = |name: &str| {
                let found = link.headers.iter().find(|(other, _)| other == name);
                found.map(|(_, value)| value.as_str())
            };
            let key_id = "x-amz-server-side-encryption-aws-kms-key-id";
            assert_eq!(told(key_id), kms_key);
            let kind = told("x-amz-server-side-encryption");
            assert_eq!(kind, kms_key.map(|_| "aws:kms"));
            // Whoever leaves it out has no signature.
            let signed = link.url.split("X-Amz-SignedHeaders=").nth(1).unwrap();
            let signed = signed.split('&').next().unwrap();
            assert_eq!(signed.contains(key_id), kms_key.is_some(), "{signed}");
        }
    }
}
