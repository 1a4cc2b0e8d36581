//! `Retry-After` (RFC 9110, section 10.2.3): seconds, or an HTTP date.

use std::time::{Duration, SystemTime};

/// The wait that a response asks for, counted from `now` (Unix seconds). A date in the past is no
/// wait. `None` when the value is neither form. The caller decides how long a wait it honours.
pub(crate) fn parse(value: &str, now: i64) -> Option<Duration> {
    let value = value.trim_matches([' ', '\t']);
    if (1..=10).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit()) {
        return value.parse().ok().map(Duration::from_secs);
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let now = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(now).ok()?))?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_dates_and_nonsense() {
        // 1994-11-06T08:49:37Z, in the three forms of RFC 9110, section 5.6.7.
        let date = 784_111_777;
        for (value, now, expected) in [
            ("0", 0, Some(0)),
            ("120", 0, Some(120)),
            (" 120\t", 0, Some(120)),
            ("9999999999", 0, Some(9_999_999_999)),
            ("99999999999", 0, None),
            ("Sun, 06 Nov 1994 08:49:37 GMT", date - 30, Some(30)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", date - 30, Some(30)),
            ("Sun Nov  6 08:49:37 1994", date - 30, Some(30)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", date + 30, Some(0)),
            ("", 0, None),
            ("-1", 0, None),
            ("1.5", 0, None),
            ("soon", 0, None),
            ("Sun, 06 Nov 1994 08:49:37 GMT", i64::MIN, None),
        ] {
            assert_eq!(
                parse(value, now),
                expected.map(Duration::from_secs),
                "{value}"
            );
        }
    }
}
