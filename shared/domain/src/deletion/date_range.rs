//! Ranges of days as people mean them: in the account's time zone, whatever its clocks do.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::settings::FieldError;

/// Days, half open: from the beginning of `from` up to, and without, the beginning of `to`. Either
/// end may be open.
///
/// A day begins at its first instant: where clocks are put forward at midnight (America/Santiago)
/// that is one o'clock; a day that a zone skipped (2011-12-30 in Pacific/Apia) begins when the next
/// one does, so that it holds nothing; a midnight that comes twice is the first of the two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DateRange {
    /// The first day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// The day after the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
}

impl DateRange {
    /// Whether both ends are open.
    pub fn is_open(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    /// The first instant in it and the first one behind it; `None`: open.
    ///
    /// # Errors
    /// A day lies outside of what can be computed with.
    pub fn instants(
        &self,
        zone: &TimeZone,
    ) -> Result<(Option<Timestamp>, Option<Timestamp>), jiff::Error> {
        let start = |day: Option<Date>| day.map(|day| start_of(day, zone)).transpose();
        Ok((start(self.from)?, start(self.to)?))
    }

    /// The same, of what somebody asks for; what is wrong with it goes into `errors`.
    pub(crate) fn checked(
        &self,
        zone: &TimeZone,
        errors: &mut Vec<FieldError>,
    ) -> (Option<Timestamp>, Option<Timestamp>) {
        let mut wrong = |field: &str, reason: &str| {
            errors.push(FieldError {
                field: field.to_owned(),
                code: "invalid_value",
                reason: reason.to_owned(),
            });
        };
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from >= to
        {
            wrong(
                "to_date",
                "must lie behind from_date; it is the first day that is not meant",
            );
        }
        self.instants(zone).unwrap_or_else(|_| {
            wrong("from_date", "lies outside of what can be computed with");
            (None, None)
        })
    }
}

/// The first instant of a day.
///
/// # Errors
/// The day lies outside of what can be computed with.
pub fn start_of(day: Date, zone: &TimeZone) -> Result<Timestamp, jiff::Error> {
    // Midnight; "compatible" (RFC 5545) takes the first instant behind a gap and the first of two.
    Ok(day.to_zoned(zone.clone())?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instants(zone: &str, from: &str, to: &str) -> (String, String) {
        let range = DateRange {
            from: Some(from.parse().unwrap()),
            to: Some(to.parse().unwrap()),
        };
        let zone = TimeZone::get(zone).unwrap();
        let (from, to) = range.instants(&zone).unwrap();
        (from.unwrap().to_string(), to.unwrap().to_string())
    }

    fn hours(zone: &str, day: &str) -> i64 {
        let next = day.parse::<Date>().unwrap().tomorrow().unwrap().to_string();
        let (from, to) = instants(zone, day, &next);
        let (from, to): (Timestamp, Timestamp) = (from.parse().unwrap(), to.parse().unwrap());
        to.duration_since(from).as_hours()
    }

    #[test]
    fn new_york_over_both_changes() {
        let zone = "America/New_York";
        assert_eq!(
            instants(zone, "2026-03-08", "2026-03-09"),
            (
                "2026-03-08T05:00:00Z".to_owned(),
                "2026-03-09T04:00:00Z".to_owned()
            )
        );
        assert_eq!(
            instants(zone, "2026-11-01", "2026-11-02"),
            (
                "2026-11-01T04:00:00Z".to_owned(),
                "2026-11-02T05:00:00Z".to_owned()
            )
        );
        assert_eq!(
            (hours(zone, "2026-03-08"), hours(zone, "2026-11-01")),
            (23, 25)
        );
    }

    #[test]
    fn a_day_without_midnight_begins_at_one() {
        let zone = "America/Santiago";
        // Forward at 24:00 of 2026-09-05: the 6th begins at 01:00 -03.
        assert_eq!(
            instants(zone, "2026-09-05", "2026-09-06"),
            (
                "2026-09-05T04:00:00Z".to_owned(),
                "2026-09-06T04:00:00Z".to_owned()
            )
        );
        assert_eq!(hours(zone, "2026-09-06"), 23);
        // Back at 24:00 of 2026-04-04, whose last hour comes twice.
        assert_eq!(hours(zone, "2026-04-04"), 25);
        assert_eq!(hours(zone, "2026-04-05"), 24);
    }

    #[test]
    fn a_day_that_never_was_holds_nothing() {
        let zone = "Pacific/Apia";
        assert_eq!(hours(zone, "2011-12-30"), 0);
        assert_eq!(hours(zone, "2011-12-29"), 24);
        assert_eq!(
            instants(zone, "2011-12-29", "2012-01-01"),
            (
                "2011-12-29T10:00:00Z".to_owned(),
                "2011-12-31T10:00:00Z".to_owned()
            )
        );
    }

    #[test]
    fn days_of_a_year_meet_without_gap_or_overlap() {
        for (zone, year) in [
            ("America/New_York", 2026),
            ("America/Santiago", 2026),
            ("Pacific/Apia", 2011),
            ("America/Havana", 2026),
            ("Africa/Casablanca", 2026),
            ("UTC", 2026),
        ] {
            let zone = TimeZone::get(zone).unwrap();
            let mut day = jiff::civil::date(year, 1, 1);
            let mut last = start_of(day, &zone).unwrap();
            while day.year() == year {
                day = day.tomorrow().unwrap();
                let start = start_of(day, &zone).unwrap();
                assert!(start >= last, "{day}");
                let before = start
                    .checked_sub(jiff::SignedDuration::from_nanos(1))
                    .unwrap();
                assert!(
                    before.to_zoned(zone.clone()).date() < day,
                    "what lies before the start of {day} is of a day before"
                );
                last = start;
            }
        }
    }
}
