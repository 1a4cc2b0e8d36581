//! When a failed attempt is followed by the next.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ringfence_ports::Random;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// Seconds from each failed attempt to the next: ten attempts over some three and a half days, the
/// intervals that the Standard Webhooks specification recommends.
pub const DELAYS: [u64; 9] = [
    5,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
];

/// Each delay is drawn evenly from 80 % to 120 % of its value, so that what failed together does not
/// come back together.
const JITTER: f64 = 0.2;

/// The longest that a receiver's `Retry-After` is heeded.
pub const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// After how long without one success an endpoint is disabled.
pub const DISABLE_AFTER: SignedDuration = SignedDuration::from_hours(5 * 24);

/// When to try again after `failed` failed attempts (from 1); `None`: that was the last. A
/// `Retry-After` can only lengthen the wait, up to [`MAX_RETRY_AFTER`].
pub fn next(
    failed: usize,
    retry_after: Option<Duration>,
    now: Timestamp,
    random: &dyn Random,
) -> Option<Timestamp> {
    let base = *DELAYS.get(failed.checked_sub(1)?)?;
    let jittered = spread(Duration::from_secs(base), random);
    let wait = retry_after.map_or(jittered, |asked| asked.min(MAX_RETRY_AFTER).max(jittered));
    Some(later(now, wait))
}

/// A duration drawn evenly from 80 % to 120 % of `base`.
pub fn spread(base: Duration, random: &dyn Random) -> Duration {
    base.mul_f64(1.0 - JITTER + 2.0 * JITTER * random.unit())
}

/// `wait` after `now`; at the end of time, `now`.
pub fn later(now: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait)
        .ok()
        .and_then(|wait| now.checked_add(wait).ok())
        .unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u8);

    impl Random for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    fn seconds(from: Timestamp, to: Timestamp) -> f64 {
        to.duration_since(from).as_secs_f64()
    }

    #[test]
    fn the_schedule_is_the_published_one_within_a_fifth() {
        let now = Timestamp::UNIX_EPOCH;
        for (index, base) in DELAYS.into_iter().enumerate() {
            let base = Duration::from_secs(base).as_secs_f64();
            let low = seconds(now, next(index + 1, None, now, &Fixed(0)).unwrap());
            let high = seconds(now, next(index + 1, None, now, &Fixed(255)).unwrap());
            assert!((low - base * 0.8).abs() < 0.01, "attempt {}", index + 2);
            assert!(
                (high - base * 1.2).abs() < base * 0.001,
                "attempt {}",
                index + 2
            );
        }
        assert_eq!(
            next(10, None, now, &Fixed(0)),
            None,
            "ten attempts, then no more"
        );
    }

    #[test]
    fn retry_after_lengthens_within_bounds_and_never_shortens() {
        let now = Timestamp::UNIX_EPOCH;
        let after = |asked| {
            seconds(
                now,
                next(2, Some(Duration::from_secs(asked)), now, &Fixed(128)).unwrap(),
            )
        };
        assert!(after(1) > 250.0);
        assert!((after(3600) - 3600.0).abs() < 0.01);
        assert!((after(10_000_000) - 86_400.0).abs() < 0.01);
    }
}
