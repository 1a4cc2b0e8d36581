//! The steps of a deletion behind its plan. Each can be done again, and then comes to the same.

use std::time::Duration;

use ringfence_ports::{
    BlobError, BlobId, MAX_DELETES, MAX_OPS, Op, Put, Received, StoreError, Unit, When,
};

use super::{
    Deletion, DeletionError, Phase, State, StepMessage,
    hold::ATTEMPTS,
    plan::{Chunk, Entry, Object, Outcome, objects},
    receipt::digest,
};
use crate::{
    App,
    access::{parse_doc, to_doc},
    keyspace,
    recording::{Recording, Status, blob_key},
};

/// How many recordings are tombstoned in one commit: beside them stands the check of the holds.
const TOMBSTONES: usize = MAX_OPS - 2;

/// Where objects of accounts stand, each with a folder for each account.
const ROOTS: [&str; 4] = ["exports", "imports", "recordings", "staging"];

/// How long a part waits before its objects are tried again. As often as there are waits.
const WAITS: [u64; 5] = [5, 30, 120, 600, 900];

/// How many different holds a receipt names.
const MAX_HOLDS_NAMED: usize = 1_000;

/// How many pages in a row may hold nothing but other things before a shorter way is tried.
const MISSES: usize = 1;

/// How often what is still listed is deleted and looked for again in one step.
const ROUNDS: usize = 4;

impl StepMessage {
    /// The order in a message of the jobs queue; `None`: it is of another kind of job.
    pub(crate) fn read(received: &Received) -> Option<Self> {
        parse_doc(&received.body).ok()
    }
}

impl App {
    /// Works on one step of a deletion, and sends the order for the next.
    pub(crate) async fn deletion_message(&self, message: &StepMessage) -> Result<(), StoreError> {
        let (job, version) = match self.stored_deletion(&message.account, &message.job).await {
            Ok(found) => found,
            Err(DeletionError::NotFound) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if job.step != message.step || job.state != State::Running {
            return Ok(());
        }
        self.deletion_step(job, version, true).await?;
        Ok(())
    }

    /// Does one step. Answers the job behind it and how long the next has to wait; `None`: somebody
    /// else did this step, or stopped the job.
    pub(super) async fn deletion_step(
        &self,
        mut job: Deletion,
        version: u64,
        send: bool,
    ) -> Result<Option<(Deletion, Duration)>, DeletionError> {
        let mut delay = Duration::ZERO;
        let mut ops = match job.phase {
            Phase::Plan => self.plan_step(&mut job).await?,
            Phase::Receipt => return self.receipt_step(job, version).await,
            Phase::Tombstone | Phase::Delete | Phase::Verify => {
                let part = job.left.saturating_sub(1);
                let (mut chunk, at) = self.chunk(&job.id, part).await?;
                let before = chunk.clone();
                let key = keyspace::manifest(&job.id, part);
                match job.phase {
                    Phase::Tombstone => self.tombstone(&mut job, &mut chunk).await?,
                    Phase::Delete => delay = self.delete_objects(&mut job, &mut chunk).await?,
                    _ => delay = self.verify(&mut job, &mut chunk).await?,
                }
                if chunk == before {
                    Vec::new()
                } else {
                    vec![Op::Put(Put::new(key, to_doc(&chunk)?, When::Version(at)))]
                }
            }
        };
        job.step += 1;
        ops.insert(
            0,
            Op::Put(job.put(self.clock.now(), When::Version(version))?),
        );
        let sends = if send && job.state == State::Running {
            vec![job.message(delay)?]
        } else {
            Vec::new()
        };
        match self.table.commit(Unit { ops, sends }).await {
            Ok(()) => Ok(Some((job, delay))),
            Err(StoreError::Condition { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes that the recordings of a part are deleted, unless a hold keeps them.
    async fn tombstone(&self, job: &mut Deletion, chunk: &mut Chunk) -> Result<(), DeletionError> {
        let mut open: Vec<usize> = (0..chunk.entries.len())
            .filter(|at| {
                // What failed is there again when somebody resumes a deletion that was done.
                chunk.entries.get(*at).is_some_and(|entry| {
                    matches!(entry.outcome, Outcome::Planned | Outcome::Failed)
                })
            })
            .collect();
        for attempt in 0..ATTEMPTS {
            if open.is_empty() {
                job.phase = Phase::Delete;
                job.attempt = 0;
                return Ok(());
            }
            // From the second time on each by itself: one that keeps changing holds up no other.
            let together = if attempt == 0 { TOMBSTONES } else { 1 };
            let mut again = Vec::new();
            for group in open.chunks(TOMBSTONES) {
                again.extend(self.tombstone_group(job, chunk, group, together).await?);
            }
            open = again;
        }
        Err(StoreError::Busy.into())
    }

    /// The same of some recordings. Answers those that changed meanwhile.
    async fn tombstone_group(
        &self,
        job: &Deletion,
        chunk: &mut Chunk,
        group: &[usize],
        together: usize,
    ) -> Result<Vec<usize>, DeletionError> {
        let mut keys = Vec::with_capacity(group.len());
        for at in group {
            let id = chunk.entries.get(*at).map(|entry| entry.recording.as_str());
            keys.extend(id.and_then(|id| keyspace::recording(&job.account, id)));
        }
        if keys.len() != group.len() {
            return Err(StoreError::Invalid("a manifest names what is no recording").into());
        }
        let mut present: Vec<(usize, u64, Recording)> = Vec::with_capacity(group.len());
        for (at, row) in group.iter().zip(self.table.get_many(&keys).await?) {
            let Some(entry) = chunk.entries.get_mut(*at) else {
                continue;
            };
            let Some(row) = row else {
                entry.outcome = Outcome::Absent;
                continue;
            };
            let recording: Recording = parse_doc(&row.doc)?;
            if recording.status != Status::Deleted {
                present.push((*at, row.version, recording));
            } else if recording.deletion.as_ref() == Some(&job.id) {
                // By a step that died before it was written down.
                entry.outcome = Outcome::Tombstoned;
                entry.objects = objects(&recording);
            } else {
                entry.outcome = Outcome::Absent;
            }
        }
        let looked_at: Vec<&Recording> = present.iter().map(|(_, _, found)| found).collect();
        let (seen, holds) = self.holds_on(&job.account, &looked_at).await?;
        let mut puts = Vec::with_capacity(present.len());
        for ((at, version, mut recording), holds) in present.into_iter().zip(holds) {
            let Some(entry) = chunk.entries.get_mut(at) else {
                continue;
            };
            if !holds.is_empty() {
                entry.outcome = Outcome::Held;
                entry.holds = holds;
                continue;
            }
            entry.objects = objects(&recording);
            recording.status = Status::Deleted;
            recording.deleted_at = Some(self.clock.now());
            recording.deletion_reason = Some(job.reason.clone());
            recording.deletion = Some(job.id.clone());
            // The wrapped data key: without it, what a backup may still hold opens no more.
            recording.sealing = None;
            if let Some(original) = &mut recording.original {
                original.sealing = None;
            }
            recording.pin = None;
            puts.push((at, Op::Put(recording.put(When::Version(version))?)));
        }
        let mut again = Vec::new();
        // One after the other: they share the row of the holds.
        for puts in puts.chunks(together) {
            let mut ops: Vec<Op> = puts.iter().map(|(_, put)| put.clone()).collect();
            ops.push(seen.unmoved(&job.account));
            match self.commit_ops(ops).await {
                Ok(()) => {
                    for (at, _) in puts {
                        if let Some(entry) = chunk.entries.get_mut(*at) {
                            entry.outcome = Outcome::Tombstoned;
                        }
                    }
                }
                Err(StoreError::Condition { .. }) => again.extend(puts.iter().map(|(at, _)| *at)),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(again)
    }

    /// Deletes the objects of the part's tombstoned recordings.
    async fn delete_objects(
        &self,
        job: &mut Deletion,
        chunk: &mut Chunk,
    ) -> Result<Duration, DeletionError> {
        let account = job.account.clone();
        let mut open: Vec<(&mut Object, BlobId)> = Vec::new();
        for entry in &mut chunk.entries {
            if entry.outcome != Outcome::Tombstoned {
                continue;
            }
            let usual = blob_key(&account, &entry.recording);
            for object in entry.objects.iter_mut().filter(|object| !object.gone) {
                let key = object.key.clone().unwrap_or_else(|| usual.clone());
                if root_of(&account, &key).is_none() {
                    // Nothing that is not the account's own is ever deleted.
                    continue;
                }
                let version = object.version.clone();
                open.push((object, BlobId { key, version }));
            }
        }
        for batch in open.chunks_mut(MAX_DELETES) {
            let ids: Vec<BlobId> = batch.iter().map(|(_, id)| id.clone()).collect();
            let results = self.blobs.delete(&ids).await?;
            for ((object, _), result) in batch.iter_mut().zip(results) {
                match result {
                    Ok(()) | Err(BlobError::NotFound) => object.gone = true,
                    Err(error) => {
                        tracing::warn!(job = job.id, %error, "an object was not deleted");
                    }
                }
            }
        }
        let unfinished = |entry: &Entry| {
            entry.outcome == Outcome::Tombstoned && entry.objects.iter().any(|object| !object.gone)
        };
        if chunk.entries.iter().any(unfinished) {
            if let Some(wait) = job.next_wait() {
                return Ok(wait);
            }
            for entry in chunk.entries.iter_mut().filter(|entry| unfinished(entry)) {
                entry.outcome = Outcome::Failed;
            }
        }
        job.phase = Phase::Verify;
        job.attempt = 0;
        Ok(Duration::ZERO)
    }

    /// Looks that nothing of the part's tombstoned recordings is left in the store, and deletes what is.
    async fn verify(
        &self,
        job: &mut Deletion,
        chunk: &mut Chunk,
    ) -> Result<Duration, DeletionError> {
        let mut targets: Vec<(String, usize)> = Vec::new();
        for (at, entry) in chunk.entries.iter().enumerate() {
            if entry.outcome == Outcome::Tombstoned {
                let folder = format!("recordings/{}/{}/", job.account, entry.recording);
                let others = entry.objects.iter().filter_map(|object| object.key.clone());
                let others = others.filter(|key| !key.starts_with(&folder));
                targets.extend(others.map(|key| (key, at)));
                targets.push((folder, at));
            }
        }
        targets.sort();
        let left = self.sweep_out(&job.account, &targets).await?;
        if !left.is_empty() {
            if let Some(wait) = job.next_wait() {
                return Ok(wait);
            }
            for at in left {
                if let Some(entry) = chunk.entries.get_mut(at) {
                    entry.outcome = Outcome::Failed;
                }
            }
        }
        for entry in &mut chunk.entries {
            if entry.outcome == Outcome::Tombstoned {
                entry.outcome = Outcome::Deleted;
            }
            job.settle(entry);
        }
        job.digest = digest(&job.digest, chunk);
        job.left = job.left.saturating_sub(1);
        job.attempt = 0;
        job.phase = if job.left > 0 {
            Phase::Tombstone
        } else {
            Phase::Receipt
        };
        Ok(Duration::ZERO)
    }

    /// Gives up what is being uploaded to these places, and deletes every version and marker that is
    /// listed there. `targets` are sorted: folders, which end with a slash, and keys. Answers which of
    /// them (by the number beside each) are not empty afterwards.
    ///
    /// It lists what lies between several targets in one go, as long as that gets on: a page costs one
    /// call, whether one target lies in it or a thousand. At most about four calls a target.
    async fn sweep_out(
        &self,
        account: &str,
        targets: &[(String, usize)],
    ) -> Result<Vec<usize>, DeletionError> {
        let mut left = Vec::new();
        let mut stack = Vec::new();
        for root in ROOTS {
            let root = format!("{root}/{account}/");
            let start = targets.partition_point(|(target, _)| *target < root);
            let group = targets.get(start..).unwrap_or_default();
            let end = group
                .iter()
                .position(|(target, _)| !target.starts_with(&root))
                .unwrap_or(group.len());
            let group = group.get(..end).unwrap_or_default();
            if group.is_empty() {
                continue;
            }
            // Uploads first: one that ends meanwhile is listed afterwards.
            for upload in self.blobs.open_uploads(common_prefix(group)).await? {
                if target_of(group, &upload.key).is_some() {
                    self.blobs.abort_upload(&upload).await?;
                }
            }
            stack.push(Listing::of(group));
        }
        while let Some(mut listing) = stack.pop() {
            let group = listing.group;
            let page = self
                .blobs
                .versions(listing.prefix, listing.after.clone())
                .await?;
            let found: Vec<(usize, BlobId)> = page
                .items
                .iter()
                .filter_map(|item| {
                    let at = target_of(group, &item.key)?;
                    let key = item.key.clone();
                    let version = item.version.clone();
                    Some((at, BlobId { key, version }))
                })
                .collect();
            if !found.is_empty() {
                let mut gone = 0;
                for batch in found.chunks(MAX_DELETES) {
                    let ids: Vec<BlobId> = batch.iter().map(|(_, id)| id.clone()).collect();
                    let results = self.blobs.delete(&ids).await?;
                    gone += results.iter().filter(|result| result.is_ok()).count();
                }
                listing.rounds += 1;
                if gone > 0 && (listing.rounds <= ROUNDS || page.next.is_some()) {
                    stack.push(listing);
                } else if page.next.is_none() {
                    left.extend(found.iter().map(|(at, _)| *at));
                } else {
                    // What lies behind this page was not seen.
                    left.extend(group.iter().map(|(_, at)| *at));
                }
                continue;
            }
            let last = page.items.last().map(|last| last.key.as_str());
            let (Some(last), Some(next)) = (last, page.next.clone()) else {
                continue;
            };
            // Of this folder there may be more on the next page.
            let is_behind = |(target, _): &(String, usize)| {
                target.as_str() >= last || (target.ends_with('/') && last.starts_with(target))
            };
            let rest = group.iter().position(is_behind).unwrap_or(group.len());
            let rest = group.get(rest..).unwrap_or_default();
            if rest.is_empty() {
                continue;
            }
            let missed = rest.len() == group.len();
            listing.misses = if missed { listing.misses + 1 } else { 0 };
            if listing.misses > MISSES && rest.len() > 1 {
                // Page after page of other things: smaller groups have longer prefixes.
                let (one, two) = rest.split_at(rest.len() / 2);
                stack.extend([Listing::of(one), Listing::of(two)]);
            } else {
                listing.group = rest;
                listing.after = Some(next);
                listing.rounds = 0;
                stack.push(listing);
            }
        }
        left.sort_unstable();
        left.dedup();
        Ok(left)
    }

    /// Deletes every version of one object; or, where the key ends with a slash, of all below it.
    pub(crate) async fn erase_object(&self, account: &str, key: &str) -> Result<(), BlobError> {
        let targets = [(key.to_owned(), 0)];
        match self.sweep_out(account, &targets).await {
            Ok(left) if left.is_empty() => Ok(()),
            Ok(_) => Err(BlobError::Unavailable("an object does not go".to_owned())),
            Err(DeletionError::Blob(error)) => Err(error),
            Err(error) => Err(BlobError::Unavailable(error.to_string())),
        }
    }
}

impl Deletion {
    /// How long to wait before the part is tried again; `None`: often enough.
    fn next_wait(&mut self) -> Option<Duration> {
        let wait = WAITS.get(usize::try_from(self.attempt).ok()?)?;
        self.attempt += 1;
        Some(Duration::from_secs(*wait))
    }

    /// Counts what became of a recording.
    fn settle(&mut self, entry: &Entry) {
        let counts = &mut self.counts;
        match entry.outcome {
            Outcome::Deleted => {
                counts.deleted += 1;
                counts.bytes_deleted = counts.bytes_deleted.saturating_add(entry.bytes);
            }
            Outcome::Absent => counts.already_absent += 1,
            Outcome::Held => {
                counts.held += 1;
                for hold in &entry.holds {
                    if counts.holds.len() < MAX_HOLDS_NAMED || counts.holds.contains_key(hold) {
                        *counts.holds.entry(hold.clone()).or_default() += 1;
                    }
                }
            }
            Outcome::Failed | Outcome::Planned | Outcome::Tombstoned => counts.failed += 1,
        }
    }
}

/// A walk through what is stored, on the look-out for some targets.
struct Listing<'a> {
    /// Those that were not passed yet.
    group: &'a [(String, usize)],
    prefix: &'a str,
    after: Option<String>,
    /// Pages in a row on which none of them was passed.
    misses: usize,
    /// How often something was deleted from this page.
    rounds: usize,
}

impl<'a> Listing<'a> {
    fn of(group: &'a [(String, usize)]) -> Self {
        Self {
            group,
            prefix: common_prefix(group),
            after: None,
            misses: 0,
            rounds: 0,
        }
    }
}

/// The part of the store that a key of an account lies in; `None`: it is not the account's.
fn root_of(account: &str, key: &str) -> Option<&'static str> {
    ROOTS.into_iter().find(|root| {
        key.strip_prefix(root)
            .and_then(|rest| rest.strip_prefix('/'))
            .and_then(|rest| rest.strip_prefix(account))
            .is_some_and(|rest| rest.starts_with('/'))
    })
}

/// The target that a key belongs to.
fn target_of(targets: &[(String, usize)], key: &str) -> Option<usize> {
    let behind = targets.partition_point(|(target, _)| target.as_str() <= key);
    let (target, at) = targets.get(..behind)?.last()?;
    let belongs = if target.ends_with('/') {
        key.starts_with(target.as_str())
    } else {
        key == target
    };
    belongs.then_some(*at)
}

/// What all targets begin with; they are sorted and share at least the account's root.
fn common_prefix(targets: &[(String, usize)]) -> &str {
    let (Some((first, _)), Some((last, _))) = (targets.first(), targets.last()) else {
        return "";
    };
    let length = first
        .char_indices()
        .zip(last.chars())
        .find(|((_, a), b)| a != b)
        .map_or(first.len().min(last.len()), |((at, _), _)| at);
    first.get(..length).unwrap_or_default()
}
