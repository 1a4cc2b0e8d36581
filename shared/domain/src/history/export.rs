//! Exports: newline-delimited JSON with all that verifying them offline needs, and that verification.
//!
//! ```text
//! {"history":{"owner":"acc_…","first":1,"last":42}}
//! {"entry":{…},"personal":[{"at":"/after/name","salt":"…","value":"…"}]}
//! …
//! {"checkpoint":{…}}
//! ```
//!
//! An entry stands there byte for byte as it is stored and hashed. A part that is not the last one ends
//! without a checkpoint; the parts one after the other are the file.

use std::fmt::Write as _;

use jiff::Timestamp;
use ringfence_ports::{MAX_PAGE, Query, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};

use super::{
    Checkpoint, Entry, HistoryError, PublicKey, Revealed,
    chain::Head,
    verify::{Bad, Fault, Walker, opens},
};
use crate::{App, access::to_doc, keyspace};

/// After how many bytes a part ends. A Lambda may answer with 6 MB.
const MAX_PART_BYTES: usize = 2 * 1024 * 1024;

/// Which part of an export is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportFrom {
    /// The first entry of the whole export.
    pub first: u64,
    /// The first entry of this part.
    pub next: u64,
    /// The last entry of the whole export; 0: there is none.
    pub last: u64,
}

/// A part of an export.
#[derive(Clone, Debug)]
pub struct Export {
    /// Lines of JSON.
    pub text: String,
    /// The part that follows; `None`: this was the last one.
    pub next: Option<ExportFrom>,
}

#[derive(Serialize)]
struct EntryLine<'a> {
    entry: &'a RawValue,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    personal: Vec<Revealed>,
}

impl App {
    /// The export of the entries from `since` on and before `until`: everything between the first and
    /// the last of them, even where a clock was set back meanwhile.
    pub async fn history_export(
        &self,
        owner: &str,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<ExportFrom, StoreError> {
        let row = self.table.get(&keyspace::history_head(owner)).await?;
        let (head, _) = Head::read(row.as_ref())?;
        let first = match since {
            Some(since) => self.entry_at(owner, since, None).await?,
            None => Some(1),
        };
        let last = match until {
            Some(until) => self.entry_at(owner, Timestamp::MIN, Some(until)).await?,
            None => Some(head.seq),
        };
        Ok(match first.zip(last) {
            Some((first, last)) if first <= last => ExportFrom {
                first,
                next: first,
                last: last.min(head.seq),
            },
            _ => ExportFrom {
                first: 1,
                next: 1,
                last: 0,
            },
        })
    }

    /// The first entry from `since` on; with an end, the last one before that.
    async fn entry_at(
        &self,
        owner: &str,
        since: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<Option<u64>, StoreError> {
        let mut query = Query {
            from: Some(format!("t/{}", keyspace::due_from(since))),
            to: Some(until.map_or_else(
                || "t0".to_owned(),
                |until| format!("t/{}~", keyspace::due_from(until)),
            )),
            descending: until.is_some(),
            limit: MAX_PAGE,
            ..Query::partition(keyspace::history_entry(owner, 0).pk)
        };
        loop {
            let page = self.table.query(query.clone()).await?;
            for row in &page.rows {
                let seq = row
                    .key
                    .sk
                    .rsplit_once('/')
                    .and_then(|(_, seq)| seq.parse().ok());
                let Some(seq) = seq else { continue };
                // Keys are cut to the millisecond.
                let Some(row) = self.table.get(&keyspace::history_entry(owner, seq)).await? else {
                    continue;
                };
                let entry: Entry = crate::access::parse_doc(&row.doc)?;
                if entry.at >= since && until.is_none_or(|until| entry.at < until) {
                    return Ok(Some(seq));
                }
            }
            let Some(next) = page.next else {
                return Ok(None);
            };
            query.after = Some(next);
        }
    }

    /// A part of an export, of about 2 MiB. The last one ends with a checkpoint, unless the chain does
    /// not verify: then with `{"fault":{…}}`, which names the first bad entry, and nothing is signed.
    pub async fn export_history(
        &self,
        owner: &str,
        from: ExportFrom,
        with_personal: bool,
    ) -> Result<Export, HistoryError> {
        let mut text = String::new();
        let ExportFrom { first, last, .. } = from;
        if from.next == first {
            line(
                &mut text,
                &json!({"history": {"owner": owner, "first": first, "last": last}}),
            );
        }
        let mut next = from.next;
        while next <= last {
            let page = self
                .table
                .query(Query {
                    from: Some(keyspace::history_entry(owner, next).sk),
                    to: Some(keyspace::history_entry(owner, last.saturating_add(1)).sk),
                    limit: MAX_PAGE,
                    ..Query::partition(keyspace::history_entry(owner, 0).pk)
                })
                .await?;
            let rows: Vec<_> = page
                .rows
                .iter()
                .filter_map(|row| Some((row.key.sk.strip_prefix("e/")?.parse::<u64>().ok()?, row)))
                .collect();
            let mut personal = if with_personal {
                let places: Vec<u64> = rows.iter().map(|(place, _)| *place).collect();
                self.revealed(owner, &places).await?
            } else {
                std::collections::BTreeMap::new()
            };
            for (place, row) in rows {
                if text.len() >= MAX_PART_BYTES {
                    let next = Some(ExportFrom { next, ..from });
                    return Ok(Export { text, next });
                }
                match serde_json::from_str::<&RawValue>(&row.doc) {
                    // As it is, whatever it is: what does not fit is for the verification to say.
                    Ok(entry) if !row.doc.contains('\n') => line(
                        &mut text,
                        &EntryLine {
                            entry,
                            personal: personal.remove(&place).unwrap_or_default(),
                        },
                    ),
                    _ => line(&mut text, &json!({"unreadable": {"seq": place}})),
                }
                next = place + 1;
            }
            if page.next.is_none() {
                break;
            }
        }
        if last > 0 {
            match self.verified_hash(owner, last).await {
                Ok(hash) => {
                    let checkpoint = self.sign_checkpoint(owner, first, last, &hash).await?;
                    line(&mut text, &json!({ "checkpoint": checkpoint }));
                }
                Err(HistoryError::Broken(bad)) => {
                    tracing::error!(
                        owner,
                        seq = bad.seq,
                        fault = bad.fault.as_str(),
                        "a change history does not verify"
                    );
                    line(&mut text, &json!({ "fault": bad }));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Export { text, next: None })
    }
}

fn line<T: Serialize>(text: &mut String, value: &T) {
    // Writing what was parsed, or is made of plain values, does not fail.
    if let Ok(json) = serde_json::to_string(value) {
        let _ = writeln!(text, "{json}");
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
struct Line<'a> {
    history: Option<About>,
    #[serde(borrow)]
    entry: Option<&'a RawValue>,
    #[serde(default)]
    personal: Vec<Revealed>,
    checkpoint: Option<Checkpoint>,
    unreadable: Option<Place>,
    fault: Option<Bad>,
    next: Option<String>,
}

impl Line<'_> {
    fn is_of_one_kind(&self) -> bool {
        let kinds = [
            self.history.is_some(),
            self.entry.is_some(),
            self.checkpoint.is_some(),
            self.unreadable.is_some(),
            self.fault.is_some(),
            self.next.is_some(),
        ];
        kinds.into_iter().filter(|is_there| *is_there).count() == 1
            && (self.entry.is_some() || self.personal.is_empty())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    owner: String,
    first: u64,
    #[expect(
        dead_code,
        reason = "for people who read the file; the checkpoint says it, signed"
    )]
    last: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    seq: u64,
}

/// Verifies an export line by line, without anything of Ringfence's but the public key, or a checkpoint
/// that was kept. Needs no more memory than a line takes.
pub struct FileVerifier {
    key: Option<PublicKey>,
    kept: Option<Checkpoint>,
    owner: Option<String>,
    first: Option<u64>,
    walker: Option<Walker>,
    entries: u64,
    lines: u64,
    bad: Option<(Bad, u64)>,
}

/// What the verification of an export found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Whose history.
    pub owner: Option<String>,
    /// The first entry.
    pub first: u64,
    /// The last entry.
    pub last: u64,
    /// The first entry that is not as it was recorded, and the line at which that showed.
    pub bad: Option<(Bad, u64)>,
}

impl FileVerifier {
    /// One that trusts checkpoints signed with `key`, and `kept`. With neither, nothing verifies.
    pub fn new(key: Option<PublicKey>, kept: Option<Checkpoint>) -> Self {
        Self {
            owner: kept.as_ref().map(|kept| kept.owner.clone()),
            key,
            kept,
            first: None,
            walker: None,
            entries: 0,
            lines: 0,
            bad: None,
        }
    }

    /// Takes the next line, without its line feed.
    pub fn line(&mut self, text: &str) {
        self.lines += 1;
        if let Some((bad, _)) = &mut self.bad {
            // Gone, or only elsewhere?
            if bad.fault == Fault::Missing && seq_of(text) == Some(bad.seq) {
                bad.fault = Fault::OutOfOrder;
            }
            return;
        }
        if let Err(bad) = self.take(text) {
            self.bad = Some((bad, self.lines));
        }
    }

    fn next(&self) -> u64 {
        self.walker
            .as_ref()
            .map_or(self.first.unwrap_or(1), Walker::next)
    }

    fn take(&mut self, text: &str) -> Result<(), Bad> {
        if text.trim().is_empty() {
            return Ok(());
        }
        let unreadable = Bad::new(self.next(), Fault::Unreadable);
        let line: Line<'_> = serde_json::from_str(text).map_err(|_| unreadable)?;
        if !line.is_of_one_kind() {
            return Err(unreadable);
        }
        match line {
            Line {
                entry: Some(raw),
                personal,
                ..
            } => self.entry(raw, &personal),
            Line {
                checkpoint: Some(checkpoint),
                ..
            } => self.checkpoint(&checkpoint),
            Line {
                history: Some(about),
                ..
            } => {
                if self
                    .owner
                    .as_ref()
                    .is_some_and(|owner| *owner != about.owner)
                {
                    return Err(Bad::new(about.first, Fault::Checkpoint));
                }
                self.owner = Some(about.owner);
                self.first = self.first.or(Some(about.first));
                Ok(())
            }
            Line {
                unreadable: Some(place),
                ..
            } => Err(Bad::new(place.seq, Fault::Unreadable)),
            // The server would not sign this chain.
            Line {
                fault: Some(bad), ..
            } => Err(bad),
            // The end of a part, of which the next one follows.
            Line { next: Some(_), .. } => Ok(()),
            _ => Err(unreadable),
        }
    }

    fn entry(&mut self, raw: &RawValue, personal: &[Revealed]) -> Result<(), Bad> {
        let next = self.next();
        let entry: Entry =
            serde_json::from_str(raw.get()).map_err(|_| Bad::new(next, Fault::Unreadable))?;
        if self.walker.is_none() {
            let first = self.first.unwrap_or(entry.seq).max(1);
            self.first = Some(first);
            self.walker = Some(if first == 1 {
                Walker::from_the_first()
            } else {
                Walker::after(first - 1, None, first - 1)
            });
        }
        let walker = self
            .walker
            .as_mut()
            .ok_or(Bad::new(next, Fault::Unreadable))?;
        let next = walker.next();
        if entry.seq > next {
            return Err(Bad::new(next, Fault::Missing));
        }
        // Only byte for byte: what another reader takes for the entry must be what was hashed.
        let is_canonical = to_doc(&entry).is_ok_and(|text| text == raw.get());
        if entry.seq == next && !is_canonical {
            return Err(Bad::new(next, Fault::Edited));
        }
        walker.push(&entry)?;
        self.entries += 1;
        if let Some(kept) = self.kept.as_ref().filter(|kept| kept.seq == next) {
            walker.anchor(&kept.hash)?;
        }
        if opens(&entry, personal) {
            Ok(())
        } else {
            Err(Bad::new(next, Fault::Revealed))
        }
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), Bad> {
        let invalid = Err(Bad::new(checkpoint.seq, Fault::Checkpoint));
        if self
            .owner
            .as_ref()
            .is_some_and(|owner| *owner != checkpoint.owner)
        {
            return invalid;
        }
        self.owner = Some(checkpoint.owner.clone());
        let is_trusted = match &self.key {
            Some(key) if !checkpoint.is_signed_by(key) => return invalid,
            Some(_) => true,
            None => false,
        };
        let first = self.first.unwrap_or(checkpoint.first);
        if checkpoint.first < first {
            return Err(Bad::new(checkpoint.first, Fault::Missing));
        }
        let Some(walker) = &mut self.walker else {
            return Err(Bad::new(checkpoint.first, Fault::Truncated));
        };
        let last = walker.next() - 1;
        if checkpoint.seq > last {
            return Err(Bad::new(last + 1, Fault::Truncated));
        }
        if checkpoint.seq < last {
            return Err(Bad::new(checkpoint.seq + 1, Fault::Unsigned));
        }
        if is_trusted {
            walker.anchor(&checkpoint.hash)
        } else {
            walker.compare(&checkpoint.hash)
        }
    }

    /// The result, after the last line.
    pub fn finish(mut self) -> Verified {
        let last = self.next() - 1;
        if self.bad.is_none()
            && let Err(bad) = self.end(last)
        {
            self.bad = Some((bad, self.lines));
        }
        Verified {
            owner: self.owner,
            first: self.first.unwrap_or(1),
            last,
            bad: self.bad,
        }
    }

    fn end(&self, last: u64) -> Result<(), Bad> {
        let Some(walker) = &self.walker else {
            return Err(Bad::new(self.first.unwrap_or(1), Fault::Truncated));
        };
        walker.settle()?;
        if self.kept.as_ref().is_some_and(|kept| kept.seq > last) {
            return Err(Bad::new(last + 1, Fault::Truncated));
        }
        let anchored = walker.anchored();
        if anchored == last {
            return Ok(());
        }
        let nothing = anchored + 1 == self.first.unwrap_or(1) && self.key.is_some();
        Err(if nothing {
            // An export ends with a checkpoint. This one does not.
            Bad::new(last + 1, Fault::Truncated)
        } else {
            Bad::new(anchored + 1, Fault::Unsigned)
        })
    }
}

fn seq_of(text: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Seq {
        entry: Place,
    }
    #[derive(Deserialize)]
    struct Place {
        seq: u64,
    }
    serde_json::from_str::<Seq>(text)
        .ok()
        .map(|line| line.entry.seq)
}
