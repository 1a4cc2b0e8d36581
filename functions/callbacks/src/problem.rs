//! What this function's errors look like, and the parts of a path that its endpoints share.

use ringfence_domain::settings::EndpointKind;
use ringfence_http::Problem;

/// The callback that a path names.
pub(crate) fn callback(name: &str) -> Result<EndpointKind, Problem> {
    EndpointKind::parse(name).ok_or_else(|| Problem::not_found("callback"))
}
