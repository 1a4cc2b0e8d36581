//! Deleting recordings, in a way that can prove itself.
//!
//! A deletion is a job in steps, each of which can be done again:
//!
//! 1. *plan* ([`plan`]): what is asked for is looked up and written down, with the versions of its
//!    objects. What arrives later is not in that manifest, and stays.
//! 2. for each part of the manifest ([`run`]):
//!    *tombstone*: the recordings' rows say that they are deleted, when, why and by what, and lose the
//!    keys that open their audio; in the same commit no hold was placed meanwhile ([`hold`]). What a
//!    hold keeps is left alone.
//!    *delete*: the objects go, up to a thousand a call.
//!    *verify*: nothing is listed any more, no version, no upload that is still open; what is, goes too.
//! 3. *receipt* ([`receipt`]): what was planned, and what became of it, signed, in the history.
//!
//! A dry run plans, counts, and ends. Retention ([`retention`]) starts the same jobs.

pub mod date_range;
pub mod hold;
mod plan;
mod receipt;
pub mod retention;
mod run;

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use jiff::{SignedDuration, Timestamp};
use ringfence_ports::{
    BlobError, KeysError, Message, Op, Position, Put, Query, Row, StoreError, Unit, When,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    App,
    access::{parse_doc, to_doc},
    event::PhoneNumber,
    history::{Action, Actor, Change},
    id, keyspace,
    recording::{Recording, Status},
    settings::{AccountConfig, FieldError},
};

pub use date_range::DateRange;
pub use hold::{Hold, HoldError, Target};
pub use receipt::{Receipt, SignedReceipt};
pub use retention::Rule;

pub(crate) use hold::reason_fault;
use hold::same_number;

/// How long a step may take before its message is taken to be lost.
const STEP_GRACE: SignedDuration = SignedDuration::from_mins(10);

/// For how long a dry run is remembered, and a retention that found nothing.
const IDLE_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How many steps a request waits for; what takes longer goes on by itself.
const INLINE_STEPS: usize = 12;

/// What is to be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Selection {
    /// One recording.
    Recording {
        /// Its id.
        recording: String,
    },
    /// All recordings of a call.
    Call {
        /// The platform's id of it.
        call: String,
    },
    /// All that meet every condition.
    Batch(Batch),
    /// All that have been kept long enough.
    Retention(Rule),
}

/// Conditions on recordings; all hold together. `Debug` shows no number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Begun on these days of the account.
    #[serde(default)]
    pub days: DateRange,
    /// The account's time zone when it was asked for.
    pub zone: String,
    /// The first instant of those days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The first instant behind them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Of this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Of this team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// From or to this number, whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<PhoneNumber>,
    /// With this label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Shorter than this, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shorter_than: Option<u32>,
}

impl Selection {
    /// As it is shown and as receipts keep it: numbers masked.
    pub fn shown(&self) -> Value {
        match self {
            Self::Recording { recording } => json!({ "recording_id": recording }),
            Self::Call { call } => json!({ "call_id": call }),
            Self::Batch(batch) => {
                let mut shown = json!({ "time_zone": batch.zone });
                let mut set = |name: &str, value: Option<Value>| {
                    if let (Some(value), Some(fields)) = (value, shown.as_object_mut()) {
                        fields.insert(name.to_owned(), value);
                    }
                };
                set("from_date", batch.days.from.map(|d| d.to_string().into()));
                set("to_date", batch.days.to.map(|d| d.to_string().into()));
                set("since", batch.since.map(|at| at.to_string().into()));
                set("until", batch.until.map(|at| at.to_string().into()));
                set("agent_id", batch.agent.clone().map(Into::into));
                set("team", batch.team.clone().map(Into::into));
                let number = batch.number.as_ref().map(PhoneNumber::masked);
                set("number", number.map(|n| n.as_str().into()));
                set("tag", batch.tag.clone().map(Into::into));
                set("shorter_than", batch.shorter_than.map(Into::into));
                shown
            }
            Self::Retention(rule) => rule.shown(),
        }
    }

    /// Whether a recording that was looked up for it is meant.
    fn takes(&self, recording: &Recording, asked_at: Timestamp) -> bool {
        // What is still to arrive is not the business of a range; it may be asked for by name.
        let arrived = matches!(recording.status, Status::Available | Status::Refused);
        if recording.status == Status::Deleted || recording.created_at > asked_at {
            return false;
        }
        match self {
            Self::Recording { .. } | Self::Call { .. } => true,
            Self::Batch(batch) => {
                arrived
                    && batch.number.as_ref().is_none_or(|wanted| {
                        [&recording.from, &recording.to]
                            .into_iter()
                            .flatten()
                            .any(|found| same_number(wanted, found))
                    })
            }
            Self::Retention(_) => arrived,
        }
    }
}

/// How a deletion stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// At work.
    Running,
    /// Somebody stopped it.
    Stopped,
    /// Done.
    Done,
}

/// What a deletion does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Looks up what is meant.
    Plan,
    /// Tombstones the recordings of a part.
    Tombstone,
    /// Deletes their objects.
    Delete,
    /// Looks that nothing is left.
    Verify,
    /// Signs the receipt.
    Receipt,
}

/// What became of what was planned, so far. Recordings, each exactly once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Deleted by this job: nothing of them is in the store.
    pub deleted: u64,
    /// Gone when their turn came: deleted by somebody else, or never stored.
    pub already_absent: u64,
    /// Kept by a legal hold.
    pub held: u64,
    /// Tombstoned, but the store did not delete them.
    pub failed: u64,
    /// Bytes of those that were deleted, as they were planned.
    pub bytes_deleted: u64,
    /// The holds that kept some, and how many each.
    pub holds: BTreeMap<String, u64>,
}

impl Counts {
    /// How many recordings are settled.
    pub const fn settled(&self) -> u64 {
        self.deleted
            .saturating_add(self.already_absent)
            .saturating_add(self.held)
            .saturating_add(self.failed)
    }
}

/// A deletion as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deletion {
    /// `job_…`
    pub id: String,
    /// Whose recordings.
    pub account: String,
    /// What is deleted.
    pub selection: Selection,
    /// Why; the recordings say so afterwards.
    pub reason: String,
    /// Who asked for it: an API key's id, or `system` for retention.
    pub requested_by: String,
    /// From where: known to the request that asked, and not stored with the job, so that erasing a
    /// person from the history is enough.
    #[serde(skip)]
    pub address: Option<IpAddr>,
    /// Only counting.
    pub dry_run: bool,
    /// How it stands.
    pub state: State,
    /// What it does next.
    pub phase: Phase,
    /// When it was asked for. Recordings registered later are not meant.
    pub created_at: Timestamp,
    /// When it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Recordings that it means; final once [`Phase::Plan`] is over.
    pub planned: u64,
    /// Their bytes.
    pub planned_bytes: u64,
    /// In a dry run: how many of them a hold keeps.
    #[serde(default)]
    pub planned_held: u64,
    /// What became of them.
    pub counts: Counts,
    /// What it amounted to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<SignedReceipt>,
    /// Counts the steps, so that a repeated message does nothing.
    step: u64,
    /// How many parts the manifest has.
    chunks: u32,
    /// How many objects are in the last of them.
    open: usize,
    /// How many of them are still to be worked on. The last comes first: it has the oldest recordings,
    /// and while the store is looked through, nothing that is still there stands before them.
    left: u32,
    /// How often its objects were tried to be deleted.
    attempt: u32,
    /// Where the plan goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    /// SHA-256 over the parts settled so far, each with the one before.
    digest: String,
    /// For how long it was at work before [`Deletion::active_since`], ms.
    active_ms: i64,
    /// Since when it is at work.
    active_since: Timestamp,
}

impl Deletion {
    /// Recordings settled a second of work; `None`: it has not worked for a second yet.
    pub fn rate(&self, now: Timestamp) -> Option<f64> {
        let active = self.active_at(match self.state {
            State::Running => now,
            _ => self.active_since,
        });
        let seconds = std::time::Duration::from_millis(u64::try_from(active).ok()?).as_secs_f64();
        let settled = u32::try_from(self.counts.settled()).map_or(f64::INFINITY, f64::from);
        (seconds >= 1.0).then(|| settled / seconds)
    }

    fn active_at(&self, now: Timestamp) -> i64 {
        let since = now.duration_since(self.active_since).as_millis();
        self.active_ms
            .saturating_add(i64::try_from(since.max(0)).unwrap_or(i64::MAX))
    }

    /// No more at work from now on.
    fn rest(&mut self, state: State, now: Timestamp) {
        self.active_ms = self.active_at(now);
        self.active_since = now;
        self.state = state;
    }

    /// The write of this state. While the job runs it has a due time, at which `sweep` sends its message
    /// again.
    fn put(&self, now: Timestamp, when: When) -> Result<Put, StoreError> {
        let due = (self.state == State::Running)
            .then(|| keyspace::due(now.checked_add(STEP_GRACE).unwrap_or(now), &self.id));
        let key = keyspace::deletion(&self.account, &self.id);
        // What counted, or found nothing to do, is of no use for long.
        let expires_at = (self.state == State::Done && self.receipt.is_none())
            .then(|| now.checked_add(IDLE_KEPT).unwrap_or(Timestamp::MAX));
        Ok(Put {
            index: [None, due],
            expires_at,
            ..Put::new(key, to_doc(self)?, when)
        })
    }

    /// The write that puts off the due time of a deletion in a row, and sends its step again.
    pub(crate) fn again(row: &Row, now: Timestamp) -> Result<Unit, StoreError> {
        let job: Self = parse_doc(&row.doc)?;
        Ok(Unit {
            ops: vec![Op::Put(job.put(now, When::Version(row.version))?)],
            sends: vec![job.message(Duration::ZERO)?],
        })
    }

    fn message(&self, delay: Duration) -> Result<Message, StoreError> {
        Ok(Message {
            queue: keyspace::JOBS,
            group: self.account.clone(),
            body: to_doc(&StepMessage {
                kind: Kind::Deletion,
                account: self.account.clone(),
                job: self.id.clone(),
                step: self.step,
            })?,
            delay,
        })
    }

    fn actor(&self) -> Actor {
        Actor {
            id: self.requested_by.clone(),
            address: self.address,
        }
    }
}

/// What tells these messages from those of other jobs.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Deletion,
}

/// The order for one step.
#[derive(Serialize, Deserialize)]
pub(crate) struct StepMessage {
    kind: Kind,
    account: String,
    job: String,
    step: u64,
}

/// Why something could not be deleted, or a deletion not be read.
#[derive(Debug, thiserror::Error)]
pub enum DeletionError {
    /// There is no such deletion.
    #[error("there is no such deletion")]
    NotFound,
    /// There is no such recording.
    #[error("there is no such recording")]
    NoRecording,
    /// The recording was deleted already.
    #[error("the recording was deleted")]
    Deleted,
    /// Fields are wrong.
    #[error("{} fields are not right", .0.len())]
    Fields(Vec<FieldError>),
    /// The deletion's state does not allow it; the text says why.
    #[error("{0}")]
    Conflict(&'static str),
    /// The store of rows failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store of objects failed.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A key cannot be had.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

impl From<HoldError> for DeletionError {
    fn from(error: HoldError) -> Self {
        match error {
            HoldError::Store(error) => Self::Store(error),
            HoldError::Keys(error) => Self::Keys(error),
            HoldError::NoRecording => Self::NoRecording,
            HoldError::Deleted => Self::Deleted,
            HoldError::Fields(errors) => Self::Fields(errors),
            HoldError::NotFound | HoldError::TooMany => Self::Conflict("a hold is in the way"),
        }
    }
}

impl From<DeletionError> for StoreError {
    /// For whoever only tries again.
    fn from(error: DeletionError) -> Self {
        match error {
            DeletionError::Store(error) => error,
            other => Self::Unavailable(other.to_string()),
        }
    }
}

/// Names each of these conditions that no recording can meet.
pub(crate) fn check_ids(fields: &[(&str, &Option<String>)], errors: &mut Vec<FieldError>) {
    for (field, value) in fields {
        if value
            .as_ref()
            .is_some_and(|v| !(1..=512).contains(&v.len()))
        {
            errors.push(FieldError {
                field: (*field).to_owned(),
                code: "invalid_value",
                reason: "must be 1 to 512 bytes".to_owned(),
            });
        }
    }
}

/// What somebody asks to be deleted.
#[derive(Clone, Debug)]
pub struct Order {
    /// What.
    pub selection: Selection,
    /// Why.
    pub reason: String,
    /// Only counting.
    pub dry_run: bool,
}

impl App {
    /// The conditions of a batch, with the instants that its days mean in the account's time zone.
    pub fn batch(&self, config: &AccountConfig, batch: Batch) -> Result<Batch, DeletionError> {
        let mut errors = Vec::new();
        let zone = config.account.zone()?;
        let (since, until) = batch.days.checked(&zone, &mut errors);
        check_ids(
            &[
                ("agent_id", &batch.agent),
                ("team", &batch.team),
                ("tag", &batch.tag),
            ],
            &mut errors,
        );
        let mut wrong = |field: &str, reason: &str| {
            errors.push(FieldError {
                field: field.to_owned(),
                code: "invalid_value",
                reason: reason.to_owned(),
            });
        };
        if let Some(number) = &batch.number {
            let digits = hold::digits_of(number);
            if digits.len() != 1 || number.as_str().len() > 128 {
                wrong("number", "must be one phone number");
            }
        }
        let is_empty = batch.days.is_open()
            && batch.agent.is_none()
            && batch.team.is_none()
            && batch.number.is_none()
            && batch.tag.is_none()
            && batch.shorter_than.is_none();
        if is_empty {
            wrong(
                "",
                "must name a call or at least one condition: nothing deletes everything",
            );
        }
        if !errors.is_empty() {
            return Err(DeletionError::Fields(errors));
        }
        Ok(Batch {
            zone: config.account.time_zone().to_owned(),
            since,
            until,
            ..batch
        })
    }

    /// Starts a deletion. A dry run is waited for as long as a request may take; it writes nothing but
    /// its own row.
    pub async fn delete_recordings(
        &self,
        account: &str,
        order: Order,
        actor: &Actor,
    ) -> Result<Deletion, DeletionError> {
        let job = self.new_deletion(account, order, actor)?;
        if job.dry_run {
            let put = job.put(self.clock.now(), When::Absent)?;
            self.commit_ops(vec![Op::Put(put)]).await?;
            return self.drive(job).await;
        }
        self.start_deletion(&job, true).await?;
        Ok(job)
    }

    /// Deletes one recording, and waits for it.
    pub async fn delete_recording(
        &self,
        account: &str,
        recording: &str,
        reason: String,
        actor: &Actor,
    ) -> Result<Deletion, DeletionError> {
        let stored = self
            .find_recording(account, recording)
            .await?
            .ok_or(DeletionError::NoRecording)?;
        if stored.recording.status == Status::Deleted {
            return Err(DeletionError::Deleted);
        }
        let order = Order {
            selection: Selection::Recording {
                recording: recording.to_owned(),
            },
            reason,
            dry_run: false,
        };
        let job = self.new_deletion(account, order, actor)?;
        self.start_deletion(&job, false).await?;
        self.drive(job).await
    }

    fn new_deletion(
        &self,
        account: &str,
        order: Order,
        actor: &Actor,
    ) -> Result<Deletion, DeletionError> {
        if let Some(reason) = reason_fault(&order.reason) {
            return Err(DeletionError::Fields(vec![FieldError {
                field: "reason".to_owned(),
                code: "invalid_value",
                reason,
            }]));
        }
        let now = self.clock.now();
        let id = id::new(id::Kind::Job, now, &*self.random);
        Ok(deletion(id, account, order, actor, now))
    }

    /// Writes a new deletion and its entry in the history, and sends its first step if asked.
    async fn start_deletion(&self, job: &Deletion, send: bool) -> Result<(), DeletionError> {
        let unit = Unit {
            ops: vec![Op::Put(job.put(self.clock.now(), When::Absent)?)],
            sends: if send {
                vec![job.message(Duration::ZERO)?]
            } else {
                Vec::new()
            },
        };
        let change = Change {
            item: format!("deletions/{}", job.id),
            action: Action::Create,
            before: Value::Null,
            after: json!({ "selection": job.selection.shown(), "reason": job.reason }),
        };
        self.commit_change(&job.account, &job.actor(), change, unit)
            .await?;
        Ok(())
    }

    async fn commit_ops(&self, ops: Vec<Op>) -> Result<(), StoreError> {
        let unit = Unit {
            ops,
            sends: Vec::new(),
        };
        self.table.commit(unit).await
    }

    /// Works on a new deletion until it is done or a request has waited long enough; then, or when a
    /// step fails, it goes on by its queue.
    async fn drive(&self, mut job: Deletion) -> Result<Deletion, DeletionError> {
        let mut version = 1;
        let mut wait = Duration::ZERO;
        for _ in 0..INLINE_STEPS {
            match self.deletion_step(job.clone(), version, false).await {
                Ok(Some((next, delay))) => {
                    (job, version, wait) = (next, version + 1, delay);
                    if job.state != State::Running {
                        return Ok(job);
                    }
                    if !wait.is_zero() {
                        break;
                    }
                }
                // Somebody else has taken it over.
                Ok(None) => return self.deletion(&job.account, &job.id).await,
                Err(error) => {
                    tracing::warn!(job = job.id, %error, "a deletion goes on by its queue");
                    break;
                }
            }
        }
        // Lost, it is due in a while anyway.
        self.queue.send(vec![job.message(wait)?]).await?;
        Ok(job)
    }

    /// A deletion.
    pub async fn deletion(&self, account: &str, job: &str) -> Result<Deletion, DeletionError> {
        Ok(self.stored_deletion(account, job).await?.0)
    }

    async fn stored_deletion(
        &self,
        account: &str,
        job: &str,
    ) -> Result<(Deletion, u64), DeletionError> {
        if !id::Kind::Job.matches(job) {
            return Err(DeletionError::NotFound);
        }
        let row = self.table.get(&keyspace::deletion(account, job)).await?;
        let row = row.ok_or(DeletionError::NotFound)?;
        Ok((parse_doc(&row.doc)?, row.version))
    }

    /// A page of an account's deletions, newest first.
    pub async fn deletions(
        &self,
        account: &str,
        limit: usize,
        after: Option<Position>,
    ) -> Result<(Vec<Deletion>, Option<Position>), StoreError> {
        let page = self
            .table
            .query(Query {
                descending: true,
                limit,
                after,
                ..Query::partition(keyspace::deletion(account, "").pk)
            })
            .await?;
        let jobs = page
            .rows
            .iter()
            .map(|row| parse_doc(&row.doc))
            .collect::<Result<_, _>>()?;
        Ok((jobs, page.next))
    }

    /// Stops a deletion after the step that it is at. What is deleted stays deleted.
    pub async fn stop_deletion(
        &self,
        account: &str,
        job: &str,
        actor: &Actor,
    ) -> Result<Deletion, DeletionError> {
        self.change_deletion(account, job, Action::Pause, actor, |job, now| {
            match job.state {
                State::Running => job.rest(State::Stopped, now),
                State::Stopped => return Ok(false),
                State::Done => return Err(DeletionError::Conflict("It is done already.")),
            }
            Ok(true)
        })
        .await
    }

    /// Lets a stopped deletion go on; one that is done tries again what failed.
    pub async fn resume_deletion(
        &self,
        account: &str,
        job: &str,
        actor: &Actor,
    ) -> Result<Deletion, DeletionError> {
        self.change_deletion(account, job, Action::Resume, actor, |job, now| {
            match job.state {
                State::Running => return Ok(false),
                State::Stopped => {}
                State::Done if job.counts.failed > 0 => {
                    // From the start: what is settled is counted again, not done again.
                    job.phase = Phase::Tombstone;
                    job.left = job.chunks;
                    job.attempt = 0;
                    job.counts = Counts::default();
                    job.digest = String::new();
                    job.receipt = None;
                    job.finished_at = None;
                }
                State::Done => {
                    return Err(DeletionError::Conflict("It is done, and nothing failed."));
                }
            }
            job.state = State::Running;
            job.active_since = now;
            job.step += 1;
            Ok(true)
        })
        .await
    }

    async fn change_deletion(
        &self,
        account: &str,
        job: &str,
        action: Action,
        actor: &Actor,
        change: impl Fn(&mut Deletion, Timestamp) -> Result<bool, DeletionError>,
    ) -> Result<Deletion, DeletionError> {
        for _ in 0..hold::ATTEMPTS {
            let (before, version) = self.stored_deletion(account, job).await?;
            let now = self.clock.now();
            let mut after = before.clone();
            if !change(&mut after, now)? {
                return Ok(before);
            }
            let unit = Unit {
                ops: vec![Op::Put(after.put(now, When::Version(version))?)],
                sends: if after.state == State::Running {
                    vec![after.message(Duration::ZERO)?]
                } else {
                    Vec::new()
                },
            };
            let told =
                |job: &Deletion| json!({ "state": job.state, "settled": job.counts.settled() });
            let entry = Change {
                item: format!("deletions/{job}"),
                action,
                before: told(&before),
                after: told(&after),
            };
            match self.commit_change(account, actor, entry, unit).await {
                Ok(_) => return Ok(after),
                // A step was faster.
                Err(StoreError::Condition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }
}

/// A deletion at its beginning.
fn deletion(id: String, account: &str, order: Order, actor: &Actor, now: Timestamp) -> Deletion {
    Deletion {
        id,
        account: account.to_owned(),
        selection: order.selection,
        reason: order.reason,
        requested_by: actor.id.clone(),
        address: actor.address,
        dry_run: order.dry_run,
        state: State::Running,
        phase: Phase::Plan,
        created_at: now,
        finished_at: None,
        planned: 0,
        planned_bytes: 0,
        planned_held: 0,
        counts: Counts::default(),
        receipt: None,
        step: 0,
        chunks: 0,
        open: 0,
        left: 0,
        attempt: 0,
        cursor: None,
        digest: String::new(),
        active_ms: 0,
        active_since: now,
    }
}
