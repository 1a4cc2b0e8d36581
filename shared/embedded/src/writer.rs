//! The one thread that writes. It takes all jobs that wait, runs them in one transaction, commits
//! with one sync, and only then answers.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ringfence_ports::{Clock, Key, Message, Op, StoreError, Unit, When};
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::{Notify, oneshot};

use crate::blobs;
use crate::blobs::rows::BlobRow;
use crate::blobs::{Committing, Order};
use crate::error::{closed, unavailable};
use crate::memory::{Held, Memory, Place};
use crate::rows::{self, Found};

/// A transaction ends at this many jobs or bytes, so that the first caller in it does not wait long.
const MAX_JOBS: usize = 1024;
const MAX_GROUP_BYTES: usize = 8 * 1024 * 1024;

/// More than this waiting for the writer, and callers are told to come later.
const MAX_WAITING_BYTES: usize = 64 * 1024 * 1024;

/// How long finished messages wait for somebody else's commit before they get one of their own.
const LINGER: Duration = Duration::from_millis(50);

/// Rows or messages of one background step, small so that callers do not notice.
const CHUNK: u16 = 128;

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What became of messages that were handed out.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    pub(crate) done: Vec<(Place, i64)>,
    pub(crate) dead: Vec<(Place, i64, u32)>,
}

/// Work for the writer.
pub(crate) enum Job {
    Write {
        units: Vec<Unit>,
        bytes: usize,
        reply: oneshot::Sender<Vec<Result<(), StoreError>>>,
    },
    Count {
        key: Key,
        delta: i64,
        max: Option<i64>,
        expires: Option<i64>,
        reply: Reply<i64>,
    },
    /// Nobody waits for this; it goes with the next commit.
    Settle(Settled),
    /// Moves due delayed messages on; answers whether there may be more.
    Promote(Reply<bool>),
    /// Deletes expired rows and counters; answers how many.
    Purge(Reply<usize>),
    /// Sends dead letters again; answers how many.
    Redrive {
        queue: String,
        reply: Reply<usize>,
    },
    /// Names a synced file as an object, and sends what tells of it.
    PutBlob {
        key: String,
        row: BlobRow,
        /// Keeps the file if the commit is durable, and unlinks it otherwise.
        draft: Committing,
        sends: Vec<Message>,
        reply: Reply<()>,
    },
    /// Deletes objects; answers key by key once their files are unlinked.
    DeleteBlobs {
        keys: Vec<String>,
        reply: Reply<Vec<Result<(), StoreError>>>,
    },
    /// A checkpoint between two commits, for a log that never stands still otherwise.
    Checkpoint,
    /// Answers when everything before it is durable.
    Flush(Reply<()>),
    Stop,
}

/// The way to the writer.
#[derive(Clone)]
pub(crate) struct Submit {
    jobs: Sender<Job>,
    broom: Sender<Order>,
    waiting: Arc<AtomicUsize>,
}

impl Submit {
    pub(crate) fn new(jobs: Sender<Job>, broom: Sender<Order>) -> Self {
        Self {
            jobs,
            broom,
            waiting: Arc::default(),
        }
    }

    /// Hands over a job; `false`: the store is closed.
    pub(crate) fn send(&self, job: Job) -> bool {
        self.jobs.send(job).is_ok()
    }

    /// Hands over a job that answers.
    pub(crate) async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        if !self.send(job(reply)) {
            return Err(closed());
        }
        answer.await.map_err(|_| closed())?
    }

    /// Has the folder of objects looked through.
    pub(crate) async fn sweep_blobs(&self) -> Result<usize, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.broom.send(Order::Sweep(reply)).map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Hands over units that were checked, and waits until they are durable.
    pub(crate) async fn write(&self, units: Vec<Unit>) -> Vec<Result<(), StoreError>> {
        let count = units.len();
        let all = |error: StoreError| (0..count).map(|_| Err(error.clone())).collect();
        let bytes = units.iter().map(weight).sum();
        if self.waiting.fetch_add(bytes, Ordering::Relaxed) > MAX_WAITING_BYTES {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            return all(StoreError::Busy);
        }
        let (reply, answer) = oneshot::channel();
        if !self.send(Job::Write {
            units,
            bytes,
            reply,
        }) {
            return all(closed());
        }
        answer.await.unwrap_or_else(|_| all(closed()))
    }
}

fn weight(unit: &Unit) -> usize {
    let ops: usize = unit
        .ops
        .iter()
        .map(|op| {
            if let Op::Put(put) = op {
                put.doc.len() + 128
            } else {
                64
            }
        })
        .sum();
    ops + unit
        .sends
        .iter()
        .map(|message| message.body.len() + 128)
        .sum::<usize>()
}

/// What the writer shares with readers of the queue.
pub(crate) struct Queues {
    memory: Mutex<Memory>,
    /// Rung when the next due time comes closer.
    pub(crate) due: Notify,
}

impl Queues {
    pub(crate) fn new(memory: Memory) -> Self {
        Self {
            memory: Mutex::new(memory),
            due: Notify::new(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a message went in the running transaction.
#[derive(Clone, Copy)]
enum Slot {
    Ready(i64),
    Backlog(i64),
    Delayed(i64),
}

/// A message of a [`Job::Write`] in the running transaction: its job, unit and number there.
#[derive(Clone, Copy)]
struct Placed {
    job: usize,
    unit: usize,
    send: usize,
    slot: Slot,
}

/// A message that the transaction itself took from disk.
struct Moved {
    queue: String,
    group: String,
    body: String,
    slot: Slot,
}

pub(crate) struct Writer {
    connection: Connection,
    clock: Arc<dyn Clock>,
    queues: Arc<Queues>,
    waiting: Arc<AtomicUsize>,
    broom: Sender<Order>,
    next_id: i64,
    /// Settled in a transaction that failed: goes with the next one.
    unsettled: Settled,
    found: Vec<Option<Found>>,
    placed: Vec<Placed>,
    moved: Vec<Moved>,
}

impl Writer {
    pub(crate) fn new(
        connection: Connection,
        clock: Arc<dyn Clock>,
        queues: Arc<Queues>,
        submit: &Submit,
        next_id: i64,
    ) -> Self {
        Self {
            connection,
            clock,
            queues,
            waiting: Arc::clone(&submit.waiting),
            broom: submit.broom.clone(),
            next_id,
            unsettled: Settled::default(),
            found: Vec::new(),
            placed: Vec::new(),
            moved: Vec::new(),
        }
    }

    /// Works until it is told to stop, or nobody can reach it any more.
    pub(crate) fn serve(mut self, jobs: &Receiver<Job>) {
        let mut group = Vec::new();
        loop {
            let stop = collect(jobs, &mut group);
            self.waiting
                .fetch_sub(group.iter().map(bytes).sum(), Ordering::Relaxed);
            if !group.is_empty() {
                self.run(&mut group);
            }
            if stop {
                return;
            }
        }
    }

    /// One transaction over `group`, then the answers.
    fn run(&mut self, group: &mut Vec<Job>) {
        let now = self.clock.now();
        let mut answers = Vec::with_capacity(group.len());
        let result = self.transact(group, now.as_millisecond(), &mut answers);
        let checkpoint = group.iter().any(|job| matches!(job, Job::Checkpoint));
        match result {
            Ok(()) => {
                self.publish(group);
                for (job, answer) in group.drain(..).zip(answers) {
                    answer.give(job, &self.broom);
                }
            }
            Err(error) => {
                tracing::error!(%error, "a commit failed; its callers were told so");
                self.undo(group);
                let error = unavailable(&error);
                for job in group.drain(..) {
                    self.refuse(job, &error);
                }
            }
        }
        if checkpoint {
            crate::checkpoint::run(&self.connection);
        }
    }

    fn transact(
        &mut self,
        group: &mut [Job],
        now: i64,
        answers: &mut Vec<Answer>,
    ) -> rusqlite::Result<()> {
        self.placed.clear();
        self.moved.clear();
        self.connection
            .prepare_cached("BEGIN IMMEDIATE")?
            .execute([])?;
        for (n, job) in group.iter_mut().enumerate() {
            let answer = self.apply(n, job, now)?;
            answers.push(answer);
        }
        self.settle(now)?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        self.unsettled.done.clear();
        self.unsettled.dead.clear();
        Ok(())
    }

    fn apply(&mut self, n: usize, job: &mut Job, now: i64) -> rusqlite::Result<Answer> {
        Ok(match job {
            Job::Write { units, .. } => {
                let mut results = Vec::with_capacity(units.len());
                for (m, unit) in units.iter().enumerate() {
                    let result = self.unit(unit, now)?;
                    if result.is_ok() {
                        self.sends(n, m, &unit.sends, now)?;
                    }
                    results.push(result);
                }
                Answer::Units(results)
            }
            Job::Count {
                key,
                delta,
                max,
                expires,
                ..
            } => Answer::Value(self.count(key, *delta, *max, *expires, now)?),
            Job::Settle(settled) => {
                self.unsettled.done.append(&mut settled.done);
                self.unsettled.dead.append(&mut settled.dead);
                Answer::Nothing
            }
            Job::Promote(_) => Answer::More(self.promote(now)?),
            Job::Purge(_) => Answer::Number(self.purge(now)?),
            Job::Redrive { queue, .. } => {
                let queue = std::mem::take(queue);
                Answer::Number(self.redrive(&queue)?)
            }
            Job::PutBlob {
                key, row, sends, ..
            } => {
                let before = blobs::rows::put(&self.connection, key, row)?;
                self.sends(n, 0, sends, now)?;
                Answer::Replaced(before)
            }
            Job::DeleteBlobs { keys, .. } => {
                let files = keys
                    .iter()
                    .map(|key| blobs::rows::delete(&self.connection, key));
                Answer::Deleted(files.collect::<rusqlite::Result<_>>()?)
            }
            Job::Checkpoint | Job::Stop | Job::Flush(_) => Answer::Nothing,
        })
    }

    /// Judges all conditions, then writes: as the only writer, nothing can come between.
    fn unit(&mut self, unit: &Unit, now: i64) -> rusqlite::Result<Result<(), StoreError>> {
        // The most frequent write of all needs no look before.
        if let [Op::Put(put)] = unit.ops.as_slice()
            && put.when == When::Absent
            && rows::insert(&self.connection, put, true)?
        {
            return Ok(Ok(()));
        }
        self.found.clear();
        for (n, op) in unit.ops.iter().enumerate() {
            let found = rows::look(&self.connection, op)?;
            let version = found
                .filter(|found| found.expires.is_none_or(|at| at > now))
                .map(|f| f.version);
            let when = match op {
                Op::Put(put) => put.when,
                Op::Delete(_, when) | Op::Check(_, when) => *when,
            };
            let holds = match when {
                When::Always => true,
                When::Absent => version.is_none(),
                When::Present => version.is_some(),
                When::Version(wanted) => version == Some(wanted.cast_signed()),
            };
            if !holds {
                return Ok(Err(StoreError::Condition { op: n }));
            }
            self.found.push(found);
        }
        for (op, found) in unit.ops.iter().zip(&self.found) {
            match (op, found) {
                (Op::Put(put), None) => {
                    rows::insert(&self.connection, put, false)?;
                }
                (Op::Put(put), Some(found)) => rows::update(&self.connection, put, found, now)?,
                (Op::Delete(..), Some(found)) => {
                    self.connection
                        .prepare_cached("DELETE FROM rows WHERE id = ?1")?
                        .execute([found.id])?;
                }
                (Op::Delete(..), None) | (Op::Check(..), _) => {}
            }
        }
        Ok(Ok(()))
    }

    fn count(
        &self,
        key: &Key,
        delta: i64,
        max: Option<i64>,
        expires: Option<i64>,
        now: i64,
    ) -> rusqlite::Result<Result<i64, StoreError>> {
        let stored: Option<(i64, Option<i64>)> = self
            .connection
            .prepare_cached("SELECT value, expires FROM counters WHERE pk = ?1 AND sk = ?2")?
            .query_row([&key.pk, &key.sk], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (value, expires) = match stored {
            Some((value, at)) if at.is_none_or(|at| at > now) => (value, at),
            _ => (0, expires),
        };
        let Some(sum) = value.checked_add(delta) else {
            return Ok(Err(StoreError::Invalid("a counter holds 64 bits")));
        };
        if max.is_some_and(|max| sum > max) {
            return Ok(Err(StoreError::Condition { op: 0 }));
        }
        self.connection
            .prepare_cached(
                "INSERT INTO counters (pk, sk, value, expires) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (pk, sk) DO UPDATE SET value = excluded.value, expires = excluded.expires",
            )?
            .execute(params![key.pk, key.sk, sum, expires])?;
        Ok(Ok(sum))
    }

    fn sends(
        &mut self,
        job: usize,
        unit: usize,
        messages: &[Message],
        now: i64,
    ) -> rusqlite::Result<()> {
        for (send, message) in messages.iter().enumerate() {
            let delay = i64::try_from(message.delay.as_millis()).unwrap_or(i64::MAX);
            let due = (delay > 0).then(|| now.saturating_add(delay));
            let slot = self.place(message.queue.0, &message.group, &message.body, due)?;
            self.placed.push(Placed {
                job,
                unit,
                send,
                slot,
            });
        }
        Ok(())
    }

    /// Writes a message where it belongs.
    fn place(
        &mut self,
        queue: &str,
        group: &str,
        body: &str,
        due: Option<i64>,
    ) -> rusqlite::Result<Slot> {
        let id = self.next_id;
        self.next_id += 1;
        if let Some(due) = due {
            self.connection
                .prepare_cached(
                    "INSERT INTO queue_delayed (id, due, queue, grp, body) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![id, due, queue, group, body])?;
            return Ok(Slot::Delayed(due));
        }
        let cost = Held::cost(body);
        let admitted = self.queues.lock().admit(queue, group, cost);
        let sql = if admitted {
            "INSERT INTO queue_ready (id, queue, grp, receives, body) VALUES (?1, ?2, ?3, 0, ?4)"
        } else {
            "INSERT INTO queue_backlog (id, queue, grp, receives, body) VALUES (?1, ?2, ?3, 0, ?4)"
        };
        let written = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params![id, queue, group, body]));
        if let Err(error) = written {
            // Not in `placed` yet, so `undo` does not give the room back.
            if admitted {
                self.queues.lock().withdraw(queue, group, cost);
            }
            return Err(error);
        }
        Ok(if admitted {
            Slot::Ready(id)
        } else {
            Slot::Backlog(id)
        })
    }

    fn promote(&mut self, now: i64) -> rusqlite::Result<bool> {
        let due: Vec<(i64, String, String, String)> = self
            .connection
            .prepare_cached(
                "SELECT id, queue, grp, body FROM queue_delayed WHERE due <= ?1 ORDER BY due, id LIMIT ?2",
            )?
            .query_map(params![now, CHUNK], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        let more = due.len() == usize::from(CHUNK);
        for (id, queue, group, body) in due {
            self.connection
                .prepare_cached("DELETE FROM queue_delayed WHERE id = ?1")?
                .execute([id])?;
            let slot = self.place(&queue, &group, &body, None)?;
            self.moved.push(Moved {
                queue,
                group,
                body,
                slot,
            });
        }
        Ok(more)
    }

    fn redrive(&mut self, queue: &str) -> rusqlite::Result<usize> {
        let dead: Vec<(i64, String, String)> = self
            .connection
            .prepare_cached(
                "SELECT id, grp, body FROM dead_letters WHERE queue = ?1 ORDER BY id LIMIT ?2",
            )?
            .query_map(params![queue, CHUNK], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        let count = dead.len();
        for (id, group, body) in dead {
            self.connection
                .prepare_cached("DELETE FROM dead_letters WHERE id = ?1")?
                .execute([id])?;
            let slot = self.place(queue, &group, &body, None)?;
            self.moved.push(Moved {
                queue: queue.to_owned(),
                group,
                body,
                slot,
            });
        }
        Ok(count)
    }

    fn purge(&self, now: i64) -> rusqlite::Result<usize> {
        let rows = self
            .connection
            .prepare_cached(
                "DELETE FROM rows WHERE id IN \
                 (SELECT id FROM rows WHERE expires <= ?1 ORDER BY expires LIMIT ?2)",
            )?
            .execute(params![now, CHUNK])?;
        let counters = self
            .connection
            .prepare_cached(
                "DELETE FROM counters WHERE (pk, sk) IN \
                 (SELECT pk, sk FROM counters WHERE expires <= ?1 ORDER BY expires LIMIT ?2)",
            )?
            .execute(params![now, CHUNK])?;
        Ok(rows + counters)
    }

    /// Deletes what is done with, neighbours at once, and moves what died.
    fn settle(&mut self, now: i64) -> rusqlite::Result<()> {
        for &(place, id, receives) in &self.unsettled.dead {
            let (bury, delete) = match place {
                Place::Ready => (
                    "INSERT OR REPLACE INTO dead_letters (id, queue, grp, receives, died_at, body) \
                     SELECT id, queue, grp, ?2, ?3, body FROM queue_ready WHERE id = ?1",
                    "DELETE FROM queue_ready WHERE id = ?1",
                ),
                Place::Backlog => (
                    "INSERT OR REPLACE INTO dead_letters (id, queue, grp, receives, died_at, body) \
                     SELECT id, queue, grp, ?2, ?3, body FROM queue_backlog WHERE id = ?1",
                    "DELETE FROM queue_backlog WHERE id = ?1",
                ),
            };
            self.connection
                .prepare_cached(bury)?
                .execute(params![id, receives, now])?;
            self.connection.prepare_cached(delete)?.execute([id])?;
        }
        self.unsettled.done.sort_unstable();
        let follows = |a: &(Place, i64), b: &(Place, i64)| a.0 == b.0 && b.1 - a.1 <= 1;
        for run in self.unsettled.done.chunk_by(follows) {
            if let (Some(&(place, first)), Some(&(_, last))) = (run.first(), run.last()) {
                let sql = match place {
                    Place::Ready => "DELETE FROM queue_ready WHERE id BETWEEN ?1 AND ?2",
                    Place::Backlog => "DELETE FROM queue_backlog WHERE id BETWEEN ?1 AND ?2",
                };
                self.connection
                    .prepare_cached(sql)?
                    .execute([first, last])?;
            }
        }
        Ok(())
    }

    /// The commit is durable: its messages become visible.
    fn publish(&mut self, group: &mut [Job]) {
        let promoted = group.iter().any(|job| matches!(job, Job::Promote(_)));
        if self.placed.is_empty() && self.moved.is_empty() && !promoted {
            return;
        }
        let mut memory = self.queues.lock();
        let before = memory.next_due;
        let mut woken: Vec<Cow<'static, str>> = Vec::new();
        for placed in self.placed.drain(..) {
            if let Some(message) = message(group, placed) {
                let Message {
                    queue, body, group, ..
                } = message;
                show(
                    &mut memory,
                    queue.0,
                    group,
                    std::mem::take(body),
                    placed.slot,
                );
                if !woken.iter().any(|name| name == queue.0) {
                    woken.push(Cow::Borrowed(queue.0));
                }
            }
        }
        for Moved {
            queue,
            group,
            body,
            slot,
        } in self.moved.drain(..)
        {
            show(&mut memory, &queue, &group, body, slot);
            if !woken.iter().any(|name| *name == queue) {
                woken.push(Cow::Owned(queue));
            }
        }
        for queue in &woken {
            memory.wake(queue);
        }
        // On an error the old time stays, which at worst is one look too many.
        if promoted && let Ok(next) = next_due(&self.connection) {
            memory.next_due = next;
        }
        if memory.next_due != before {
            self.queues.due.notify_one();
        }
    }

    /// The commit failed: gives back the room that its messages were promised.
    fn undo(&mut self, group: &mut [Job]) {
        if !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        let mut memory = self.queues.lock();
        for placed in self.placed.drain(..) {
            if let Slot::Ready(_) = placed.slot
                && let Some(message) = message(group, placed)
            {
                memory.withdraw(message.queue.0, &message.group, Held::cost(&message.body));
            }
        }
        for moved in self.moved.drain(..) {
            if let Slot::Ready(_) = moved.slot {
                memory.withdraw(&moved.queue, &moved.group, Held::cost(&moved.body));
            }
        }
    }

    fn refuse(&mut self, job: Job, error: &StoreError) {
        match job {
            Job::Write { units, reply, .. } => {
                let _ = reply.send(units.iter().map(|_| Err(error.clone())).collect());
            }
            Job::Count { reply, .. } => drop(reply.send(Err(error.clone()))),
            Job::Promote(reply) => drop(reply.send(Err(error.clone()))),
            Job::Purge(reply) | Job::Redrive { reply, .. } => drop(reply.send(Err(error.clone()))),
            Job::Flush(reply) | Job::PutBlob { reply, .. } => {
                drop(reply.send(Err(error.clone())));
            }
            Job::DeleteBlobs { reply, .. } => drop(reply.send(Err(error.clone()))),
            // Not applied yet, if the transaction broke off before it.
            Job::Settle(mut settled) => {
                self.unsettled.done.append(&mut settled.done);
                self.unsettled.dead.append(&mut settled.dead);
            }
            Job::Checkpoint | Job::Stop => {}
        }
    }
}

/// What a job's caller is told once the commit is durable.
enum Answer {
    Units(Vec<Result<(), StoreError>>),
    Value(Result<i64, StoreError>),
    Number(usize),
    More(bool),
    /// The file that an object had before.
    Replaced(Option<String>),
    /// The files that deleted objects had.
    Deleted(Vec<Option<String>>),
    Nothing,
}

impl Answer {
    /// A caller that has gone needs none.
    fn give(self, job: Job, broom: &Sender<Order>) {
        match (job, self) {
            (Job::Write { reply, .. }, Self::Units(results)) => drop(reply.send(results)),
            (Job::Count { reply, .. }, Self::Value(value)) => drop(reply.send(value)),
            (Job::Purge(reply) | Job::Redrive { reply, .. }, Self::Number(n)) => {
                drop(reply.send(Ok(n)));
            }
            (Job::Promote(reply), Self::More(more)) => drop(reply.send(Ok(more))),
            (Job::Flush(reply), _) => drop(reply.send(Ok(()))),
            (Job::PutBlob { draft, reply, .. }, Self::Replaced(before)) => {
                draft.keep();
                if let Some(before) = before {
                    let _ = broom.send(Order::Replaced(before));
                }
                let _ = reply.send(Ok(()));
            }
            (Job::DeleteBlobs { reply, .. }, Self::Deleted(files)) => {
                let _ = broom.send(Order::Deleted { files, reply });
            }
            _ => {}
        }
    }
}

/// Takes what waits, up to a bound; `true`: stop afterwards.
fn collect(jobs: &Receiver<Job>, group: &mut Vec<Job>) -> bool {
    let Ok(first) = jobs.recv() else { return true };
    let mut size = bytes(&first);
    let mut urgent = !matches!(first, Job::Settle(_));
    let mut stop = matches!(first, Job::Stop);
    group.push(first);
    let linger = Instant::now() + LINGER;
    while !stop && group.len() < MAX_JOBS && size < MAX_GROUP_BYTES {
        let next = if urgent {
            jobs.try_recv().ok()
        } else {
            match jobs.recv_timeout(linger.saturating_duration_since(Instant::now())) {
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return true,
                Ok(job) => Some(job),
            }
        };
        let Some(job) = next else { break };
        size += bytes(&job);
        urgent |= !matches!(job, Job::Settle(_));
        stop = matches!(job, Job::Stop);
        group.push(job);
    }
    stop
}

fn bytes(job: &Job) -> usize {
    if let Job::Write { bytes, .. } = job {
        *bytes
    } else {
        0
    }
}

fn message(group: &mut [Job], at: Placed) -> Option<&mut Message> {
    match group.get_mut(at.job) {
        Some(Job::Write { units, .. }) => units.get_mut(at.unit)?.sends.get_mut(at.send),
        Some(Job::PutBlob { sends, .. }) => sends.get_mut(at.send),
        _ => None,
    }
}

fn show(memory: &mut Memory, queue: &str, group: &str, body: String, slot: Slot) {
    match slot {
        Slot::Ready(id) => {
            memory.publish(
                queue,
                group,
                Held {
                    id,
                    place: Place::Ready,
                    receives: 0,
                    body,
                },
            );
        }
        Slot::Backlog(id) => memory.extend_backlog(queue, group, id, id),
        Slot::Delayed(due) => {
            memory.next_due = Some(memory.next_due.map_or(due, |at| at.min(due)));
        }
    }
}

/// When the next delayed message is due, in milliseconds.
pub(crate) fn next_due(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT min(due) FROM queue_delayed")?
        .query_row([], |row| row.get(0))
}
