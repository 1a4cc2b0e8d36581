//! Links that the server itself answers: `/blobs/{token}`.
//!
//! A token is what the link allows, as JSON, and its MAC, both in base64url, with a dot between. It holds
//! nothing that a presigned URL of S3 would not.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ringfence_ports::{
    BlobError, BlobMeta, Keys as _, KeysError, MAX_UPLOAD_BYTES, Served, UploadLink, attachment,
    validate_blob_key, validate_link_ttl,
};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::FileKeys;

const CONTEXT: &str = "blob-link/1";

/// A key of 1,024 bytes, each escaped in JSON, and one of the provider of 2,048, with everything else, in base64.
const MAX_TOKEN_BYTES: usize = 12 * 1024;

/// Why a link is refused.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum LinkError {
    /// It was not made here, or was changed.
    #[error("this is not a link")]
    Invalid,
    /// Its time is over.
    #[error("the link has expired")]
    Expired,
    /// The keys cannot be had.
    #[error("the link cannot be judged: {0}")]
    Unavailable(String),
}

/// What a link allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkGrant {
    /// To read the object.
    Download {
        /// Which.
        key: String,
        /// The `Content-Disposition` to answer with.
        disposition: Option<String>,
        /// The media type to answer with; `None`: that it was stored with.
        content_type: Option<String>,
    },
    /// To put the object.
    Upload {
        /// Which.
        key: String,
        /// With exactly this type, length and checksum.
        meta: BlobMeta,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    #[serde(rename = "k")]
    key: String,
    /// The end, in milliseconds.
    #[serde(rename = "e")]
    expires: i64,
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    download_as: Option<String>,
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    upload: Option<Upload>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Upload {
    #[serde(rename = "t")]
    content_type: String,
    #[serde(rename = "l")]
    length: u64,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    sha256: Option<[u8; 32]>,
    #[serde(rename = "y", default, skip_serializing_if = "Option::is_none")]
    kms_key: Option<String>,
}

pub(super) async fn download(
    keys: &FileKeys,
    now: Timestamp,
    key: &str,
    ttl: Duration,
    served: Served<'_>,
) -> Result<String, BlobError> {
    served.validate()?;
    make(keys, now, key, ttl, served, None).await
}

pub(super) async fn upload(
    keys: &FileKeys,
    now: Timestamp,
    key: &str,
    meta: &BlobMeta,
    ttl: Duration,
) -> Result<UploadLink, BlobError> {
    let upload = Upload {
        content_type: meta.content_type.clone(),
        length: meta.validate_upload()?,
        sha256: meta.sha256,
        kms_key: meta.kms_key.clone(),
    };
    Ok(UploadLink {
        url: make(keys, now, key, ttl, Served::default(), Some(upload)).await?,
        headers: vec![("content-type".to_owned(), meta.content_type.clone())],
    })
}

async fn make(
    keys: &FileKeys,
    now: Timestamp,
    key: &str,
    ttl: Duration,
    served: Served<'_>,
    upload: Option<Upload>,
) -> Result<String, BlobError> {
    validate_blob_key(key)?;
    validate_link_ttl(ttl)?;
    let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
    let payload = serde_json::to_vec(&Payload {
        key: key.to_owned(),
        expires: now.as_millisecond().saturating_add(ttl),
        download_as: served.download_as.map(str::to_owned),
        content_type: served.content_type.map(str::to_owned),
        upload,
    })
    .map_err(|_| BlobError::Invalid("a link that cannot be written"))?;
    let mac = keys
        .mac(CONTEXT, &payload)
        .await
        .map_err(|error| BlobError::Unavailable(error.to_string()))?;
    let (payload, mac) = (URL_SAFE_NO_PAD.encode(payload), URL_SAFE_NO_PAD.encode(mac));
    Ok(format!("/blobs/{payload}.{mac}"))
}

pub(super) async fn open(
    keys: &FileKeys,
    now: Timestamp,
    token: &str,
) -> Result<LinkGrant, LinkError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(LinkError::Invalid);
    }
    let decoded = token.split_once('.').and_then(|(payload, mac)| {
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        Some((payload, URL_SAFE_NO_PAD.decode(mac).ok()?))
    });
    let (payload, mac) = decoded.ok_or(LinkError::Invalid)?;
    let expected = keys
        .mac(CONTEXT, &payload)
        .await
        .map_err(|error| match error {
            KeysError::Refused => LinkError::Invalid,
            KeysError::Unavailable(cause) => LinkError::Unavailable(cause),
        })?;
    if !bool::from(expected.as_slice().ct_eq(&mac)) {
        return Err(LinkError::Invalid);
    }
    let payload: Payload = serde_json::from_slice(&payload).map_err(|_| LinkError::Invalid)?;
    if now.as_millisecond() >= payload.expires {
        return Err(LinkError::Expired);
    }
    let key = payload.key;
    Ok(match payload.upload {
        None => LinkGrant::Download {
            key,
            disposition: payload.download_as.as_deref().map(attachment),
            content_type: payload.content_type,
        },
        Some(upload) if upload.length > MAX_UPLOAD_BYTES => return Err(LinkError::Invalid),
        Some(upload) => LinkGrant::Upload {
            key,
            meta: BlobMeta {
                content_type: upload.content_type,
                length: Some(upload.length),
                sha256: upload.sha256,
                kms_key: upload.kms_key,
            },
        },
    })
}
