//! The change history: one chain of entries per owner, each with the hash of the one before, written
//! in the same commit as the change it tells of.

mod personal;

use std::net::IpAddr;

use jiff::Timestamp;
use ringfence_ports::{Op, Page, Position, Put, Query, StoreError, Unit, When};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::personal::{Personal, Record, Revealed};
use crate::{
    App,
    access::{parse_doc, to_doc},
    id, keyspace,
};

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
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// What was changed.
    pub item: String,
    /// What was done.
    pub action: Action,
    /// The item before.
    pub before: Value,
    /// The item after.
    pub after: Value,
    /// Where in this entry commitments stand in place of personal values, as JSON pointers:
    /// `/after/name`.
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

#[derive(Serialize, Deserialize)]
struct Head {
    seq: u64,
    hash: String,
}

/// How often a change is tried again when another process changed something of the same owner first.
const ATTEMPTS: usize = 64;

/// How many owners may change something at the same time in one process.
const LANES: usize = 64;

/// Lets the changes of one owner follow each other inside this process, so that they lose races only
/// to other processes.
pub(crate) struct Turns([tokio::sync::Mutex<()>; LANES]);

impl Turns {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| tokio::sync::Mutex::new(())))
    }

    fn of(&self, owner: &str) -> &tokio::sync::Mutex<()> {
        // The last digits of an id are random.
        let lane = owner
            .bytes()
            .rev()
            .take(4)
            .fold(0, |lane: usize, byte| lane * 31 + usize::from(byte));
        &self.0[lane % LANES]
    }
}

impl App {
    /// Commits `unit` and the history entry of `change` together. When a condition of `unit` itself
    /// fails, the error names its operation; when only another change was faster, it tries again.
    pub async fn commit_change(
        &self,
        owner: &str,
        actor: &Actor,
        change: impl Into<Record>,
        unit: Unit,
    ) -> Result<Entry, StoreError> {
        let own_ops = unit.ops.len();
        let (change, beside) = change.into().split(&*self.random);
        let _turn = self.turns.of(owner).lock().await;
        for _ in 0..ATTEMPTS {
            let head_key = keyspace::history_head(owner);
            let (head, when) = match self.table.get(&head_key).await? {
                Some(row) => (parse_doc::<Head>(&row.doc)?, When::Version(row.version)),
                None => (
                    Head {
                        seq: 0,
                        hash: "0".repeat(64),
                    },
                    When::Absent,
                ),
            };
            let mut entry = Entry {
                seq: head.seq + 1,
                at: self.clock.now(),
                actor: actor.id.clone(),
                address: actor.address,
                item: change.item.clone(),
                action: change.action,
                before: change.before.clone(),
                after: change.after.clone(),
                personal: beside.values.iter().map(|one| one.at.clone()).collect(),
                previous: head.hash,
                hash: String::new(),
            };
            entry.hash = entry.compute_hash()?;
            let mut unit = unit.clone();
            let head = Head {
                seq: entry.seq,
                hash: entry.hash.clone(),
            };
            unit.ops
                .push(Op::Put(Put::new(head_key, to_doc(&head)?, when)));
            unit.ops.push(Op::Put(Put::new(
                keyspace::history_entry(owner, entry.seq),
                to_doc(&entry)?,
                When::Absent,
            )));
            if !beside.values.is_empty() {
                unit.ops.push(beside.put(owner, entry.seq)?);
            }
            match self.table.commit(unit).await {
                Err(StoreError::Condition { op }) if op >= own_ops => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    self.forget_cached();
                    return Ok(entry);
                }
            }
        }
        Err(StoreError::Busy)
    }

    /// A page of an owner's history, newest first.
    pub async fn history(
        &self,
        owner: &str,
        limit: usize,
        after: Option<Position>,
    ) -> Result<(Vec<Entry>, Option<Position>), StoreError> {
        let Page { rows, next } = self
            .table
            .query(Query {
                from: Some("e/".to_owned()),
                to: Some("e0".to_owned()),
                descending: true,
                limit,
                after,
                ..Query::partition(keyspace::history_entry(owner, 0).pk)
            })
            .await?;
        let entries = rows
            .iter()
            .map(|row| parse_doc(&row.doc))
            .collect::<Result<_, _>>()?;
        Ok((entries, next))
    }

    /// A page of an owner's history, newest first, of what came before entry `before`; and whether
    /// there is more.
    pub async fn history_before(
        &self,
        owner: &str,
        limit: usize,
        before: Option<u64>,
    ) -> Result<(Vec<Entry>, bool), StoreError> {
        let after = before.map(|seq| Position {
            key: keyspace::history_entry(owner, seq),
            index: None,
        });
        let (entries, next) = self.history(owner, limit, after).await?;
        Ok((entries, next.is_some()))
    }
}
