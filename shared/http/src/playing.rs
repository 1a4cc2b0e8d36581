use axum::{
    body::Body,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use ringfence_domain::recording::{Played, Range, Recording};

/// The one range of a recording's audio that a request asks for. Several at once, and what is no range,
/// are answered with all of it, as a server may; so is one of audio that has been replaced since
/// (`If-Range`, RFC 9110 section 13.1.5). Where the store gives the audio out, that is for it to judge.
pub fn range_of(headers: &HeaderMap, recording: &Recording) -> Option<Range> {
    let is_other = |condition: &HeaderValue| {
        recording
            .entity_tag()
            .is_some_and(|tag| condition.as_bytes() != tag.as_bytes())
    };
    if headers.get(header::IF_RANGE).is_some_and(is_other) {
        return None;
    }
    let mut asked = headers.get_all(header::RANGE).iter();
    let (Some(range), None) = (asked.next(), asked.next()) else {
        return None;
    };
    Range::parse(range.to_str().ok()?).ok()
}

/// The answer to whoever only looks (HEAD): what the audio is, and nothing of it or of where it is.
pub fn looked_at(recording: &Recording) -> Response {
    let mut response = StatusCode::OK.into_response();
    describe(response.headers_mut(), recording);
    let headers = response.headers_mut();
    let size = match recording.for_customer() {
        Some(sealed) => Some(sealed.sealing.length),
        None => recording.size,
    };
    if let Some(size) = size {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What the customer needs, beside their private key, to open a recording that is encrypted to it: a
/// file to download. `None`: it is no such recording.
pub fn sealed_key(recording: &Recording) -> Option<Response> {
    let sealed = recording.for_customer()?;
    let body = axum::Json(serde_json::json!({
        "format": "ringfence/sealing/1",
        "recording": recording.id,
        "context": sealed.context,
        "wrapped_key": sealed.sealing.wrapped_key,
        "public_key_sha256": sealed.public_key_sha256,
    }));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let name = format!("attachment; filename=\"{}.key.json\"", recording.id);
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Some(response)
}

fn describe(headers: &mut HeaderMap, recording: &Recording) {
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    let kind = match recording.for_customer() {
        Some(_) => "application/octet-stream",
        None => &recording.content_type,
    };
    if let Ok(kind) = HeaderValue::from_str(kind) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    let tag = recording.entity_tag();
    if let Some(tag) = tag.and_then(|tag| HeaderValue::from_str(&tag).ok()) {
        headers.insert(header::ETAG, tag);
    }
}

/// The answer that plays: a redirect to where the audio is for a minute, or the audio itself. Nothing
/// on the way may keep either.
pub fn played(recording: &Recording, is_range: bool, played: Played) -> Response {
    let mut response = match played {
        Played::At(url) => {
            let mut response = StatusCode::FOUND.into_response();
            match HeaderValue::from_str(&url) {
                Ok(url) => response.headers_mut().insert(header::LOCATION, url),
                Err(_) => return crate::Problem::new(crate::Code::Internal).into_response(),
            };
            response
        }
        Played::Bytes {
            bytes,
            range,
            length,
        } => {
            let status = if is_range {
                StatusCode::PARTIAL_CONTENT
            } else {
                StatusCode::OK
            };
            let mut response = (status, Body::from_stream(bytes)).into_response();
            let headers = response.headers_mut();
            headers.insert(
                header::CONTENT_LENGTH,
                HeaderValue::from(range.end - range.start),
            );
            describe(headers, recording);
            if is_range {
                let text = format!(
                    "bytes {}-{}/{length}",
                    range.start,
                    range.end.saturating_sub(1)
                );
                if let Ok(text) = HeaderValue::from_str(&text) {
                    headers.insert(header::CONTENT_RANGE, text);
                }
            }
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}
