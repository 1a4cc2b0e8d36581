//! How an entry gets into its chain: in one commit with the change, after the entry before it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ringfence_ports::{Op, Put, Random, Row, StoreError, Unit, When};
use serde::{Deserialize, Serialize};

use super::{Actor, Entry, checkpoint, personal::Record};
use crate::{
    App,
    access::{parse_doc, to_doc},
    keyspace,
};

/// What the `previous` of an owner's first entry is.
pub(super) const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// For how long a change is tried again when other processes change something of the same owner.
const PATIENCE: SignedDuration = SignedDuration::from_secs(15);
/// How often at most, should the clock stand still.
const ATTEMPTS: u32 = 100;
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// How many owners may change something at the same time in one process.
const LANES: usize = 64;

/// The row that says how far a chain goes.
#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) seq: u64,
    pub(super) hash: String,
    /// Up to which entry a checkpoint has been signed.
    #[serde(default)]
    pub(super) signed: u64,
    /// When the next checkpoint is to be signed; `None`: there is nothing new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) due_at: Option<Timestamp>,
}

impl Head {
    /// The head in its row; of a chain that has not begun, the one before the first entry.
    pub(super) fn read(row: Option<&Row>) -> Result<(Self, When), StoreError> {
        match row {
            Some(row) => Ok((parse_doc(&row.doc)?, When::Version(row.version))),
            None => Ok((
                Self {
                    seq: 0,
                    hash: NO_HASH.to_owned(),
                    signed: 0,
                    due_at: None,
                },
                When::Absent,
            )),
        }
    }

    pub(super) fn put(&self, owner: &str, when: When) -> Result<Op, StoreError> {
        Ok(Op::Put(Put {
            index: [
                self.due_at
                    .map(|at| keyspace::history_checkpoint_due(owner, at)),
                None,
            ],
            ..Put::new(keyspace::history_head(owner), to_doc(self)?, when)
        }))
    }
}

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
    /// Commits `unit` (at most 92 operations) and the history entry of `change` together. When a
    /// condition of `unit` itself fails, the error names its operation; when only another change was
    /// faster, it tries again, for up to 15 seconds.
    pub async fn commit_change(
        &self,
        owner: &str,
        actor: &Actor,
        change: impl Into<Record>,
        unit: Unit,
    ) -> Result<Entry, StoreError> {
        let own_ops = unit.ops.len();
        let (change, mut beside) = change.into().split(&*self.random);
        let mut entry = Entry {
            seq: 0,
            at: Timestamp::UNIX_EPOCH,
            actor: actor.id.clone(),
            address: beside.take_address(actor, &*self.random),
            item: change.item,
            action: change.action,
            before: change.before,
            after: change.after,
            personal: beside.pointers(),
            previous: String::new(),
            hash: String::new(),
        };
        let _turn = self.turns.of(owner).lock().await;
        let started = self.clock.now();
        let head_key = keyspace::history_head(owner);
        for attempt in 0..ATTEMPTS {
            let row = self.table.get(&head_key).await?;
            let (mut head, when) = Head::read(row.as_ref())?;
            entry.seq = head.seq + 1;
            entry.at = self.clock.now();
            entry.previous = std::mem::take(&mut head.hash);
            entry.hash = entry.compute_hash()?;
            head.seq = entry.seq;
            head.hash.clone_from(&entry.hash);
            head.due_at = Some(checkpoint::due(
                head.seq - head.signed,
                head.due_at,
                entry.at,
            ));

            let mut unit = unit.clone();
            unit.ops.push(head.put(owner, when)?);
            unit.ops.push(entry.put(owner)?);
            unit.ops.push(Op::Put(Put::new(
                keyspace::history_at(owner, entry.at, entry.seq),
                "{}",
                When::Always,
            )));
            beside.put(owner, entry.seq, &mut unit.ops)?;
            match self.table.commit(unit).await {
                Err(StoreError::Condition { op }) if op >= own_ops => {}
                Err(StoreError::Busy) => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    self.forget_cached();
                    return Ok(entry);
                }
            }
            if self.clock.now().duration_since(started) >= PATIENCE {
                break;
            }
            tokio::time::sleep(pause(attempt, &*self.random)).await;
        }
        Err(StoreError::Busy)
    }
}

impl Entry {
    fn put(&self, owner: &str) -> Result<Op, StoreError> {
        Ok(Op::Put(Put {
            index: [
                Some(keyspace::history_of_item(
                    owner, &self.item, self.at, self.seq,
                )),
                Some(keyspace::history_of_actor(
                    owner,
                    &self.actor,
                    self.at,
                    self.seq,
                )),
            ],
            ..Put::new(
                keyspace::history_entry(owner, self.seq),
                to_doc(self)?,
                When::Absent,
            )
        }))
    }
}

/// Somewhere below a bound that doubles, so that those who lost a race do not meet again.
fn pause(attempt: u32, random: &dyn Random) -> Duration {
    let bound = FIRST_PAUSE
        .saturating_mul(1 << attempt.min(16))
        .min(LONGEST_PAUSE);
    bound.mul_f64(random.unit())
}
