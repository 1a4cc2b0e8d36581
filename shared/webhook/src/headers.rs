//! Names of the webhook headers, and the rules for headers that a customer adds to its callbacks.

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// The message id, the same on every retry.
pub const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
/// The time of this attempt, Unix seconds.
pub const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// The space-delimited signatures.
pub const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// Most extra headers an endpoint may have.
pub const MAX_EXTRA_HEADERS: usize = 32;
/// Longest name of an extra header, in bytes.
pub const MAX_NAME_BYTES: usize = 64;
/// Longest value of an extra header, in bytes; a JSON Web Token fits.
pub const MAX_VALUE_BYTES: usize = 4096;

/// Names the sender sets itself, or that would change how the message is framed, routed or read.
const RESERVED: &[&str] = &[
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-real-ip",
];

/// Families of names with the same effects.
const RESERVED_PREFIXES: &[&str] = &["webhook-", "proxy-", "sec-", "x-forwarded-"];

/// Why an extra header is refused. Never holds the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The name is not a token of RFC 9110 or is longer than [`MAX_NAME_BYTES`].
    #[error("a header name must be 1 to {MAX_NAME_BYTES} letters, digits or hyphens")]
    Name,
    /// The name is one that the sender sets itself or that changes how the message travels.
    #[error("this header is set by the sender and cannot be changed")]
    Reserved,
    /// The value is empty, too long, or holds anything but printable ASCII with inner blanks.
    #[error(
        "a header value must be 1 to {MAX_VALUE_BYTES} printable ASCII characters without blanks at the ends"
    )]
    Value,
    /// The name occurs twice.
    #[error("a header may be given once")]
    Duplicate,
    /// There are more than [`MAX_EXTRA_HEADERS`].
    #[error("there may be at most {MAX_EXTRA_HEADERS} extra headers")]
    TooMany,
}

/// Checks one extra header. The value comes back marked sensitive: customers put tokens there.
pub fn validate_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), HeaderError> {
    let plain = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !plain || name.len() > MAX_NAME_BYTES {
        return Err(HeaderError::Name);
    }
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| HeaderError::Name)?;
    // Some servers fold `_` into `-`: `webhook_id` would arrive as `webhook-id`.
    let folded = name.as_str().replace('_', "-");
    let reserved = RESERVED.contains(&folded.as_str())
        || RESERVED_PREFIXES
            .iter()
            .any(|prefix| folded.starts_with(prefix));
    if reserved {
        return Err(HeaderError::Reserved);
    }
    let printable = value.bytes().all(|b| matches!(b, b' '..=b'~'));
    if !printable || !(1..=MAX_VALUE_BYTES).contains(&value.len()) || value.trim() != value {
        return Err(HeaderError::Value);
    }
    let mut value = HeaderValue::from_str(value).map_err(|_| HeaderError::Value)?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// The extra headers of one endpoint, checked; built once and sent with each of its messages.
#[derive(Clone, Debug, Default)]
pub struct ExtraHeaders(HeaderMap);

impl ExtraHeaders {
    /// Checks every header and their number.
    pub fn new<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, HeaderError> {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            let (name, value) = validate_header(name, value)?;
            if map.len() == MAX_EXTRA_HEADERS {
                return Err(HeaderError::TooMany);
            }
            if map.insert(name, value).is_some() {
                return Err(HeaderError::Duplicate);
            }
        }
        Ok(Self(map))
    }

    pub(crate) fn as_map(&self) -> &HeaderMap {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_customers_pass_and_those_of_the_sender_do_not() {
        for name in [
            "Authorization",
            "x-api-key",
            "X_Tenant",
            "cookie",
            "traceparent",
        ] {
            assert!(validate_header(name, "v").is_ok(), "{name}");
        }
        for name in [
            "Host",
            "CONTENT-LENGTH",
            "content_length",
            "Transfer-Encoding",
            "Connection",
            "keep-alive",
            "TE",
            "trailer",
            "upgrade",
            "proxy-authorization",
            "Proxy-Connection",
            "webhook-id",
            "Webhook_Signature",
            "webhook-anything",
            "content-type",
            "content-encoding",
            "expect",
            "X-Forwarded-For",
            "user-agent",
        ] {
            assert_eq!(
                validate_header(name, "v"),
                Err(HeaderError::Reserved),
                "{name}"
            );
        }
        for name in ["", " ", "a b", "a:b", "é", "a\r\nb", ":path"] {
            assert_eq!(
                validate_header(name, "v"),
                Err(HeaderError::Name),
                "{name:?}"
            );
        }
        assert_eq!(
            validate_header(&"a".repeat(65), "v"),
            Err(HeaderError::Name)
        );
    }

    #[test]
    fn values_cannot_start_another_header() {
        assert!(validate_header("a", "Bearer x y").is_ok());
        for value in ["", " a", "a ", "a\r\nhost: b", "a\nb", "a\0", "é", "\t"] {
            assert_eq!(
                validate_header("a", value),
                Err(HeaderError::Value),
                "{value:?}"
            );
        }
        assert_eq!(
            validate_header("a", &"v".repeat(MAX_VALUE_BYTES + 1)),
            Err(HeaderError::Value)
        );
    }

    #[test]
    fn a_set_has_each_name_once_and_a_limit() {
        assert_eq!(
            ExtraHeaders::new([("a", "1"), ("A", "2")]).unwrap_err(),
            HeaderError::Duplicate
        );
        let names: Vec<String> = (0..=MAX_EXTRA_HEADERS).map(|n| format!("h{n}")).collect();
        let pairs = || names.iter().map(|name| (name.as_str(), "v"));
        assert_eq!(
            ExtraHeaders::new(pairs()).unwrap_err(),
            HeaderError::TooMany
        );
        assert!(ExtraHeaders::new(pairs().take(MAX_EXTRA_HEADERS)).is_ok());
    }

    #[test]
    fn debug_hides_the_values() {
        let headers = ExtraHeaders::new([("authorization", "Bearer hunter2")]).unwrap();
        assert!(!format!("{headers:?}").contains("hunter2"));
    }
}
