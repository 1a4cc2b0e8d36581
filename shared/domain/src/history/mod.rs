//! The change history: one chain of entries per owner (an account, an agency, the platform), each with
//! the hash of the one before, written in the same commit as the change it tells of.
//!
//! - [`App::commit_change`](crate::App::commit_change) writes, `search` finds.
//! - [`Personal`] values stand in the chain as commitments; `redact` erases what opens them.
//! - A [`Checkpoint`] is a signed statement about how far a chain goes; `verify` names the first entry
//!   that does not fit, in the table; [`FileVerifier`] does the same with an export, offline.

mod chain;
mod checkpoint;
mod export;
mod personal;
mod redact;
mod search;
mod show;
mod verify;

use std::net::IpAddr;

use jiff::Timestamp;
use ringfence_ports::{KeysError, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::chain::Turns;
pub use self::{
    checkpoint::{Checkpoint, PublicKey},
    export::{Export, ExportFrom, FileVerifier, Verified},
    personal::{Personal, Record, Revealed},
    redact::Redaction,
    search::{Filter, Found, Place},
    show::{FieldChange, Shown},
    verify::{Bad, Fault, Progress, Verification},
};
use crate::{access::to_doc, id};

/// Why something about a history was not done.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// There is no such entry.
    #[error("there is no such entry")]
    NotFound,
    /// The chain does not fit together; nothing is signed over it.
    #[error("the history does not verify: {0}")]
    Broken(Bad),
    /// The key to sign with cannot be had.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who changed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The id of the key, or `system` for what Ringfence does by itself.
    pub id: String,
    /// Where the request came from, when known.
    pub address: Option<IpAddr>,
}

impl Actor {
    /// Ringfence itself.
    pub fn system() -> Self {
        Self {
            id: "system".to_owned(),
            address: None,
        }
    }
}

/// From where something was done, as an entry holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Address {
    /// The address of a machine.
    Plain(IpAddr),
    /// A commitment to the address of a person, which stands beside the entry until it is erased.
    Personal {
        /// See [`Revealed::commitment`].
        commitment: String,
    },
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Made.
    Create,
    /// Changed.
    Update,
    /// Removed.
    Delete,
    /// A signing secret was rotated.
    Rotate,
    /// A callback was paused.
    Pause,
    /// A callback was resumed.
    Resume,
    /// A callback was disabled, by Ringfence itself.
    Disable,
    /// Deliveries of a range of time were sent again.
    Replay,
    /// One delivery was sent again.
    Resend,
    /// A test event was sent.
    Test,
    /// Personal values were erased.
    Redact,
    /// Support access was used.
    Use,
}

impl Action {
    /// What happened to something that was there before, or not, and is there after, or not.
    pub(crate) const fn of(before: bool, after: bool) -> Self {
        match (before, after) {
            (false, _) => Self::Create,
            (true, true) => Self::Update,
            (true, false) => Self::Delete,
        }
    }
}

/// A change to be recorded. `before` and `after` hold no secret: what must stay secret stands there
/// as a commitment made with a key. What is personal is named with [`Change::personal`].
#[derive(Clone, Debug)]
pub struct Change {
    /// What was changed, as a path under the owner: `settings/callbacks`, `api-keys/key_…`.
    pub item: String,
    /// What was done to it.
    pub action: Action,
    /// The item before; null when it did not exist.
    pub before: Value,
    /// The item after; null when it no longer exists.
    pub after: Value,
}

/// An entry of the history. `hash` is the SHA-256 of the entry's own JSON (fields in the order here,
/// without `hash`), so that each entry vouches for all before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// 1 for an owner's first change, then contiguous.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Who: an API key's id or `system`.
    pub actor: String,
    /// From where: a key's address as it is, a person's as a commitment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// What was changed.
    pub item: String,
    /// What was done.
    pub action: Action,
    /// The item before.
    pub before: Value,
    /// The item after.
    pub after: Value,
    /// Where in this entry commitments stand in place of personal values, as JSON pointers:
    /// `/after/name`, `/address`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub personal: Vec<String>,
    /// `hash` of the entry before; 64 zeros for the first.
    pub previous: String,
    /// Hexadecimal SHA-256 over all of the above.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hash: String,
}

impl Entry {
    /// The hash that this entry must have.
    pub fn compute_hash(&self) -> Result<String, StoreError> {
        let bare = Self {
            hash: String::new(),
            ..self.clone()
        };
        let digest = ring::digest::digest(&ring::digest::SHA256, to_doc(&bare)?.as_bytes());
        Ok(id::hex(digest.as_ref()))
    }
}
