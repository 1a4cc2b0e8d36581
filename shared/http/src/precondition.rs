use axum::extract::FromRequestParts;
use http::{HeaderValue, header, request::Parts};

use crate::{Code, Problem};

/// The `ETag` (RFC 9110 §8.8.3) of version `version` of a document; 0 is a document that was never
/// saved.
pub fn etag(version: u64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\""))
        .unwrap_or_else(|_| HeaderValue::from_static("\"0\""))
}

/// The version that `If-Match` (RFC 9110 §13.1.1) names. Missing: 428. `*` is not taken: it would
/// make a lost race silent.
#[derive(Clone, Copy, Debug)]
pub struct IfMatch(pub u64);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else {
            return Err(Problem::new(Code::PreconditionRequired));
        };
        value
            .to_str()
            .ok()
            .and_then(|text| {
                text.trim()
                    .strip_prefix('"')?
                    .strip_suffix('"')?
                    .parse()
                    .ok()
            })
            .map(Self)
            .ok_or_else(|| {
                Problem::new(Code::PreconditionFailed)
                    .detail("If-Match is not an ETag of this document.")
            })
    }
}
