//! Replaying deliveries of a range of time, as a job in steps.

use jiff::{SignedDuration, Timestamp};
use ringfence_ports::{Message, Op, Put, Received, Row, StoreError, Unit, When};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    delivery::Status,
    log::{CallbackError, Filter, requeue},
};
use crate::{
    App,
    access::{parse_doc, to_doc},
    app::CACHE_TTL,
    deletion, export,
    history::{Action, Actor, Change},
    id, keyspace,
    settings::{AccountConfig, EndpointKind},
};

/// How many deliveries one step looks at.
const STEP: usize = 200;

/// What to replay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// Of this callback.
    pub kind: EndpointKind,
    /// Events accepted at this instant or later; `None`: from the beginning.
    pub since: Option<Timestamp>,
    /// Events accepted before this instant.
    pub until: Timestamp,
    /// In one of these statuses.
    pub statuses: Vec<Status>,
}

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// At work.
    Running,
    /// Done.
    Done,
}

/// A replay job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// `job_…`
    pub id: String,
    /// Whose.
    pub account: String,
    /// What is replayed.
    pub range: Range,
    /// Only counting: nothing is queued.
    pub dry_run: bool,
    /// How it stands.
    pub state: JobState,
    /// Deliveries that match, so far.
    pub matched: u64,
    /// Deliveries queued again, so far.
    pub queued: u64,
    /// When it was started.
    pub created_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// The status being walked.
    #[serde(default)]
    status_index: usize,
    /// Where in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    /// Counts the steps, so that a repeated message does nothing.
    #[serde(default)]
    step: u64,
}

/// How long a step may take before its message is taken to be lost.
const STEP_GRACE: SignedDuration = SignedDuration::from_mins(10);

impl Job {
    /// The write of this state. While the job runs it has a due time, at which `sweep` sends its message
    /// again.
    fn put(&self, now: Timestamp, when: When) -> Result<Put, StoreError> {
        let due = (self.state == JobState::Running)
            .then(|| keyspace::due(now.checked_add(STEP_GRACE).unwrap_or(now), &self.id));
        let key = keyspace::job(&self.account, &self.id);
        Ok(Put {
            index: [None, due],
            ..Put::new(key, to_doc(self)?, when)
        })
    }

    /// The write that puts off the due time of a job in a row, and sends its step again.
    pub(crate) fn again(row: &Row, now: Timestamp) -> Result<Unit, StoreError> {
        let job: Self = parse_doc(&row.doc)?;
        let put = job.put(now, When::Version(row.version))?;
        Ok(Unit {
            ops: vec![Op::Put(put)],
            sends: vec![step_message(&job)?],
        })
    }
}

#[derive(Serialize, Deserialize)]
struct StepMessage {
    account: String,
    job: String,
    step: u64,
}

impl App {
    /// Starts a replay. With `dry_run` it only counts, which is no change.
    pub async fn replay(
        &self,
        config: &AccountConfig,
        range: Range,
        dry_run: bool,
        actor: &Actor,
    ) -> Result<Job, CallbackError> {
        if config.endpoint(range.kind).is_none() {
            return Err(CallbackError::NoEndpoint);
        }
        let account = &config.account.id;
        let (job, unit) = self.new_job(account, range, dry_run)?;
        if dry_run {
            self.table.commit(unit).await?;
            return Ok(job);
        }
        let Range {
            kind,
            since,
            until,
            statuses,
        } = &job.range;
        let change = Change {
            item: format!("callbacks/{}/replays/{}", kind.as_str(), job.id),
            action: Action::Replay,
            before: Value::Null,
            after: json!({ "since": since, "until": until, "status": statuses }),
        };
        self.commit_change(account, actor, change, unit).await?;
        Ok(job)
    }

    /// The job that releases all that is held of a callback, which has just been resumed or switched on.
    ///
    /// Another process goes on to hold for as long as it remembers the callback as paused: the job starts
    /// after that, and takes what was held in the meantime too. Where rows and messages share a commit there
    /// is one process, which knows at once.
    pub(crate) fn replay_of_held(
        &self,
        account: &str,
        kind: EndpointKind,
    ) -> Result<(Job, Unit), StoreError> {
        let wait = if self.table.sends_with_rows() {
            SignedDuration::ZERO
        } else {
            CACHE_TTL + SignedDuration::from_secs(1)
        };
        let now = self.clock.now();
        let until = now
            .checked_add(wait + SignedDuration::from_secs(1))
            .unwrap_or(now);
        let range = Range {
            kind,
            since: None,
            until,
            statuses: vec![Status::Held],
        };
        let (job, mut unit) = self.new_job(account, range, false)?;
        for message in &mut unit.sends {
            message.delay = wait.unsigned_abs();
        }
        Ok((job, unit))
    }

    fn new_job(
        &self,
        account: &str,
        range: Range,
        dry_run: bool,
    ) -> Result<(Job, Unit), StoreError> {
        let now = self.clock.now();
        let job = Job {
            id: id::new(id::Kind::Job, now, &*self.random),
            account: account.to_owned(),
            range,
            dry_run,
            state: JobState::Running,
            matched: 0,
            queued: 0,
            created_at: now,
            finished_at: None,
            status_index: 0,
            before: None,
            step: 0,
        };
        let unit = Unit {
            ops: vec![Op::Put(job.put(now, When::Absent)?)],
            sends: vec![step_message(&job)?],
        };
        Ok((job, unit))
    }

    /// A job.
    pub async fn job(&self, account: &str, job: &str) -> Result<Job, CallbackError> {
        if !id::Kind::Job.matches(job) {
            return Err(CallbackError::NoJob);
        }
        let row = self
            .table
            .get(&keyspace::job(account, job))
            .await?
            .ok_or(CallbackError::NoJob)?;
        Ok(parse_doc(&row.doc)?)
    }

    /// Works on one message of the jobs queue: one step of one job, and the order for the next.
    pub async fn job_step(&self, received: &Received) -> Result<(), StoreError> {
        if let Some(message) = deletion::StepMessage::read(received) {
            return self.deletion_message(&message).await;
        }
        if let Some(message) = export::ExportMessage::read(received) {
            return self.export_message(&message).await;
        }
        let message: StepMessage = parse_doc(&received.body)?;
        let key = keyspace::job(&message.account, &message.job);
        let Some(row) = self.table.get(&key).await? else {
            return Ok(());
        };
        let mut job: Job = parse_doc(&row.doc)?;
        if job.step != message.step || job.state == JobState::Done {
            return Ok(());
        }
        let status = job.range.statuses.get(job.status_index).copied();
        if let Some(status) = status {
            let filter = Filter {
                status: Some(status),
                kind: Some(job.range.kind),
                since: job.range.since,
                until: Some(job.range.until),
                call: None,
            };
            let page = self
                .deliveries_of_time(&job.account, &filter, STEP, job.before.as_deref())
                .await?;
            job.matched += page.deliveries.len() as u64;
            if !job.dry_run {
                let now = self.clock.now();
                let mut units = Vec::with_capacity(page.deliveries.len());
                for delivery in page.deliveries {
                    // A step that died half-way comes again: what it queued has another status by now.
                    units.push(requeue(delivery, now, Some(&job.id))?.1);
                }
                for result in self.table.write(units).await {
                    match result {
                        Ok(()) => job.queued += 1,
                        // It has moved on by itself.
                        Err(StoreError::Condition { .. }) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            job.before = page.next;
            if job.before.is_none() {
                job.status_index += 1;
            }
        }
        job.step += 1;
        let mut sends = Vec::new();
        if job.status_index >= job.range.statuses.len() {
            job.state = JobState::Done;
            job.finished_at = Some(self.clock.now());
        } else {
            sends.push(step_message(&job)?);
        }
        let put = job.put(self.clock.now(), When::Version(row.version))?;
        match self
            .table
            .commit(Unit {
                ops: vec![Op::Put(put)],
                sends,
            })
            .await
        {
            // Another copy of the message did this step.
            Err(StoreError::Condition { .. }) => Ok(()),
            result => result,
        }
    }
}

fn step_message(job: &Job) -> Result<Message, StoreError> {
    Ok(Message {
        queue: keyspace::JOBS,
        group: job.account.clone(),
        body: to_doc(&StepMessage {
            account: job.account.clone(),
            job: job.id.clone(),
            step: job.step,
        })?,
        delay: std::time::Duration::ZERO,
    })
}
