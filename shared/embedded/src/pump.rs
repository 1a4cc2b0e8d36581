//! Hands messages to consumers, the moment they are committed.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ringfence_ports::{Clock, Consumer, QueueName};
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::Embedded;
use crate::memory::{Batch, Claimed, Fetch, Held, Limits, Place, Step};
use crate::store::Shared;
use crate::writer::{Job, Settled};

/// After an error of the store, the next look comes this much later.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest wait for a time that the clock decides: a clock that jumps is noticed by then.
const MAX_NAP: Duration = Duration::from_mins(1);

/// One read does not bring in more than this, whatever its number of messages.
const FETCH_BYTES: usize = 1024 * 1024;

/// How a consumer is fed.
#[derive(Clone, Debug)]
pub struct PumpOptions {
    /// The most messages of one batch. A batch is of one group, and never waits to be filled.
    pub batch: usize,
    /// The most messages of one group that are out at once.
    pub max_in_flight_per_group: usize,
    /// The most messages that are out at once.
    pub max_in_flight: usize,
    /// A message that failed this often is given up: it goes to the dead letters.
    pub max_receives: u32,
    /// The wait after a first failure; it doubles with each further one, up to 5 minutes.
    pub backoff: Duration,
    /// How long a shutdown waits for what is out.
    pub grace: Duration,
}

impl Default for PumpOptions {
    fn default() -> Self {
        Self {
            batch: 10,
            max_in_flight_per_group: 100,
            max_in_flight: 1000,
            max_receives: 5,
            backoff: Duration::from_secs(1),
            grace: Duration::from_secs(5),
        }
    }
}

const MAX_BACKOFF: Duration = Duration::from_mins(5);

/// The consumers of a store's queues.
///
/// Groups take turns, so that one with a million messages does not delay another. A consumer that
/// fails, panics or is cut off fails its batch only.
pub struct Pump {
    lanes: Vec<Arc<Lane>>,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
}

struct Lane {
    queue: QueueName,
    consumer: Arc<dyn Consumer>,
    options: PumpOptions,
    wake: Arc<Notify>,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
}

impl Pump {
    /// A pump without consumers. `clock` decides what is due.
    pub fn new(store: &Embedded, clock: Arc<dyn Clock>) -> Self {
        Self {
            lanes: Vec::new(),
            shared: Arc::clone(&store.shared),
            clock,
        }
    }

    /// Adds the consumer of a queue. A queue has one.
    #[must_use]
    pub fn consumer(
        mut self,
        queue: QueueName,
        consumer: Arc<dyn Consumer>,
        options: PumpOptions,
    ) -> Self {
        let limits = Limits {
            batch: options.batch.max(1),
            per_group: options.max_in_flight_per_group.max(1),
            total: options.max_in_flight.max(1),
        };
        let wake = self
            .shared
            .queues
            .lock()
            .attach(queue.0, limits, Arc::clone(&consumer));
        let (shared, clock) = (Arc::clone(&self.shared), Arc::clone(&self.clock));
        self.lanes.push(Arc::new(Lane {
            queue,
            consumer,
            options,
            wake,
            shared,
            clock,
        }));
        self
    }

    /// Feeds the consumers until `shutdown` is done; then hands out nothing more, and waits for what
    /// is out, up to [`PumpOptions::grace`]. What is cut off then comes again at the next start.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let (stop, stopped) = watch::channel(false);
        let mut loops = JoinSet::new();
        for lane in &self.lanes {
            loops.spawn(Arc::clone(lane).feed(stopped.clone()));
        }
        loops.spawn(promote_when_due(
            Arc::clone(&self.shared),
            Arc::clone(&self.clock),
            stopped,
        ));
        shutdown.await;
        let _ = stop.send(true);
        while loops.join_next().await.is_some() {}
        let _ = self.shared.submit.ask(Job::Flush).await;
    }

    /// For tests: hands out batch by batch, one after the other, until nothing is visible at the
    /// clock's time, what the consumers send meanwhile included; answers how many were handed out.
    /// Never sleeps: what failed comes again when the clock was moved.
    pub async fn drain(&self) -> usize {
        let mut handled = 0;
        loop {
            while let Ok(true) = self.shared.submit.ask(Job::Promote).await {}
            let before = handled;
            for lane in &self.lanes {
                handled += lane.drain().await;
            }
            if handled == before {
                let _ = self.shared.submit.ask(Job::Flush).await;
                return handled;
            }
        }
    }
}

impl Lane {
    fn now(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    fn next(&self) -> Step {
        let now = self.now();
        self.shared.queues.lock().next(self.queue.0, now)
    }

    async fn feed(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        let mut tasks = JoinSet::new();
        while !*stopped.borrow() {
            let due = loop {
                match self.next() {
                    Step::Handle(batch) => {
                        drop(tasks.spawn(Arc::clone(&self).work(batch, stopped.clone())));
                    }
                    Step::Fetch(fetch) => drop(tasks.spawn(Arc::clone(&self).fetch(fetch))),
                    Step::Reload(retries) => drop(tasks.spawn(Arc::clone(&self).reload(retries))),
                    Step::Wait(due) => break due,
                }
            };
            tokio::select! {
                _ = stopped.changed() => break,
                () = self.wake.notified() => {}
                () = nap(due, &*self.clock) => {}
            }
            while tasks.try_join_next().is_some() {}
        }
        let finish = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(self.options.grace, finish)
            .await
            .is_err()
        {
            tracing::warn!(
                queue = self.queue.0,
                "messages were cut off by the shutdown; they come again"
            );
        }
        // Dropping `tasks` cuts off the rest.
    }

    /// Works on a batch, and then on what is next, without a detour over [`Self::feed`].
    async fn work(self: Arc<Self>, mut batch: Batch, stopped: watch::Receiver<bool>) {
        loop {
            self.handle(batch).await;
            if *stopped.borrow() {
                return;
            }
            let now = self.now();
            let (step, more) = {
                let mut memory = self.shared.queues.lock();
                (
                    memory.next(self.queue.0, now),
                    memory.has_more(self.queue.0),
                )
            };
            // A finished batch may have made room for several.
            if more {
                self.wake.notify_one();
            }
            match step {
                Step::Handle(next) => batch = next,
                Step::Fetch(fetch) => return self.fetch(fetch).await,
                Step::Reload(retries) => return self.reload(retries).await,
                Step::Wait(_) => return,
            }
        }
    }

    async fn drain(self: &Arc<Self>) -> usize {
        let mut handled = 0;
        loop {
            match self.next() {
                Step::Handle(batch) => {
                    handled += batch.claimed.len();
                    let lane = Arc::clone(self);
                    // On a task of its own, so that a panic stays there; `Out` has seen to it.
                    let _ = tokio::spawn(async move { lane.handle(batch).await }).await;
                }
                Step::Fetch(fetch) => Arc::clone(self).fetch(fetch).await,
                Step::Reload(retries) => Arc::clone(self).reload(retries).await,
                Step::Wait(_) => return handled,
            }
        }
    }

    async fn handle(&self, batch: Batch) {
        let mut out = Out {
            lane: self,
            group: batch.group,
            claimed: batch.claimed,
        };
        let failed = self.consumer.handle(batch.received).await;
        let claimed = std::mem::take(&mut out.claimed);
        self.settle(&out.group, claimed, |claimed| {
            failed
                .iter()
                .any(|id| id.parse() == Ok(claimed.id))
                .then_some(Failed::ByConsumer)
        });
    }

    /// Sorts a batch into done, to be tried again, and given up.
    fn settle(
        &self,
        group: &Arc<str>,
        batch: Vec<Claimed>,
        failed: impl Fn(&Claimed) -> Option<Failed>,
    ) {
        let size = batch.len();
        let now = self.now();
        let mut settled = Settled::default();
        let mut again = Vec::new();
        for claimed in batch {
            match failed(&claimed) {
                None => settled.done.push((claimed.place, claimed.id)),
                Some(Failed::ByConsumer) if claimed.receives >= self.options.max_receives => {
                    tracing::warn!(
                        queue = self.queue.0,
                        id = claimed.id,
                        "a message goes to the dead letters"
                    );
                    settled
                        .dead
                        .push((claimed.place, claimed.id, claimed.receives));
                }
                Some(_) => {
                    again.push((now.saturating_add(self.backoff(claimed.receives)), claimed));
                }
            }
        }
        self.shared
            .queues
            .lock()
            .settle(self.queue.0, group, size, &again);
        if !(settled.done.is_empty() && settled.dead.is_empty()) {
            // A closed store finds them again at its next start.
            self.shared.submit.send(Job::Settle(settled));
        }
    }

    /// In milliseconds.
    fn backoff(&self, receives: u32) -> i64 {
        let doubled = 2u32.saturating_pow(receives.saturating_sub(1));
        let wait = self
            .options
            .backoff
            .saturating_mul(doubled)
            .min(MAX_BACKOFF);
        i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)
    }

    async fn fetch(self: Arc<Self>, fetch: Fetch) {
        let (queue, group, from, to) = (self.queue, Arc::clone(&fetch.group), fetch.from, fetch.to);
        let (limit, before_start) = (fetch.limit, self.shared.before_start);
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, receives, body FROM queue_backlog \
                 WHERE queue = ?1 AND grp = ?2 AND id BETWEEN ?3 AND ?4 ORDER BY id",
            )?;
            let mut found = statement.query(params![queue.0, &*group, from, to])?;
            let mut rows = Vec::new();
            let mut bytes = 0;
            while let Some(row) = found.next()? {
                if rows.len() >= limit || bytes >= FETCH_BYTES {
                    return Ok((rows, false));
                }
                let (id, receives, body): (i64, u32, String) =
                    (row.get(0)?, row.get(1)?, row.get(2)?);
                bytes += body.len();
                // Whether an earlier process got that far is not known.
                let receives = receives + u32::from(id <= before_start);
                rows.push(Held {
                    id,
                    place: Place::Backlog,
                    receives,
                    body,
                });
            }
            Ok((rows, true))
        };
        match self.shared.readers.run(read).await {
            Ok((rows, all)) => self
                .shared
                .queues
                .lock()
                .fetched(self.queue.0, &fetch, rows, all),
            Err(error) => {
                tracing::error!(%error, queue = self.queue.0, "the backlog cannot be read");
                tokio::time::sleep(PAUSE).await;
                self.shared
                    .queues
                    .lock()
                    .fetch_failed(self.queue.0, &fetch.group);
            }
        }
    }

    async fn reload(self: Arc<Self>, retries: Vec<(Arc<str>, Claimed)>) {
        let wanted: Vec<Claimed> = retries.iter().map(|(_, claimed)| *claimed).collect();
        let read = move |connection: &Connection| -> rusqlite::Result<Vec<Option<Held>>> {
            wanted
                .iter()
                .map(|claimed| reload(connection, *claimed))
                .collect()
        };
        match self.shared.readers.run(read).await {
            Ok(found) => {
                let mut memory = self.shared.queues.lock();
                for ((group, _), held) in retries.iter().zip(found) {
                    memory.reloaded(self.queue.0, group, held);
                }
            }
            Err(error) => {
                tracing::error!(%error, queue = self.queue.0, "messages cannot be read again");
                let due = self
                    .now()
                    .saturating_add(i64::try_from(PAUSE.as_millis()).unwrap_or(i64::MAX));
                self.shared
                    .queues
                    .lock()
                    .postpone(self.queue.0, due, retries);
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Failed {
    /// It said so, or panicked.
    ByConsumer,
    /// It was cut off, which says nothing about the message.
    ByUs,
}

/// A batch that is out. If its consumer does not come to an end, all of it failed.
struct Out<'a> {
    lane: &'a Lane,
    group: Arc<str>,
    claimed: Vec<Claimed>,
}

impl Drop for Out<'_> {
    fn drop(&mut self) {
        let claimed = std::mem::take(&mut self.claimed);
        if !claimed.is_empty() {
            let why = if std::thread::panicking() {
                Failed::ByConsumer
            } else {
                Failed::ByUs
            };
            self.lane.settle(&self.group, claimed, |_| Some(why));
        }
    }
}

fn reload(connection: &Connection, claimed: Claimed) -> rusqlite::Result<Option<Held>> {
    let sql = match claimed.place {
        Place::Ready => "SELECT body FROM queue_ready WHERE id = ?1",
        Place::Backlog => "SELECT body FROM queue_backlog WHERE id = ?1",
    };
    let Claimed {
        id,
        place,
        receives,
    } = claimed;
    let body = connection
        .prepare_cached(sql)?
        .query_row([id], |row| row.get(0))
        .optional()?;
    Ok(body.map(|body| Held {
        id,
        place,
        receives,
        body,
    }))
}

/// Sleeps until the clock may have come to `due`, in milliseconds; without one, for ever.
async fn nap(due: Option<i64>, clock: &dyn Clock) {
    let Some(due) = due else {
        return std::future::pending().await;
    };
    let left = due.saturating_sub(clock.now().as_millisecond());
    let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
    tokio::time::sleep(left.min(MAX_NAP)).await;
}

async fn promote_when_due(
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    mut stopped: watch::Receiver<bool>,
) {
    while !*stopped.borrow() {
        let due = shared.queues.lock().next_due;
        if due.is_some_and(|due| due <= clock.now().as_millisecond()) {
            if let Err(error) = shared.submit.ask(Job::Promote).await {
                tracing::error!(%error, "delayed messages cannot be moved on");
                tokio::time::sleep(PAUSE).await;
            }
            continue;
        }
        tokio::select! {
            _ = stopped.changed() => return,
            () = shared.queues.due.notified() => {}
            () = nap(due, &*clock) => {}
        }
    }
}
