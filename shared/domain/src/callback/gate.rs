//! What stands before an endpoint in this process: its concurrency limit, its rate limit, and a
//! circuit breaker that slows down when it keeps failing.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::settings::Endpoint;

/// Failures in a row that open the breaker.
const OPENS_AFTER: u32 = 5;
/// For how long it opens the first time; doubled each time a probe fails.
const FIRST_OPEN: Duration = Duration::from_secs(10);
/// The longest that it stays open without a probe.
const MAX_OPEN: Duration = Duration::from_mins(5);
/// Attempts that fail one after the other before an endpoint counts as failing.
const FAILING_AFTER: u32 = 3;
/// How long the others wait while a probe is under way.
const PROBE_WAIT: SignedDuration = SignedDuration::from_secs(3);

/// The gate of one endpoint.
#[derive(Debug)]
pub struct Gate {
    permits: Arc<Semaphore>,
    concurrency: u16,
    rate_per_second: Option<u32>,
    url: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    times_opened: u32,
    open_until: Option<Timestamp>,
    probing: bool,
    /// When the next request may start, under the rate limit.
    next_slot: Option<Timestamp>,
    /// Attempts that failed since the last success, whatever the reason, and when the first of them did.
    failed_in_a_row: u32,
    failing_from: Option<Timestamp>,
}

/// What the breaker says about one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaker {
    /// Go.
    Closed,
    /// Go, and what happens decides for the others.
    Probe,
    /// Wait until then.
    Open(Timestamp),
}

impl Gate {
    /// A gate for these settings.
    pub fn new(endpoint: &Endpoint) -> Self {
        let concurrency = endpoint.concurrency.max(1);
        Self {
            permits: Arc::new(Semaphore::new(usize::from(concurrency))),
            concurrency,
            rate_per_second: endpoint.rate_per_second,
            url: endpoint.url.clone(),
            state: Mutex::default(),
        }
    }

    /// How many requests it lets through at a time.
    pub fn concurrency(&self) -> u16 {
        self.concurrency
    }

    /// Whether it was made for the same URL and limits.
    pub fn fits(&self, endpoint: &Endpoint) -> bool {
        self.concurrency == endpoint.concurrency.max(1)
            && self.rate_per_second == endpoint.rate_per_second
            && self.url == endpoint.url
    }

    /// A gate for changed settings that keeps what still holds: that another URL failed says nothing
    /// about this one, and slots at another rate are none of this one.
    #[must_use]
    pub fn refitted(&self, endpoint: &Endpoint) -> Self {
        let known = self.lock();
        let gate = Self::new(endpoint);
        let next_slot = known
            .next_slot
            .filter(|_| self.rate_per_second == endpoint.rate_per_second);
        *gate.lock() = if self.url == endpoint.url {
            State {
                probing: false,
                next_slot,
                ..*known
            }
        } else {
            State {
                next_slot,
                ..State::default()
            }
        };
        drop(known);
        gate
    }

    /// A place among the requests at a time.
    pub async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        self.permits.clone().acquire_owned().await.ok()
    }

    /// How long to wait for the next free slot at `per_second` requests; the slot is taken.
    pub fn slot(&self, per_second: u32, now: Timestamp) -> Duration {
        let gap = SignedDuration::from_nanos(1_000_000_000 / i64::from(per_second.max(1)));
        let mut state = self.lock();
        let start = state.next_slot.map_or(now, |at| at.max(now));
        state.next_slot = start.checked_add(gap).ok();
        start.duration_since(now).unsigned_abs()
    }

    /// Whether an attempt may start now.
    pub fn breaker(&self, now: Timestamp) -> Breaker {
        let mut state = self.lock();
        match state.open_until {
            None => Breaker::Closed,
            Some(until) if until > now => Breaker::Open(until),
            Some(_) if state.probing => Breaker::Open(now.checked_add(PROBE_WAIT).unwrap_or(now)),
            Some(_) => {
                state.probing = true;
                Breaker::Probe
            }
        }
    }

    /// The endpoint answered properly, be it with a refusal of this one event.
    pub fn answered(&self) {
        let mut state = self.lock();
        *state = State {
            next_slot: state.next_slot,
            failed_in_a_row: state.failed_in_a_row,
            failing_from: state.failing_from,
            ..State::default()
        };
    }

    /// An attempt delivered.
    pub fn succeeded(&self) {
        self.answered();
        let mut state = self.lock();
        state.failed_in_a_row = 0;
        state.failing_from = None;
    }

    /// An attempt failed, for whatever reason. Answers since when all have failed, once that is worth
    /// telling: a receiver that refuses an event now and then does not fail.
    pub fn failed(&self, now: Timestamp) -> Option<Timestamp> {
        let mut state = self.lock();
        state.failed_in_a_row = state.failed_in_a_row.saturating_add(1);
        let from = *state.failing_from.get_or_insert(now);
        (state.failed_in_a_row >= FAILING_AFTER).then_some(from)
    }

    /// The endpoint did not answer, answered that it is overloaded (then `retry_after` may say for
    /// how long), or is broken.
    pub fn troubled(&self, retry_after: Option<Duration>, now: Timestamp) {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        let asked = retry_after.map(|asked| asked.min(MAX_OPEN));
        let opens = state.probing || state.failures >= OPENS_AFTER || asked.is_some();
        if !opens || state.open_until.is_some_and(|until| until > now) {
            return;
        }
        let doubled = FIRST_OPEN
            .saturating_mul(1 << state.times_opened.min(8))
            .min(MAX_OPEN);
        state.times_opened = state.times_opened.saturating_add(1);
        state.probing = false;
        state.open_until = Some(super::schedule::later(now, asked.unwrap_or(doubled)));
    }

    /// An attempt that was let through as a probe never happened.
    pub fn abandoned(&self) {
        self.lock().probing = false;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
