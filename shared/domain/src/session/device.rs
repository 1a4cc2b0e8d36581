//! Devices on which a person has logged in. One is known by a cookie with a secret of its own, for each
//! person that uses the browser; it is a new secret after each login.

use jiff::{SignedDuration, Timestamp};
use ringfence_ports::{Op, Put, StoreError, When};
use serde::{Deserialize, Serialize};

use super::{throttle::later, token::Ticket};
use crate::{
    access::{parse_doc, to_doc},
    keyspace,
};

/// For how long a device stays known after a login: as long as browsers keep a cookie at all.
pub const KNOWN_FOR: SignedDuration = SignedDuration::from_hours(400 * 24);

/// For how long a device need not give the second factor again, where the agency asks every 30 days.
pub const SECOND_FACTOR_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A device, as its browser's cookie names it.
pub type Device = Ticket;

/// What is known of a device.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct KnownDevice {
    pub(crate) first_login_at: Timestamp,
    /// Until when the second factor need not be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) second_factor_until: Option<Timestamp>,
    /// Of the person when it was given: a change of password ends that.
    pub(crate) epoch: u64,
}

impl KnownDevice {
    pub(crate) fn parse(doc: &str) -> Result<Self, StoreError> {
        parse_doc(doc)
    }

    /// Whether the second factor was given here and counts yet.
    pub(crate) fn vouches(&self, epoch: u64, now: Timestamp) -> bool {
        self.epoch == epoch && self.second_factor_until.is_some_and(|until| now < until)
    }

    pub(crate) fn put(&self, device: &Device, now: Timestamp) -> Result<Op, StoreError> {
        Ok(Op::Put(Put {
            expires_at: Some(later(now, KNOWN_FOR)),
            ..Put::new(
                keyspace::device(&device.user, &device.token.hash()),
                to_doc(self)?,
                When::Absent,
            )
        }))
    }
}

/// The name of a person's device cookie, without a prefix.
pub fn cookie_name(user: &str) -> String {
    let tail = user
        .get(user.len().saturating_sub(16)..)
        .unwrap_or_default();
    format!("ringfence-device-{tail}")
}
