//! RFC 3339 section 5.6 `date-time`, strictly: jiff reads more (a space for the `T`, no seconds, a
//! zone in brackets), and a local time without an offset would have to be guessed at.

use std::fmt;

use jiff::Timestamp;
use serde::Deserializer;
use serde::de::{self, Visitor};

/// The earliest time an event may carry: earlier ones are a zero or a broken clock.
pub const EARLIEST: Timestamp = Timestamp::UNIX_EPOCH;
/// The latest time an event may carry, 2200-01-01: later ones are milliseconds read as seconds.
pub const LATEST: Timestamp = Timestamp::constant(7_258_118_400, 0);

/// Reads `2026-01-31T08:15:00.25+01:00`. `None` for anything else, and outside [`EARLIEST`]..=[`LATEST`].
pub fn parse(text: &str) -> Option<Timestamp> {
    if !is_date_time(text.as_bytes()) {
        return None;
    }
    let time: Timestamp = text.parse().ok()?;
    (EARLIEST..=LATEST).contains(&time).then_some(time)
}

fn is_date_time(text: &[u8]) -> bool {
    fn shape<'a>(text: &'a [u8], pattern: &[u8]) -> Option<&'a [u8]> {
        let (head, rest) = text.split_at_checked(pattern.len())?;
        let fits = head.iter().zip(pattern).all(|(byte, want)| match want {
            b'0' => byte.is_ascii_digit(),
            want => byte.eq_ignore_ascii_case(want),
        });
        fits.then_some(rest)
    }
    let Some(mut rest) = shape(text, b"0000-00-00T00:00:00") else {
        return false;
    };
    if let [b'.', fraction @ ..] = rest {
        let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return false;
        }
        rest = fraction.get(digits..).unwrap_or_default();
    }
    match rest {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', offset @ ..] => shape(offset, b"00:00").is_some_and(<[u8]>::is_empty),
        _ => false,
    }
}

struct DateTime;

impl Visitor<'_> for DateTime {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an RFC 3339 time with an offset")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
        parse(text).ok_or_else(|| E::custom("not an RFC 3339 time with an offset"))
    }
}

/// For `#[serde(deserialize_with)]` on a time that must be there.
pub fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    deserializer.deserialize_str(DateTime)
}

/// For `#[serde(deserialize_with)]` on a time that may be absent or null.
pub fn option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    struct Maybe;
    impl<'de> Visitor<'de> for Maybe {
        type Value = Option<Timestamp>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an RFC 3339 time with an offset, or null")
        }

        fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Self::Value, D::Error> {
            required(inner).map(Some)
        }
    }
    deserializer.deserialize_option(Maybe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_date_times_with_an_offset_only() {
        for (text, utc) in [
            ("2026-01-31T08:15:00Z", "2026-01-31T08:15:00Z"),
            ("2026-01-31t08:15:00z", "2026-01-31T08:15:00Z"),
            ("2026-01-31T08:15:00.250+01:00", "2026-01-31T07:15:00.25Z"),
            ("2026-01-31T08:15:00-03:30", "2026-01-31T11:45:00Z"),
        ] {
            assert_eq!(
                parse(text).map(|t| t.to_string()).as_deref(),
                Some(utc),
                "{text}"
            );
        }
        for text in [
            "",
            "2026-01-31",
            "2026-01-31T08:15:00",
            "2026-01-31 08:15:00Z",
            "2026-01-31T08:15Z",
            "2026-01-31T08:15:00.Z",
            "2026-01-31T08:15:00+0100",
            "2026-01-31T08:15:00+01",
            "2026-01-31T08:15:00+01:00[Europe/Berlin]",
            "2026-02-30T08:15:00Z",
            "2026-01-31T25:15:00Z",
            "1969-12-31T23:59:59Z",
            "9999-01-01T00:00:00Z",
            " 2026-01-31T08:15:00Z",
            "2026-01-31T08:15:00Z ",
            "1769847300",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
