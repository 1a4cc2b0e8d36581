//! What every adapter must do, as suites that its tests run; and doubles for the tests of others.
//!
//! The suites assume no store of their own: each case works in partitions that nobody else uses, and
//! looks again for a while where an index may lag.

mod blobs;
mod counted_blobs;
mod doubles;
mod keys;
mod mail;
mod queue;
mod table;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use blobs::{BlobWeb, blob_links, blobs};
pub use counted_blobs::{BlobCalls, CountedBlobs};
pub use doubles::{Calls, Counting, Fault, Faulty};
pub use keys::keys;
pub use mail::{Arrived, Mailboxes, Phones, mail, sms};
pub use queue::{Driver, queue};
pub use table::table;

use crate::{Clock, Key, Query, Random, Table};

/// A clock that stands still until a test moves it.
#[derive(Clone, Debug)]
pub struct TestClock(Arc<AtomicI64>);

impl TestClock {
    /// Stands at this time, to the microsecond.
    pub fn at(time: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(time.as_microsecond())))
    }

    /// Moves on.
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.0.fetch_add(micros, Ordering::SeqCst);
    }

    /// Jumps.
    pub fn set(&self, time: Timestamp) {
        self.0.store(time.as_microsecond(), Ordering::SeqCst);
    }
}

impl Default for TestClock {
    /// Stands at 2026-01-02T03:04:05Z.
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(1_767_323_045_000_000)))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }
}

/// The same bytes from the same seed (`SplitMix64`). For tests only.
#[derive(Debug)]
pub struct TestRandom(AtomicU64);

impl TestRandom {
    /// Starts from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Random for TestRandom {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            for (byte, random) in chunk.iter_mut().zip(z.to_le_bytes()) {
                *byte = random;
            }
        }
    }
}

/// What a case works with.
#[derive(Clone)]
struct Case {
    table: Arc<dyn Table>,
    clock: TestClock,
    /// A partition of its own.
    pk: String,
}

impl Case {
    fn key(&self, sk: &str) -> Key {
        Key::new(self.pk.as_str(), sk)
    }

    /// Another partition of its own.
    fn other(&self, name: &str) -> String {
        format!("{}/{name}", self.pk)
    }

    async fn sort_keys(&self, query: Query) -> Vec<String> {
        let page = self.table.query(query).await.expect("a page");
        page.rows.into_iter().map(|row| row.key.sk).collect()
    }
}

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Names of the cases that failed, in order.
#[derive(Default)]
struct Report(Mutex<Vec<&'static str>>);

impl Report {
    /// On a task of its own, so that a case that fails does not hide the next.
    async fn run(&self, name: &'static str, case: Running) {
        if tokio::spawn(case).await.is_err() {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(name);
        }
    }

    fn finish(self, suite: &str) {
        let failed = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        assert!(
            failed.is_empty(),
            "the {suite} contract is broken: {}",
            failed.join(", ")
        );
    }
}

/// Looks again for up to ten seconds: an index may lag.
async fn eventually<T, F: Future<Output = T>>(
    look: impl Fn() -> F,
    right: impl Fn(&T) -> bool,
) -> T {
    for _ in 0..100 {
        let seen = look().await;
        if right(&seen) {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    look().await
}

fn later(clock: &TestClock, seconds: i64) -> Timestamp {
    clock
        .now()
        .saturating_add(SignedDuration::from_secs(seconds))
        .expect("a time in range")
}
