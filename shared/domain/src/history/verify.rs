//! Whether a chain fits together, and the first entry that does not.

use std::collections::BTreeMap;

use ringfence_ports::{MAX_PAGE, Query, Row, StoreError};
use serde::{Deserialize, Serialize};

use super::{
    Address, Checkpoint, Entry, HistoryError, Revealed,
    chain::{Head, NO_HASH},
    checkpoint::judged,
    personal::ADDRESS,
};
use crate::{App, access::parse_doc, keyspace};

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// It does not have the hash that it says, or that the entry after it says.
    Edited,
    /// It is not there, and later ones are.
    Missing,
    /// It stands in another place.
    OutOfOrder,
    /// It and all after it are not there.
    Truncated,
    /// It, or one of those after it, was changed, and all hashes from there on were computed anew: the
    /// entries fit each other and not what was signed.
    Rewritten,
    /// No checkpoint covers it.
    Unsigned,
    /// A personal value that stands beside it is not the one that was recorded.
    Revealed,
    /// The checkpoint that ends with it was not signed with the right key, is of another chain, or is
    /// gone.
    Checkpoint,
    /// It stands behind the end that the chain is said to have.
    Stray,
    /// It cannot be read.
    Unreadable,
}

impl Fault {
    /// Its name, as in answers of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Edited => "edited",
            Self::Missing => "missing",
            Self::OutOfOrder => "out_of_order",
            Self::Truncated => "truncated",
            Self::Rewritten => "rewritten",
            Self::Unsigned => "unsigned",
            Self::Revealed => "revealed",
            Self::Checkpoint => "checkpoint",
            Self::Stray => "stray",
            Self::Unreadable => "unreadable",
        }
    }
}

/// The first entry of a chain that is not as it was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bad {
    /// Its number.
    pub seq: u64,
    /// What is wrong.
    pub fault: Fault,
    /// Of [`Fault::Rewritten`]: the last entry that may be the first bad one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
}

impl Bad {
    pub(super) const fn new(seq: u64, fault: Fault) -> Self {
        Self {
            seq,
            fault,
            until: None,
        }
    }
}

impl std::fmt::Display for Bad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seq = self.seq;
        match (self.fault, self.until) {
            (Fault::Edited, _) => write!(f, "entry {seq} was edited"),
            (Fault::Missing, _) => write!(f, "entry {seq} is missing"),
            (Fault::OutOfOrder, _) => write!(f, "entry {seq} is out of order"),
            (Fault::Truncated, _) => write!(f, "entry {seq} and all after it are missing"),
            (Fault::Rewritten, Some(until)) => {
                write!(
                    f,
                    "entry {seq}, or one up to {until}, was edited and all after it rewritten"
                )
            }
            (Fault::Rewritten, None) => write!(f, "entry {seq} and all after it were rewritten"),
            (Fault::Unsigned, _) => write!(f, "entry {seq} is covered by no checkpoint"),
            (Fault::Revealed, _) => {
                write!(f, "a personal value of entry {seq} is not the recorded one")
            }
            (Fault::Checkpoint, _) => {
                write!(
                    f,
                    "the checkpoint that ends with entry {seq} is not a valid one"
                )
            }
            (Fault::Stray, _) => write!(f, "entry {seq} stands behind the end of the history"),
            (Fault::Unreadable, _) => write!(f, "entry {seq} cannot be read"),
        }
    }
}

/// Walks a chain, entry by entry.
pub(super) struct Walker {
    /// The entry to come.
    next: u64,
    /// The hash of the one before it; `None`: that one is outside of what is looked at.
    previous: Option<String>,
    /// The last entry that something signed vouches for.
    anchored: u64,
    /// Where the entry before `next` does not follow the one before it: the hash of that one. Which of
    /// the two is bad, the entry to come tells.
    suspect: Option<String>,
}

impl Walker {
    /// One that starts behind entry `seq` of this hash. `is_signed`: something signed vouches for that.
    pub(super) fn after(seq: u64, hash: Option<String>, anchored: u64) -> Self {
        Self {
            next: seq + 1,
            previous: hash,
            anchored,
            suspect: None,
        }
    }

    /// One that starts with the first entry of a chain.
    pub(super) fn from_the_first() -> Self {
        Self::after(0, Some(NO_HASH.to_owned()), 0)
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The last entry that something signed vouches for.
    pub(super) fn anchored(&self) -> u64 {
        self.anchored
    }

    /// The hash of the last entry.
    /// Takes the entry that stands in the next place.
    pub(super) fn push(&mut self, entry: &Entry) -> Result<(), Bad> {
        let seq = self.next;
        let follows = self
            .previous
            .as_ref()
            .is_none_or(|previous| *previous == entry.previous);
        if self.suspect.is_some() {
            // The last one vouches, as its successor knows it, for the one before; or it is bad itself.
            let bad = if follows { seq - 2 } else { seq - 1 };
            return Err(Bad::new(bad, Fault::Edited));
        }
        if entry.seq != seq {
            return Err(Bad::new(seq, Fault::OutOfOrder));
        }
        if entry.compute_hash().ok().as_ref() != Some(&entry.hash) {
            return Err(Bad::new(seq, Fault::Edited));
        }
        let before = self.previous.replace(entry.hash.clone());
        if !follows {
            if self.anchored == seq - 1 {
                return Err(Bad::new(seq, Fault::Edited));
            }
            self.suspect = before;
        }
        self.next = seq + 1;
        Ok(())
    }

    /// Compares the last entry with what was said of it elsewhere.
    pub(super) fn compare(&mut self, hash: &str) -> Result<(), Bad> {
        let last = self.next - 1;
        let fits = self
            .previous
            .as_deref()
            .is_none_or(|previous| previous == hash);
        if self.suspect.is_some() {
            let bad = if fits { last - 1 } else { last };
            return Err(Bad::new(bad, Fault::Edited));
        }
        if fits {
            return Ok(());
        }
        let first = self.anchored + 1;
        Err(if first >= last {
            Bad::new(last, Fault::Edited)
        } else {
            Bad {
                until: Some(last),
                ..Bad::new(first, Fault::Rewritten)
            }
        })
    }

    /// Compares the last entry with what was signed, which vouches for it if it fits.
    pub(super) fn anchor(&mut self, hash: &str) -> Result<(), Bad> {
        self.compare(hash)?;
        self.anchored = self.next - 1;
        Ok(())
    }

    /// The end, with nothing more to compare with.
    pub(super) fn settle(&self) -> Result<(), Bad> {
        match self.suspect {
            // Whoever changes an entry anew leaves the next one saying another hash.
            Some(_) => Err(Bad::new(self.next - 2, Fault::Edited)),
            None => Ok(()),
        }
    }

    /// Where a later walk goes on: before an entry in doubt, which it takes again.
    fn progress(self) -> Progress {
        let (seq, hash) = match self.suspect {
            Some(before) => (self.next.saturating_sub(2), Some(before)),
            None => (self.next - 1, self.previous),
        };
        Progress {
            seq,
            hash: hash.unwrap_or_default(),
            anchored: self.anchored,
        }
    }
}

/// Whether what stands beside an entry opens its commitments.
pub(super) fn opens(entry: &Entry, revealed: &[Revealed]) -> bool {
    revealed.iter().all(|one| {
        if one.at == ADDRESS {
            return entry.personal.contains(&one.at)
                && matches!(&entry.address, Some(Address::Personal { commitment })
                    if *commitment == one.commitment());
        }
        let document = match one.at.split_at_checked("/before".len()) {
            Some(("/before", rest)) => entry.before.pointer(rest),
            _ => one
                .at
                .strip_prefix("/after")
                .and_then(|rest| entry.after.pointer(rest)),
        };
        entry.personal.contains(&one.at)
            && document.is_some_and(|value| value["commitment"] == one.commitment())
    })
}

/// How far a verification has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The last entry that was looked at.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
    /// The last one under a checkpoint.
    pub anchored: u64,
}

/// What a step of a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Up to which entry the chain fits together.
    pub verified: u64,
    /// Up to which of them a checkpoint vouches.
    pub signed: u64,
    /// How many entries there are.
    pub entries: u64,
    /// The first entry that is not as it was recorded.
    pub bad: Option<Bad>,
    /// Where to go on; `None`: this is the result.
    pub next: Option<Progress>,
}

/// Entries as they stand in the table, each with the place of its row.
pub(super) struct Rows {
    /// The place, and the entry; `None`: it cannot be read.
    pub(super) entries: Vec<(u64, Option<Entry>)>,
    /// There is nothing behind them, up to what was asked for.
    pub(super) is_end: bool,
}

impl Rows {
    /// Takes the next entry of a walk.
    fn push(walker: &mut Walker, place: u64, entry: Option<&Entry>) -> Result<(), Bad> {
        let next = walker.next();
        if place != next {
            return Err(Bad::new(next, Fault::Missing));
        }
        match entry {
            Some(entry) => walker.push(entry),
            None => Err(Bad::new(next, Fault::Unreadable)),
        }
    }
}

impl App {
    /// The entries from `first` to `last`, as many as one page holds.
    pub(super) async fn entry_rows(
        &self,
        owner: &str,
        first: u64,
        last: u64,
    ) -> Result<Rows, StoreError> {
        let page = self
            .table
            .query(Query {
                from: Some(keyspace::history_entry(owner, first).sk),
                to: Some(keyspace::history_entry(owner, last.saturating_add(1)).sk),
                limit: MAX_PAGE,
                ..Query::partition(keyspace::history_entry(owner, 0).pk)
            })
            .await?;
        Ok(Rows {
            entries: page
                .rows
                .iter()
                .map(|row| (place_of(row), parse_doc(&row.doc).ok()))
                .collect(),
            is_end: page.next.is_none(),
        })
    }

    /// The hash of entry `last`, after checking all between it and the last checkpoint before it.
    pub(super) async fn verified_hash(
        &self,
        owner: &str,
        last: u64,
    ) -> Result<String, HistoryError> {
        let mut walker = match self.stored_checkpoint(owner, last).await? {
            Some(one) => Walker::after(one.seq, Some(one.hash), one.seq),
            None => Walker::from_the_first(),
        };
        while walker.next() <= last {
            let rows = self.entry_rows(owner, walker.next(), last).await?;
            for (place, entry) in &rows.entries {
                Rows::push(&mut walker, *place, entry.as_ref()).map_err(HistoryError::Broken)?;
            }
            if rows.is_end && walker.next() <= last {
                let bad = Bad::new(walker.next(), Fault::Truncated);
                return Err(HistoryError::Broken(bad));
            }
        }
        match (walker.suspect, walker.previous) {
            (None, Some(hash)) => Ok(hash),
            _ => Err(HistoryError::Broken(Bad::new(last, Fault::Edited))),
        }
    }

    /// Checks the next part of an owner's chain, at most 1,000 entries, against itself, against the
    /// checkpoints that are stored, and against one that the caller kept.
    pub async fn verify_history(
        &self,
        owner: &str,
        from: Option<Progress>,
        kept: Option<&Checkpoint>,
    ) -> Result<Verification, HistoryError> {
        let mut walker = match from {
            Some(from) => Walker::after(from.seq, Some(from.hash), from.anchored),
            None => Walker::from_the_first(),
        };
        // First the head: what is added meanwhile stands behind it.
        let row = self.table.get(&keyspace::history_head(owner)).await?;
        let (head, _) = Head::read(row.as_ref())?;
        let rows = self.entry_rows(owner, walker.next(), head.seq).await?;
        let bad = self
            .verify_rows(owner, &head, &rows, &mut walker, kept)
            .await?;
        let is_result = bad.is_some() || rows.is_end;
        let progress = walker.progress();
        Ok(Verification {
            verified: bad.map_or(progress.seq, |bad| bad.seq.saturating_sub(1)),
            signed: progress.anchored,
            entries: head.seq,
            bad,
            next: (!is_result).then_some(progress),
        })
    }

    async fn verify_rows(
        &self,
        owner: &str,
        head: &Head,
        rows: &Rows,
        walker: &mut Walker,
        kept: Option<&Checkpoint>,
    ) -> Result<Option<Bad>, HistoryError> {
        let first = walker.next();
        let last = match rows.entries.last() {
            Some((place, _)) if !rows.is_end => *place,
            _ => head.seq,
        };
        let mut checkpoints = self.checkpoints_of(owner, first, last).await?;
        let personal: Vec<u64> = rows
            .entries
            .iter()
            .filter(|(_, entry)| entry.as_ref().is_some_and(|one| !one.personal.is_empty()))
            .map(|(place, _)| *place)
            .collect();
        let revealed = self.revealed(owner, &personal).await?;
        for (place, entry) in &rows.entries {
            let fits = Rows::push(walker, *place, entry.as_ref())
                .and_then(|()| match checkpoints.remove(place) {
                    Some(checkpoint) => walker.anchor(&checkpoint?.hash),
                    None => Ok(()),
                })
                .and_then(|()| match kept {
                    Some(kept) if kept.seq == *place => walker.anchor(&kept.hash),
                    _ => Ok(()),
                })
                .and_then(|()| match (entry, revealed.get(place)) {
                    (Some(entry), Some(values)) if !opens(entry, values) => {
                        Err(Bad::new(*place, Fault::Revealed))
                    }
                    _ => Ok(()),
                });
            if let Err(bad) = fits {
                return Ok(Some(bad));
            }
        }
        if !rows.is_end {
            return Ok(None);
        }
        if walker.next() <= head.seq {
            return Ok(Some(Bad::new(walker.next(), Fault::Truncated)));
        }
        if let Err(bad) = walker.compare(&head.hash) {
            return Ok(Some(bad));
        }
        if head.signed > walker.anchored() {
            return Ok(Some(Bad::new(head.signed, Fault::Checkpoint)));
        }
        let beyond = head.seq + 1;
        let cut = Bad::new(beyond, Fault::Truncated);
        let found = match self.stored_checkpoint(owner, u64::MAX - 1).await {
            Ok(Some(stored)) if stored.seq > head.seq => Some(cut),
            Ok(_) => {
                let rows = self.entry_rows(owner, beyond, beyond).await?;
                (!rows.entries.is_empty()).then_some(Bad::new(beyond, Fault::Stray))
            }
            Err(HistoryError::Broken(bad)) => return Ok(Some(bad)),
            Err(error) => return Err(error),
        };
        if found.is_some() {
            // Unless it came meanwhile.
            let row = self.table.get(&keyspace::history_head(owner)).await?;
            let (now, _) = Head::read(row.as_ref())?;
            return Ok(found.filter(|_| now.seq == head.seq));
        }
        Ok(kept.filter(|kept| kept.seq > head.seq).map(|_| cut))
    }

    /// The stored checkpoints that end with an entry from `first` to `last`.
    async fn checkpoints_of(
        &self,
        owner: &str,
        first: u64,
        last: u64,
    ) -> Result<BTreeMap<u64, Result<Checkpoint, Bad>>, HistoryError> {
        let key = self.history_key().await?;
        let page = self
            .table
            .query(Query {
                from: Some(keyspace::history_checkpoint(owner, first).sk),
                to: Some(keyspace::history_checkpoint(owner, last.saturating_add(1)).sk),
                limit: MAX_PAGE,
                ..Query::partition(keyspace::history_checkpoint(owner, 0).pk)
            })
            .await?;
        Ok(page
            .rows
            .iter()
            .map(|row| (checkpoint_place(row), judged(row, owner, &key)))
            .collect())
    }
}

/// The number of the entry that a row is the place of.
fn place_of(row: &Row) -> u64 {
    place_in(&row.key.sk, "e/")
}

/// The number of the entry that a checkpoint ends with.
pub(super) fn checkpoint_place(row: &Row) -> u64 {
    place_in(&row.key.sk, "c/")
}

fn place_in(sort: &str, prefix: &str) -> u64 {
    sort.strip_prefix(prefix)
        .and_then(|seq| seq.parse().ok())
        .unwrap_or(0)
}
