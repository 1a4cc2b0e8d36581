//! Times and lengths as people read them.

use jiff::{Timestamp, tz::TimeZone};

/// An instant to be shown.
pub struct Moment {
    /// For programs.
    pub instant: Timestamp,
    /// For people: UTC, which is told with it.
    pub text: String,
}

impl From<Timestamp> for Moment {
    fn from(instant: Timestamp) -> Self {
        let text = instant
            .to_zoned(TimeZone::UTC)
            .strftime("%-d %B %Y, %H:%M UTC")
            .to_string();
        Self { instant, text }
    }
}

/// The first whole minute at or after an instant: whoever comes back then is not too early.
pub fn minute_after(at: Timestamp) -> Moment {
    let minutes = (whole_second_after(at) + 59).div_euclid(60);
    Moment::from(Timestamp::from_second(minutes * 60).unwrap_or(at))
}

/// The first whole second at or after an instant, since 1970.
pub fn whole_second_after(at: Timestamp) -> i64 {
    at.as_second() + i64::from(at.subsec_nanosecond() > 0)
}

/// A length as it is read out: `2 minutes 30 seconds`.
pub fn length(seconds: u32) -> String {
    let parts = [
        (seconds / 3600, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ];
    let words: Vec<String> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}{}", if count == 1 { "" } else { "s" }))
        .collect();
    if words.is_empty() {
        "less than a second".to_owned()
    } else {
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_moments_read_well() {
        for (seconds, text) in [
            (0, "less than a second"),
            (1, "1 second"),
            (150, "2 minutes 30 seconds"),
            (3600, "1 hour"),
            (3725, "1 hour 2 minutes 5 seconds"),
        ] {
            assert_eq!(length(seconds), text);
        }
        let at: Timestamp = "2026-01-31T08:15:09Z".parse().unwrap();
        assert_eq!(Moment::from(at).text, "31 January 2026, 08:15 UTC");
        for (at, text) in [
            ("2026-01-31T08:15:00Z", "31 January 2026, 08:15 UTC"),
            ("2026-01-31T08:15:00.001Z", "31 January 2026, 08:16 UTC"),
            ("2026-01-31T08:15:59Z", "31 January 2026, 08:16 UTC"),
        ] {
            assert_eq!(minute_after(at.parse().unwrap()).text, text);
        }
    }
}
