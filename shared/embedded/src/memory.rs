//! What of the queues is in memory: which messages wait, whose turn it is, and what is out with a
//! consumer. Nothing here touches the disk; claims live only here, so a crash returns every message
//! that was not finished.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use ringfence_ports::{Consumer, Received};
use tokio::sync::Notify;

/// Beside its body, what a waiting message costs in memory, roughly.
const OVERHEAD: usize = 128;

/// Messages of one read from the backlog.
const FETCH: usize = 256;

/// Messages read again at once for their next try.
const RELOAD: usize = 32;

/// A group with this many messages between two tries gets no others meanwhile: it fails as a whole.
const MAX_RETRYING: usize = 1000;

/// The table that holds a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Place {
    /// `queue_ready`: was in memory from the start.
    Ready,
    /// `queue_backlog`: had to wait on disk.
    Backlog,
}

/// A message that waits in memory.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) id: i64,
    pub(crate) place: Place,
    /// Times it was handed out before.
    pub(crate) receives: u32,
    pub(crate) body: String,
}

impl Held {
    pub(crate) fn cost(body: &str) -> usize {
        body.len() + OVERHEAD
    }
}

/// A message that is out with a consumer, or waits for its next try; its body is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Claimed {
    pub(crate) id: i64,
    pub(crate) place: Place,
    /// Times it was handed out, this one included.
    pub(crate) receives: u32,
}

/// Messages of one group, on their way to a consumer.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) group: Arc<str>,
    pub(crate) received: Vec<Received>,
    pub(crate) claimed: Vec<Claimed>,
}

/// A part of a group's backlog to be read.
#[derive(Debug)]
pub(crate) struct Fetch {
    pub(crate) group: Arc<str>,
    /// First id, inclusive.
    pub(crate) from: i64,
    /// Last id, inclusive: what was known to be committed.
    pub(crate) to: i64,
    pub(crate) limit: usize,
}

/// What a consumer's loop is to do next.
#[derive(Debug)]
pub(crate) enum Step {
    Handle(Batch),
    /// Read more of a group.
    Fetch(Fetch),
    /// Read these again, for their next try.
    Reload(Vec<(Arc<str>, Claimed)>),
    /// Nothing before a wake-up, or this time in milliseconds.
    Wait(Option<i64>),
}

/// How much a consumer takes at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) batch: usize,
    pub(crate) per_group: usize,
    pub(crate) total: usize,
}

#[derive(Debug)]
struct Group {
    ready: VecDeque<Held>,
    /// Of `ready`, and of what the writer was promised room for.
    bytes: usize,
    in_flight: usize,
    /// Between two tries, or being read again.
    retrying: usize,
    /// Ids on disk that are not in memory: first and last.
    backlog: Option<(i64, i64)>,
    fetching: bool,
    /// In `Lane::turn`.
    listed: bool,
    /// The most that are out at once, as the consumer said when it was last asked.
    places: usize,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            ready: VecDeque::new(),
            bytes: 0,
            in_flight: 0,
            retrying: 0,
            backlog: None,
            fetching: false,
            listed: false,
            places: usize::MAX,
        }
    }
}

impl Group {
    fn is_idle(&self) -> bool {
        self.ready.is_empty()
            && self.bytes == 0
            && self.in_flight == 0
            && self.retrying == 0
            && self.backlog.is_none()
            && !self.fetching
    }

    fn has_work(&self) -> bool {
        let waits = !self.ready.is_empty() || (self.backlog.is_some() && !self.fetching);
        waits && self.in_flight < self.places && self.retrying < MAX_RETRYING
    }
}

#[derive(Debug)]
struct Lane {
    groups: HashMap<Arc<str>, Group>,
    /// Groups with something to hand out, whose turn comes in this order.
    turn: VecDeque<Arc<str>>,
    retries: BinaryHeap<Reverse<(i64, Claimed, Arc<str>)>>,
    in_flight: usize,
    limits: Limits,
    consumer: Attached,
    wake: Arc<Notify>,
}

/// The consumer of a queue, once there is one.
#[derive(Default)]
struct Attached(Option<Arc<dyn Consumer>>);

impl std::fmt::Debug for Attached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Attached")
    }
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            groups: HashMap::new(),
            turn: VecDeque::new(),
            retries: BinaryHeap::new(),
            in_flight: 0,
            // Until a consumer says otherwise; nobody claims before.
            limits: Limits {
                batch: 1,
                per_group: usize::MAX,
                total: usize::MAX,
            },
            consumer: Attached::default(),
            wake: Arc::default(),
        }
    }
}

impl Lane {
    /// Puts a group in line if it has something to do.
    fn list(&mut self, name: &Arc<str>) {
        if let Some(group) = self.groups.get_mut(name) {
            if !group.listed && group.has_work() {
                group.listed = true;
                self.turn.push_back(Arc::clone(name));
            } else if group.is_idle() && !group.listed {
                self.groups.remove(name);
            }
        }
    }

    fn group(&mut self, name: &str) -> (Arc<str>, &mut Group) {
        let name = self
            .groups
            .get_key_value(name)
            .map_or_else(|| Arc::from(name), |(k, _)| Arc::clone(k));
        let group = self.groups.entry(Arc::clone(&name)).or_default();
        (name, group)
    }
}

/// All queues.
#[derive(Debug)]
pub(crate) struct Memory {
    lanes: HashMap<String, Lane>,
    bytes: usize,
    budget: usize,
    /// When the next delayed message is due.
    pub(crate) next_due: Option<i64>,
}

impl Memory {
    pub(crate) fn new(budget: usize) -> Self {
        Self {
            lanes: HashMap::new(),
            bytes: 0,
            budget,
            next_due: None,
        }
    }

    fn lane(&mut self, queue: &str) -> &mut Lane {
        if !self.lanes.contains_key(queue) {
            self.lanes.insert(queue.to_owned(), Lane::default());
        }
        self.lanes.entry(queue.to_owned()).or_default()
    }

    /// Takes a consumer and its limits, and gives its bell.
    pub(crate) fn attach(
        &mut self,
        queue: &str,
        limits: Limits,
        consumer: Arc<dyn Consumer>,
    ) -> Arc<Notify> {
        let lane = self.lane(queue);
        lane.limits = limits;
        lane.consumer = Attached(Some(consumer));
        Arc::clone(&lane.wake)
    }

    /// Whether a new message may stay in memory. If so its room is taken, to be used by
    /// [`Self::publish`] or given back by [`Self::withdraw`].
    ///
    /// A group may hold as much as is left for all others, so that one alone uses half of the budget
    /// and a late comer still finds room.
    pub(crate) fn admit(&mut self, queue: &str, group: &str, cost: usize) -> bool {
        let free = self.budget.saturating_sub(self.bytes);
        let (_, group) = self.lane(queue).group(group);
        let fits = group.backlog.is_none() && group.bytes + cost <= free;
        if fits {
            group.bytes += cost;
            self.bytes += cost;
        }
        fits
    }

    /// The commit failed: gives back the room.
    pub(crate) fn withdraw(&mut self, queue: &str, group: &str, cost: usize) {
        self.bytes = self.bytes.saturating_sub(cost);
        let lane = self.lane(queue);
        let (name, group) = lane.group(group);
        group.bytes = group.bytes.saturating_sub(cost);
        lane.list(&name);
    }

    /// A committed message that was admitted.
    pub(crate) fn publish(&mut self, queue: &str, group: &str, held: Held) {
        let lane = self.lane(queue);
        let (name, group) = lane.group(group);
        group.ready.push_back(held);
        lane.list(&name);
    }

    /// A message that an earlier process left, whether it fits or not.
    pub(crate) fn restore(&mut self, queue: &str, group: &str, held: Held) {
        let cost = Held::cost(&held.body);
        self.bytes += cost;
        self.lane(queue).group(group).1.bytes += cost;
        self.publish(queue, group, held);
    }

    /// Committed messages of a group that are on disk only.
    pub(crate) fn extend_backlog(&mut self, queue: &str, group: &str, first: i64, last: i64) {
        let lane = self.lane(queue);
        let (name, group) = lane.group(group);
        group.backlog = Some(
            group
                .backlog
                .map_or((first, last), |(from, to)| (from.min(first), to.max(last))),
        );
        lane.list(&name);
    }

    /// Rings the bell of each of these queues.
    pub(crate) fn wake(&mut self, queue: &str) {
        self.lane(queue).wake.notify_one();
    }

    /// What comes next for the consumer of `queue`.
    pub(crate) fn next(&mut self, queue: &str, now: i64) -> Step {
        let roomy = self.bytes < self.budget;
        let mut freed = 0;
        let lane = self.lane(queue);
        let step = lane.next(now, roomy, &mut freed);
        self.bytes = self.bytes.saturating_sub(freed);
        step
    }

    /// A batch is over: `failed` come again at their time, the rest is done.
    pub(crate) fn settle(
        &mut self,
        queue: &str,
        group: &Arc<str>,
        size: usize,
        failed: &[(i64, Claimed)],
    ) {
        let lane = self.lane(queue);
        lane.in_flight = lane.in_flight.saturating_sub(size);
        if let Some(held) = lane.groups.get_mut(group) {
            held.in_flight = held.in_flight.saturating_sub(size);
            held.retrying += failed.len();
        }
        for &(due, claimed) in failed {
            lane.retries
                .push(Reverse((due, claimed, Arc::clone(group))));
        }
        lane.list(group);
        if !failed.is_empty() {
            lane.wake.notify_one();
        }
    }

    /// The answer to a [`Step::Fetch`]; `all`: there is no more in that range.
    pub(crate) fn fetched(&mut self, queue: &str, fetch: &Fetch, rows: Vec<Held>, all: bool) {
        let cost: usize = rows.iter().map(|held| Held::cost(&held.body)).sum();
        self.bytes += cost;
        let lane = self.lane(queue);
        let (name, group) = lane.group(&fetch.group);
        group.fetching = false;
        group.bytes += cost;
        if let Some((_, last)) = group.backlog {
            let read_to = match rows.last() {
                Some(held) if !all => held.id,
                _ => fetch.to,
            };
            group.backlog = (read_to < last).then_some((read_to + 1, last));
        }
        group.ready.extend(rows);
        lane.list(&name);
        lane.wake.notify_one();
    }

    /// A [`Step::Fetch`] or [`Step::Reload`] could not be done now.
    pub(crate) fn fetch_failed(&mut self, queue: &str, group: &Arc<str>) {
        let lane = self.lane(queue);
        if let Some(held) = lane.groups.get_mut(group) {
            held.fetching = false;
        }
        lane.list(group);
        lane.wake.notify_one();
    }

    /// The answer to a [`Step::Reload`], message by message; `None`: it is gone.
    pub(crate) fn reloaded(&mut self, queue: &str, group: &Arc<str>, held: Option<Held>) {
        let cost = held.as_ref().map_or(0, |held| Held::cost(&held.body));
        self.bytes += cost;
        let lane = self.lane(queue);
        if let Some(group) = lane.groups.get_mut(group) {
            group.retrying = group.retrying.saturating_sub(1);
            group.bytes += cost;
            group.ready.extend(held);
        }
        lane.list(group);
        lane.wake.notify_one();
    }

    /// A [`Step::Reload`] could not be done: try again at `due`.
    pub(crate) fn postpone(&mut self, queue: &str, due: i64, retries: Vec<(Arc<str>, Claimed)>) {
        let lane = self.lane(queue);
        for (group, claimed) in retries {
            lane.retries.push(Reverse((due, claimed, group)));
        }
        lane.wake.notify_one();
    }

    /// Whether more could be handed out at once.
    pub(crate) fn has_more(&self, queue: &str) -> bool {
        self.lanes
            .get(queue)
            .is_some_and(|lane| !lane.turn.is_empty() && lane.in_flight < lane.limits.total)
    }
}

impl Lane {
    fn next(&mut self, now: i64, roomy: bool, freed: &mut usize) -> Step {
        let mut due = Vec::new();
        while due.len() < RELOAD
            && self
                .retries
                .peek()
                .is_some_and(|Reverse((at, ..))| *at <= now)
        {
            if let Some(Reverse((_, claimed, group))) = self.retries.pop() {
                due.push((group, claimed));
            }
        }
        if !due.is_empty() {
            return Step::Reload(due);
        }
        while self.in_flight < self.limits.total {
            let Some(name) = self.turn.pop_front() else {
                break;
            };
            let Some(group) = self.groups.get_mut(&name) else {
                continue;
            };
            group.listed = false;
            let places = self.consumer.0.as_ref().and_then(|c| c.places(&name));
            group.places = places.map_or(self.limits.per_group, |places| {
                places.clamp(1, self.limits.per_group)
            });
            if !group.has_work() {
                self.list(&name);
                continue;
            }
            // Ahead of need while memory is roomy, else only when it is this group's turn.
            if let Some((from, to)) = group.backlog
                && !group.fetching
                && (group.ready.is_empty() || (roomy && group.ready.len() < FETCH / 4))
            {
                group.fetching = true;
                let limit = if roomy { FETCH } else { self.limits.batch };
                // What is ready already goes out next.
                if group.has_work() {
                    group.listed = true;
                    self.turn.push_front(Arc::clone(&name));
                }
                return Step::Fetch(Fetch {
                    group: name,
                    from,
                    to,
                    limit,
                });
            }
            let n = self
                .limits
                .batch
                .min(self.limits.total - self.in_flight)
                .min(group.places - group.in_flight)
                .min(group.ready.len());
            let mut batch = Batch {
                group: Arc::clone(&name),
                received: Vec::with_capacity(n),
                claimed: Vec::with_capacity(n),
            };
            for held in group.ready.drain(..n) {
                let cost = Held::cost(&held.body);
                *freed += cost;
                group.bytes = group.bytes.saturating_sub(cost);
                let receives = held.receives.saturating_add(1);
                batch.claimed.push(Claimed {
                    id: held.id,
                    place: held.place,
                    receives,
                });
                batch.received.push(Received {
                    id: held.id.to_string(),
                    body: held.body,
                    group: name.to_string(),
                    receives,
                });
            }
            group.in_flight += n;
            self.in_flight += n;
            self.list(&name);
            return Step::Handle(batch);
        }
        Step::Wait(self.retries.peek().map(|Reverse((at, ..))| *at))
    }
}
