//! What the pages for people have in common: their headers, their form, and the files they load, the same
//! for everybody.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// No third party, no frame around it, no script but our own; forms go back where they came from.
pub const CSP: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";

/// The look of all pages.
pub const STYLE: &str = include_str!("../assets/style.css");

/// The icon of all pages.
pub const ICON: &str = include_str!("../assets/icon.svg");

/// In which form the client wants its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A page, for people.
    Page,
    /// JSON, for programs.
    Json,
}

impl Form {
    /// JSON for who names it and not HTML.
    pub fn of(headers: &HeaderMap) -> Self {
        let accept = headers
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok());
        let accept = accept.unwrap_or_default().to_ascii_lowercase();
        let names_json =
            accept.contains("application/json") || accept.contains("application/problem+json");
        if names_json && !accept.contains("text/html") {
            Self::Json
        } else {
            Self::Page
        }
    }
}

/// The headers of a page: nothing keeps it, nothing frames it, no search engine lists it.
/// `referrer` is its `Referrer-Policy`.
pub fn secured(mut response: Response, csp: &str, referrer: &'static str) -> Response {
    const FIXED: [(HeaderName, &str); 4] = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("x-robots-tag"),
            "noindex, nofollow, noarchive",
        ),
    ];
    let headers = response.headers_mut();
    for (name, value) in FIXED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static(referrer));
    if let Ok(csp) = HeaderValue::from_str(csp) {
        headers.insert(header::CONTENT_SECURITY_POLICY, csp);
    }
    response
}

/// A file that pages load.
pub fn file(content_type: &'static str, body: &'static str) -> Response {
    let headers: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=3600"),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
    ];
    (headers, body).into_response()
}
