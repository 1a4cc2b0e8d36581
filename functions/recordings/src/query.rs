//! Parameters and parts of bodies that several endpoints take.

use jiff::Timestamp;
use ringfence_http::{Code, Problem};

/// A query parameter with a value of its own kind.
pub(crate) fn parameter<T>(
    name: &str,
    value: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    value
        .map(|value| {
            parse(value).ok_or_else(|| {
                Problem::new(Code::InvalidQuery)
                    .detail(format!("{name} does not have one of its values."))
            })
        })
        .transpose()
}

/// An instant in RFC 3339.
pub(crate) fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}
