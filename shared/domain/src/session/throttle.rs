//! What guessing costs: an attempt is counted before anything is computed, and given back when it was
//! right. Five failures lock a scope for five minutes, each five more for an hour, and a hundred for as
//! long as the window lasts (NIST SP 800-63B-4 section 3.2.2).
//!
//! A scope is a mail address, or one device on which its owner has logged in before: a stranger locks
//! what strangers come by, and never a known device (OWASP, "Slow Down Online Guessing Attacks with
//! Device Cookies"). An address that nobody has is counted and locked alike.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use ringfence_ports::{Op, Put, StoreError, Unit, When};
use serde::{Deserialize, Serialize};

use super::SessionError;
use crate::{
    App,
    access::{parse_doc, to_doc},
    keyspace,
};

/// Failures until a lock.
pub const FAILURES: i64 = 5;
/// The first lock.
pub const FIRST_LOCK: SignedDuration = SignedDuration::from_mins(5);
/// Each later one.
pub const LATER_LOCK: SignedDuration = SignedDuration::from_hours(1);
/// Failures in a window after which a scope stays locked.
pub const MAX_FAILURES: i64 = 100;
/// The window in which failures are counted.
const WINDOW: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Attempts from one network, by strangers' devices, in [`NETWORK_WINDOW`].
pub const NETWORK_ATTEMPTS: i64 = 100;
/// The window of [`NETWORK_ATTEMPTS`].
pub const NETWORK_WINDOW: SignedDuration = SignedDuration::from_mins(15);

/// An attempt that has been counted.
#[derive(Debug)]
#[must_use = "an attempt was right or wrong"]
pub(crate) struct Charge {
    scope: String,
    window: i64,
    spent: i64,
    max: i64,
    lock: Option<u64>,
    network: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Lock {
    until: Timestamp,
    /// Failures that were counted by then.
    at: i64,
}

impl App {
    /// Counts an attempt of `scope`, and of the network it comes from where that is given.
    pub(crate) async fn count_attempt(
        &self,
        scope: String,
        network: Option<String>,
    ) -> Result<Charge, SessionError> {
        let now = self.clock.now();
        let (window, ends) = window_of(now, WINDOW);
        let keys = [
            keyspace::failure_lock(&scope, window),
            keyspace::failure_lock(&scope, window - 1),
        ];
        let rows = self.table.get_many(&keys).await?;
        let (mut at, mut version) = (0, None);
        for (row, is_present) in rows.iter().zip([true, false]) {
            let Some(row) = row else { continue };
            let lock: Lock = parse_doc(&row.doc)?;
            if is_present {
                (at, version) = (lock.at, Some(row.version));
            }
            if lock.until > now {
                return Err(SessionError::Locked { until: lock.until });
            }
        }
        if at >= MAX_FAILURES {
            return Err(SessionError::Locked { until: ends });
        }
        if let Some(network) = &network {
            self.charge_network(network, now).await?;
        }
        let max = at + FAILURES;
        let counted = self
            .table
            .count(
                &keyspace::failures(&scope, window),
                1,
                Some(max),
                Some(kept_until(ends)),
            )
            .await;
        let spent = match counted {
            Ok(spent) => spent,
            Err(error) => {
                self.refund_network(network.as_deref(), now).await;
                return Err(match error {
                    // Whoever spent the last one is about to lock it from now on.
                    StoreError::Condition { .. } => SessionError::Locked {
                        until: later(now, lock_for(at)),
                    },
                    error => error.into(),
                });
            }
        };
        Ok(Charge {
            scope,
            window,
            spent,
            max,
            lock: version,
            network,
        })
    }

    /// The attempt was right: it and the failures before it are forgotten. What cannot be given back
    /// stays spent, which only makes guessing dearer.
    pub(crate) async fn was_right(&self, charge: Charge) {
        let (_, ends) = window_of(self.clock.now(), WINDOW);
        let key = keyspace::failures(&charge.scope, charge.window);
        let counted = self
            .table
            .count(&key, -charge.spent, None, Some(kept_until(ends)))
            .await;
        if let Err(error) = counted {
            tracing::warn!(%error, "an attempt to log in could not be given back");
        } else if let Some(version) = charge.lock {
            let key = keyspace::failure_lock(&charge.scope, charge.window);
            let unit = Unit {
                ops: vec![Op::Delete(key, When::Version(version))],
                sends: Vec::new(),
            };
            match self.table.commit(unit).await {
                Ok(()) | Err(StoreError::Condition { .. }) => {}
                Err(error) => tracing::warn!(%error, "an old lock could not be removed"),
            }
        }
        self.refund_network(charge.network.as_deref(), self.clock.now())
            .await;
    }

    /// The attempt was wrong. Answers until when the scope is locked, if this was the failure that
    /// locked it.
    pub(crate) async fn was_wrong(&self, charge: Charge) -> Result<Option<Timestamp>, StoreError> {
        if charge.spent < charge.max {
            return Ok(None);
        }
        let now = self.clock.now();
        let until = later(now, lock_for(charge.max - FAILURES));
        let lock = Lock {
            until,
            at: charge.max,
        };
        let (_, ends) = window_of(now, WINDOW);
        let put = Put {
            expires_at: Some(kept_until(ends)),
            ..Put::new(
                keyspace::failure_lock(&charge.scope, charge.window),
                to_doc(&lock)?,
                charge.lock.map_or(When::Absent, When::Version),
            )
        };
        let unit = Unit {
            ops: vec![Op::Put(put)],
            sends: Vec::new(),
        };
        match self.table.commit(unit).await {
            Ok(()) => Ok(Some(until)),
            // Somebody else has locked it.
            Err(StoreError::Condition { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Counts an attempt of a network, up to [`NETWORK_ATTEMPTS`].
    pub(crate) async fn charge_network(
        &self,
        network: &str,
        now: Timestamp,
    ) -> Result<(), SessionError> {
        let (window, ends) = window_of(now, NETWORK_WINDOW);
        let key = keyspace::failures(&format!("network/{network}"), window);
        match self
            .table
            .count(&key, 1, Some(NETWORK_ATTEMPTS), Some(kept_until(ends)))
            .await
        {
            Ok(_) => Ok(()),
            Err(StoreError::Condition { .. }) => Err(SessionError::Locked { until: ends }),
            Err(error) => Err(error.into()),
        }
    }

    async fn refund_network(&self, network: Option<&str>, now: Timestamp) {
        let Some(network) = network else { return };
        let (window, ends) = window_of(now, NETWORK_WINDOW);
        let key = keyspace::failures(&format!("network/{network}"), window);
        if let Err(error) = self
            .table
            .count(&key, -1, None, Some(kept_until(ends)))
            .await
        {
            tracing::warn!(%error, "an attempt to log in could not be given back");
        }
    }

    /// Whether `scope` has fewer than `max` in this window of `length`, this one counted.
    pub(crate) async fn is_within(
        &self,
        key: impl Fn(i64) -> ringfence_ports::Key,
        max: i64,
        length: SignedDuration,
    ) -> Result<bool, StoreError> {
        let (window, ends) = window_of(self.clock.now(), length);
        match self
            .table
            .count(&key(window), 1, Some(max), Some(kept_until(ends)))
            .await
        {
            Ok(_) => Ok(true),
            Err(StoreError::Condition { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn lock_for(failures: i64) -> SignedDuration {
    if failures == 0 {
        FIRST_LOCK
    } else {
        LATER_LOCK
    }
}

/// The number and the end of the window that `now` lies in.
fn window_of(now: Timestamp, length: SignedDuration) -> (i64, Timestamp) {
    let seconds = length.as_secs().max(1);
    let window = now.as_second().div_euclid(seconds);
    let ends = Timestamp::from_second((window + 1) * seconds).unwrap_or(Timestamp::MAX);
    (window, ends)
}

/// Kept past its window: for a lock that reaches into the next, and for what comes back late.
fn kept_until(ends: Timestamp) -> Timestamp {
    later(ends, LATER_LOCK)
}

pub(crate) fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// An address as it is counted and remembered: of IPv6 the network that one customer has.
pub(crate) fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::")
        }
    }
}
