//! What guessing a PIN costs: an attempt is paid for before the hash is computed, from a budget of the
//! address, one of the recording, one of the account, and one of the PIN for as long as it is set. A
//! right PIN gets its payment back. A budget that is spent locks its scope for a while, which is
//! announced once; a caller with an API key pays nothing and is never locked.
//!
//! The budgets are counters in windows of time of their own, so that what comes back late touches only
//! the window it was taken from.

use std::{fmt::Write as _, net::IpAddr};

use jiff::{SignedDuration, Timestamp};
use ringfence_ports::{Key, KeysError, Op, Put, StoreError, When};
use serde::{Deserialize, Serialize};

use super::{Pin, StoredPin};
use crate::{
    App,
    access::{parse_doc, to_doc},
    callback::operational::{OperationalData, OperationalType},
    keyspace,
};

/// The windows in which attempts are counted, and how long a lock stands.
pub const LOCK: SignedDuration = SignedDuration::from_mins(15);
/// Wrong PINs of one recording in a window.
pub const RECORDING_ATTEMPTS: i64 = 5;
/// Wrong PINs of one address (an IPv6 network of 64 bits counts as one) in a window.
pub const ADDRESS_ATTEMPTS: i64 = 20;
/// Wrong PINs of all recordings of an account in a window.
pub const ACCOUNT_ATTEMPTS: i64 = 100;
/// Wrong PINs that a recording's own PIN bears for as long as it is set.
pub const RECORDING_LIFETIME_ATTEMPTS: i64 = 100;
/// Wrong PINs that an account's or agency's PIN bears in one account for as long as it is set.
pub const ACCOUNT_LIFETIME_ATTEMPTS: i64 = 500;

/// Why a PIN did not open.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PinError {
    /// It is another one.
    #[error("the PIN is wrong")]
    Wrong,
    /// Too many attempts; none is looked at before this instant.
    #[error("too many wrong PINs")]
    Locked {
        /// When the next attempt is looked at.
        until: Timestamp,
    },
    /// Too many attempts at this PIN ever; a new one must be set.
    #[error("too many wrong PINs; a new one must be set")]
    Closed,
    /// The counters cannot be written: nobody gets in.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The pepper cannot be had, or the hash not be computed: nobody gets in.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

/// A right PIN: its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlocked {
    /// Of the PIN that opened.
    pub version: String,
}

/// Which PIN, and who is at the door.
#[derive(Clone, Copy, Debug)]
pub struct Door<'a> {
    /// The account of the recording.
    pub account: &'a str,
    /// The recording.
    pub recording: &'a str,
    /// Whose PIN it is: the recording's, the account's or the agency's id.
    pub owner: &'a str,
    /// The PIN.
    pub pin: &'a StoredPin,
    /// Where the attempt comes from.
    pub address: Option<IpAddr>,
}

#[derive(Serialize, Deserialize)]
struct LockDoc {
    until: Option<Timestamp>,
}

/// A budget that an attempt is paid from.
struct Budget {
    counter: Key,
    max: i64,
    /// `None`: for as long as the PIN is set.
    window_ends: Option<Timestamp>,
    lock: Key,
    what: &'static str,
}

impl App {
    /// Looks at a PIN.
    pub async fn unlock(&self, door: Door<'_>, pin: Pin) -> Result<Unlocked, PinError> {
        let now = self.clock.now();
        let budgets = budgets(door, now);
        let locks: Vec<Key> = budgets.iter().map(|budget| budget.lock.clone()).collect();
        let mut until = None;
        for row in self.table.get_many(&locks).await?.into_iter().flatten() {
            match parse_doc::<LockDoc>(&row.doc)?.until {
                None => return Err(PinError::Closed),
                Some(at) => until = until.max(Some(at)),
            }
        }
        if let Some(until) = until {
            return Err(PinError::Locked { until });
        }
        let spent = self.charge(&budgets, now).await?;
        if self.is_pin(door.owner, door.pin, pin).await? {
            self.refund(&budgets).await;
            return Ok(Unlocked {
                version: door.pin.version.clone(),
            });
        }
        for (budget, spent) in budgets.iter().zip(spent) {
            if spent >= budget.max {
                self.lock(door, budget, now).await?;
            }
        }
        Err(PinError::Wrong)
    }

    /// Takes one from each budget, or nothing from any.
    async fn charge(&self, budgets: &[Budget], now: Timestamp) -> Result<Vec<i64>, PinError> {
        let mut spent = Vec::with_capacity(budgets.len());
        for budget in budgets {
            // Kept past its window, for what comes back late.
            let expires_at = budget.window_ends.map(|at| later(at, LOCK));
            let counted = self
                .table
                .count(&budget.counter, 1, Some(budget.max), expires_at)
                .await;
            match counted {
                Ok(value) => spent.push(value),
                Err(StoreError::Condition { .. }) => {
                    self.refund(budgets.get(..spent.len()).unwrap_or_default())
                        .await;
                    return Err(match budget.window_ends {
                        // Whoever spent the last one is about to lock it from now on.
                        Some(_) => PinError::Locked {
                            until: later(now, LOCK),
                        },
                        None => PinError::Closed,
                    });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(spent)
    }

    /// Gives one back to each budget. One that cannot be given back stays spent: that only makes
    /// guessing dearer.
    async fn refund(&self, budgets: &[Budget]) {
        for budget in budgets {
            let expires_at = budget.window_ends.map(|at| later(at, LOCK));
            let counted = self
                .table
                .count(&budget.counter, -1, None, expires_at)
                .await;
            if let Err(error) = counted {
                tracing::warn!(%error, "an attempt at a PIN could not be given back");
            }
        }
    }

    /// Locks a scope whose budget is spent, and tells the account once.
    async fn lock(
        &self,
        door: Door<'_>,
        budget: &Budget,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let until = budget.window_ends.map(|_| later(now, LOCK));
        let put = Put {
            expires_at: until,
            ..Put::new(
                budget.lock.clone(),
                to_doc(&LockDoc { until })?,
                When::Absent,
            )
        };
        let mut unit = ringfence_ports::Unit::default();
        // A lock stands whether or not its notice can be made.
        match self.account_config(door.account).await {
            Ok(Some(config)) => {
                let data = OperationalData {
                    callback: None,
                    failing_since: None,
                    recording: Some(door.recording.to_owned()),
                    locked_until: until,
                    message: notice(budget, until),
                };
                unit = self.operational_event(&config, OperationalType::PinLocked, data)?;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "a lock goes without its notice"),
        }
        unit.ops.insert(0, Op::Put(put));
        match self.table.commit(unit).await {
            Ok(()) => {
                tracing::warn!(
                    account = door.account,
                    recording = door.recording,
                    event = OperationalType::PinLocked.as_str(),
                    "operational event"
                );
                Ok(())
            }
            // Somebody else has locked it.
            Err(StoreError::Condition { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn notice(budget: &Budget, until: Option<Timestamp>) -> String {
    let mut text = format!("Too many wrong PINs {}. ", budget.what);
    let _ = match until {
        Some(until) => write!(
            text,
            "No PIN is looked at there until {until}. Whoever has an API key still plays."
        ),
        None => write!(
            text,
            "No PIN is looked at there any more: set a new one. Whoever has an API key still plays."
        ),
    };
    text
}

fn budgets(door: Door<'_>, now: Timestamp) -> Vec<Budget> {
    let seconds = LOCK.as_secs().max(1);
    let shifted = |scope: &str, counter: &str, shift: i64, max, what| {
        let window = (now.as_second() + shift).div_euclid(seconds);
        let ends = Timestamp::from_second((window + 1) * seconds - shift);
        Budget {
            counter: keyspace::pin_attempts(counter, window),
            max,
            window_ends: Some(ends.unwrap_or(Timestamp::MAX)),
            lock: keyspace::pin_lock(scope),
            what,
        }
    };
    let windowed = |scope: &str, max, what| shifted(scope, scope, 0, max, what);
    // The tightest first: a burst on one recording touches nothing else. It is counted in two rows of
    // windows, one of them half a window later, so that a burst over the end of one window is whole in
    // another.
    let late = format!("{}/late", door.recording);
    let mut budgets: Vec<Budget> = [(door.recording, 0), (late.as_str(), seconds / 2)]
        .into_iter()
        .map(|(counter, shift)| {
            let (max, what) = (RECORDING_ATTEMPTS, "for one recording");
            shifted(door.recording, counter, shift, max, what)
        })
        .collect();
    if let Some(address) = door.address {
        let scope = format!("{}/{}", door.account, network(address));
        budgets.push(windowed(&scope, ADDRESS_ATTEMPTS, "from one address"));
    }
    budgets.push(windowed(
        door.account,
        ACCOUNT_ATTEMPTS,
        "for recordings of this account",
    ));
    let (scope, max) = if door.owner == door.recording {
        (door.recording, RECORDING_LIFETIME_ATTEMPTS)
    } else {
        (door.account, ACCOUNT_LIFETIME_ATTEMPTS)
    };
    let version = &door.pin.version;
    budgets.push(Budget {
        counter: keyspace::pin_lifetime(scope, version),
        max,
        window_ends: None,
        lock: keyspace::pin_closed(scope, version),
        what: "since this PIN was set",
    });
    budgets
}

/// An address as it is counted: of IPv6 the network that one customer has.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::")
        }
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
