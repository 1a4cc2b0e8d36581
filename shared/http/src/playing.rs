use axum::{
    body::Body,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, StatusCode, header};
use ringfence_domain::recording::{Played, Recording};

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
            headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
            if let Ok(kind) = HeaderValue::from_str(&recording.content_type) {
                headers.insert(header::CONTENT_TYPE, kind);
            }
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
