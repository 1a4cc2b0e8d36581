//! What answers the links of the embedded store's objects (`/blobs/{token}`), as S3 answers presigned
//! URLs: ranges of downloads, uploads of what was announced; nothing is held in memory.

use std::{ops::Range, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::TryStreamExt as _;
use ringfence_embedded::{FileBlobs, LinkError, LinkGrant};
use ringfence_ports::{BlobError, BlobHead, BlobMeta, Blobs as _};
use serde_json::json;

/// Where links lead.
pub const PREFIX: &str = "/blobs/";

/// The routes of links.
pub fn router(blobs: Arc<FileBlobs>) -> Router {
    Router::new()
        .route("/blobs/{token}", get(download).put(upload))
        .with_state(blobs)
}

/// Why a link is not answered; the same statuses as S3's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// No link, an expired one, or one for something else. Nobody is told which.
    Forbidden,
    NotFound,
    /// The whole object's length, in bytes.
    Unsatisfiable(u64),
    LengthRequired,
    /// The bytes were not those announced.
    Mismatch,
    Unavailable,
}

impl From<LinkError> for Refusal {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Invalid | LinkError::Expired => Self::Forbidden,
            LinkError::Unavailable(_) => Self::Unavailable,
        }
    }
}

impl From<BlobError> for Refusal {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::NotFound => Self::NotFound,
            BlobError::Range { length } => Self::Unsatisfiable(length),
            BlobError::Mismatch => Self::Mismatch,
            BlobError::Invalid(_) => Self::Forbidden,
            BlobError::Damaged | BlobError::Key(_) | BlobError::Unavailable(_) => {
                tracing::error!(%error, "an object could not be read or written");
                Self::Unavailable
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, title) = match self {
            Self::Forbidden => (
                StatusCode::FORBIDDEN,
                "This link does not hold, or not any more.",
            ),
            Self::NotFound => (StatusCode::NOT_FOUND, "There is no such object any more."),
            Self::Unsatisfiable(_) => (
                StatusCode::RANGE_NOT_SATISFIABLE,
                "The object ends before that.",
            ),
            Self::LengthRequired => (StatusCode::LENGTH_REQUIRED, "Send Content-Length."),
            Self::Mismatch => (
                StatusCode::BAD_REQUEST,
                "The bytes are not those that were announced. Nothing was stored.",
            ),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "Try again in a moment."),
        };
        let problem = json!({"type": "about:blank", "status": status.as_u16(), "title": title});
        let mut response = (
            status,
            [(header::CONTENT_TYPE, "application/problem+json")],
            problem.to_string(),
        )
            .into_response();
        if let Self::Unsatisfiable(length) = self
            && let Ok(range) = HeaderValue::try_from(format!("bytes */{length}"))
        {
            response.headers_mut().insert(header::CONTENT_RANGE, range);
        }
        harden(response)
    }
}

/// A recording opened as a page of its own runs nothing and embeds nowhere else.
fn harden(mut response: Response) -> Response {
    const ALWAYS: [(HeaderName, &str); 5] = [
        (header::CACHE_CONTROL, "private, no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; media-src 'self'; sandbox",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn download(
    State(blobs): State<Arc<FileBlobs>>,
    Path(token): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let LinkGrant::Download {
        key,
        disposition,
        content_type,
    } = blobs.grant(&token).await?
    else {
        return Err(Refusal::Forbidden);
    };
    let head = blobs.head(&key).await?;
    let range = requested(&headers, &head)?;
    // Should it be replaced between the two looks, the second one counts: its length may be another.
    let (head, body) = if method == Method::HEAD {
        (head, Body::empty())
    } else {
        let (now, bytes) = blobs.get(&key, range.clone()).await?;
        if now != head {
            return Err(Refusal::Unavailable);
        }
        (now, Body::from_stream(bytes))
    };
    let mut response = Response::new(body);
    let told = response.headers_mut();
    let length = range
        .as_ref()
        .map_or(head.length, |range| range.end - range.start);
    told.insert(header::CONTENT_LENGTH, length.into());
    told.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let kind = content_type.as_ref().unwrap_or(&head.content_type);
    if let Ok(kind) = HeaderValue::try_from(kind) {
        told.insert(header::CONTENT_TYPE, kind);
    }
    if let Some(etag) = etag(&head) {
        told.insert(header::ETAG, etag);
    }
    if let Some(disposition) = disposition.and_then(|text| HeaderValue::try_from(text).ok()) {
        told.insert(header::CONTENT_DISPOSITION, disposition);
    }
    if let Some(Range { start, end }) = range {
        if let Ok(part) =
            HeaderValue::try_from(format!("bytes {start}-{}/{}", end - 1, head.length))
        {
            told.insert(header::CONTENT_RANGE, part);
        }
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(harden(response))
}

/// Strong: the checksum of the bytes.
fn etag(head: &BlobHead) -> Option<HeaderValue> {
    use std::fmt::Write as _;
    let mut tag = String::from("\"");
    for byte in head.sha256? {
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    HeaderValue::try_from(tag).ok()
}

/// The one range that is asked for (RFC 9110 section 14.2); `None`: all of it. Several ranges at once, and
/// what is no range of bytes, are answered with all of it, as a server may. If-Range (section 13.1.5) holds
/// only for this very object.
fn requested(headers: &HeaderMap, head: &BlobHead) -> Result<Option<Range<u64>>, Refusal> {
    if headers
        .get(header::IF_RANGE)
        .is_some_and(|condition| Some(condition) != etag(head).as_ref())
    {
        return Ok(None);
    }
    let mut asked = headers.get_all(header::RANGE).iter();
    let (Some(range), None) = (asked.next(), asked.next()) else {
        return Ok(None);
    };
    let Some((first, last)) = range
        .to_str()
        .ok()
        .and_then(|range| range.trim().strip_prefix("bytes="))
        .and_then(|range| range.trim().split_once('-'))
    else {
        return Ok(None);
    };
    let length = head.length;
    let range = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(length),
        (Some(first), None) if last.is_empty() => first..length,
        (None, Some(suffix)) if first.is_empty() => length - suffix.min(length)..length,
        _ => return Ok(None),
    };
    if range.is_empty() {
        return Err(Refusal::Unsatisfiable(length));
    }
    Ok(Some(range))
}

/// Digits only; a number beyond what can be is as good as endless.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

async fn upload(
    State(blobs): State<Arc<FileBlobs>>,
    Path(token): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let LinkGrant::Upload { key, meta } = blobs.grant(&token).await? else {
        return Err(Refusal::Forbidden);
    };
    check(&headers, &meta)?;
    let bytes = body.into_data_stream().map_err(|_| {
        // The sender went away, or was too slow: nothing of ours is out of order.
        BlobError::Mismatch
    });
    let head = blobs.receive(&key, meta, Box::pin(bytes)).await?;
    let mut response = StatusCode::OK.into_response();
    if let Some(etag) = etag(&head) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    Ok(harden(response))
}

/// Before anything is read.
fn check(headers: &HeaderMap, meta: &BlobMeta) -> Result<(), Refusal> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::CONTENT_TYPE) != Some(&meta.content_type)
        || headers.contains_key(header::CONTENT_ENCODING)
    {
        return Err(Refusal::Forbidden);
    }
    let length = text(header::CONTENT_LENGTH).ok_or(Refusal::LengthRequired)?;
    if number(length) == meta.length {
        Ok(())
    } else {
        Err(Refusal::Forbidden)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(length: u64) -> BlobHead {
        BlobHead {
            length,
            content_type: "audio/wav".to_owned(),
            sha256: Some([0xab; 32]),
            stored_at: jiff::Timestamp::UNIX_EPOCH,
            version: None,
        }
    }

    fn asked(range: &'static str, if_range: Option<&str>) -> Result<Option<Range<u64>>, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_static(range));
        if let Some(tag) = if_range {
            headers.insert(header::IF_RANGE, tag.parse().unwrap());
        }
        requested(&headers, &head(10))
    }

    #[test]
    fn one_range_is_honoured() {
        for (text, range) in [
            ("bytes=0-0", 0..1),
            ("bytes=2-", 2..10),
            ("bytes=-3", 7..10),
            ("bytes=-30", 0..10),
            ("bytes=9-99999999999999999999999", 9..10),
        ] {
            assert_eq!(asked(text, None), Ok(Some(range)), "{text}");
        }
    }

    #[test]
    fn what_is_no_single_range_is_all_of_it() {
        for text in [
            "bytes=0-1,3-4",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-4",
            "items=0-1",
            "0-1",
            "bytes=+1-2",
            "bytes=1-2-3",
            "bytes=--1",
        ] {
            assert_eq!(asked(text, None), Ok(None), "{text}");
        }
    }

    #[test]
    fn what_lies_behind_the_end_is_refused() {
        for text in [
            "bytes=10-",
            "bytes=10-12",
            "bytes=-0",
            "bytes=99999999999999999999-",
        ] {
            assert_eq!(asked(text, None), Err(Refusal::Unsatisfiable(10)), "{text}");
        }
    }

    #[test]
    fn a_range_of_another_object_is_all_of_this_one() {
        let this = etag(&head(10)).unwrap();
        assert_eq!(asked("bytes=0-0", this.to_str().ok()), Ok(Some(0..1)));
        for other in [
            "\"abc\"",
            "Wed, 21 Oct 2015 07:28:00 GMT",
            "W/\"abab\"",
            "*",
        ] {
            assert_eq!(asked("bytes=0-0", Some(other)), Ok(None), "{other}");
        }
    }
}
