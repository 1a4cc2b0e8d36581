//! What a deletion means, written down before anything is touched.

use ringfence_ports::{Op, Put, StoreError, When};
use serde::{Deserialize, Serialize};

use super::{Deletion, DeletionError, Phase, Selection, State};
use crate::{
    App,
    access::{parse_doc, to_doc},
    keyspace,
    recording::{self, Recording, blob_key},
    settings::EncryptionMode,
};

/// How many objects a part of the manifest names: what one call of the store deletes.
const CHUNK_OBJECTS: usize = ringfence_ports::MAX_DELETES;

/// How large a part may become, in bytes of JSON: well below what a row holds.
const CHUNK_BYTES: usize = 256 * 1024;

/// How many pages of recordings one step looks through.
const PAGES: usize = 4;

/// A part of the manifest: recordings, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chunk {
    pub(super) entries: Vec<Entry>,
}

/// A recording of the manifest. The names are short because there are many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    #[serde(rename = "r")]
    pub(super) recording: String,
    /// Its bytes when it was planned.
    #[serde(rename = "b")]
    pub(super) bytes: u64,
    #[serde(rename = "o", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) objects: Vec<Object>,
    #[serde(rename = "s")]
    pub(super) outcome: Outcome,
    /// The holds that keep it.
    #[serde(rename = "h", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) holds: Vec<String>,
}

/// An object of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Object {
    /// `None`: where uploads stand.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    /// Whether the store has deleted it.
    #[serde(rename = "g", default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) gone: bool,
}

/// How a recording of the manifest stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Outcome {
    /// Nothing was done yet.
    #[serde(rename = "p")]
    Planned,
    /// Its row says that it is deleted.
    #[serde(rename = "t")]
    Tombstoned,
    /// Nothing of it is left.
    #[serde(rename = "d")]
    Deleted,
    /// It was gone already.
    #[serde(rename = "a")]
    Absent,
    /// A hold keeps it.
    #[serde(rename = "h")]
    Held,
    /// The store did not delete it.
    #[serde(rename = "f")]
    Failed,
}

impl Outcome {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Tombstoned => "tombstoned",
            Self::Deleted => "deleted",
            Self::Absent => "already_absent",
            Self::Held => "held",
            Self::Failed => "failed",
        }
    }
}

/// The objects of a recording, and where more of it might be.
pub(super) fn objects(recording: &Recording) -> Vec<Object> {
    let usual = blob_key(&recording.account, &recording.id);
    let own = (recording.blob.clone(), recording.blob_version.clone());
    let copies = recording.copies.iter();
    let original = recording.original.iter();
    // What was sealed stood there in the clear before.
    let import = recording.import.iter().map(|key| (key.clone(), None));
    // Audio that is to be encrypted may have stood there in the clear: looked at, and deleted if it does.
    let staged = (recording.encryption != EncryptionMode::Provider).then(|| Object {
        key: Some(format!(
            "staging/{}/{}/audio",
            recording.account, recording.id
        )),
        version: None,
        gone: true,
    });
    std::iter::once(own)
        .chain(copies.map(|copy| (copy.blob.clone(), copy.version.clone())))
        .chain(original.map(|original| (original.blob.clone(), original.version.clone())))
        .chain(import)
        .map(|(key, version)| Object {
            key: (key != usual).then_some(key),
            version,
            gone: false,
        })
        .chain(staged)
        .collect()
}

impl Entry {
    fn of(recording: &Recording) -> Self {
        Self {
            recording: recording.id.clone(),
            bytes: recording.stored_bytes(),
            objects: objects(recording),
            outcome: Outcome::Planned,
            holds: Vec::new(),
        }
    }

    /// How many objects a call to delete them names.
    fn to_delete(&self) -> usize {
        self.objects.iter().filter(|object| !object.gone).count()
    }

    /// About how many bytes of JSON it takes.
    fn weight(&self) -> usize {
        let object = |object: &Object| {
            let key = object.key.as_ref().map_or(0, String::len);
            let version = object.version.as_ref().map_or(0, String::len);
            // Keys may be escaped.
            40 + 2 * key + version
        };
        100 + self.objects.iter().map(object).sum::<usize>()
    }
}

impl App {
    /// A part of a deletion's manifest, and its row's version.
    pub(super) async fn chunk(&self, job: &str, chunk: u32) -> Result<(Chunk, u64), StoreError> {
        let row = self.table.get(&keyspace::manifest(job, chunk)).await?;
        let row = row.ok_or_else(|| {
            StoreError::Unavailable("a part of a deletion's manifest is missing".to_owned())
        })?;
        Ok((parse_doc(&row.doc)?, row.version))
    }

    /// Looks up some more of what is meant. Answers the writes that go with the job's own.
    pub(super) async fn plan_step(&self, job: &mut Deletion) -> Result<Vec<Op>, DeletionError> {
        let (mut chunk, version) = if job.open > 0 {
            let (chunk, version) = self.chunk(&job.id, job.chunks - 1).await?;
            (chunk, Some(version))
        } else {
            (Chunk::default(), None)
        };
        let mut weight: usize = chunk.entries.iter().map(Entry::weight).sum();
        let before = chunk.entries.len();
        let mut is_over = false;
        let mut is_full = false;
        for _ in 0..PAGES {
            let room = CHUNK_OBJECTS.saturating_sub(job.open).max(1);
            let (found, next) = self.meant(job, room).await?;
            let mut stopped_at = None;
            let mut taken = Vec::with_capacity(found.len());
            for recording in found {
                let entry = Entry::of(&recording);
                let fits = job.open + entry.to_delete() <= CHUNK_OBJECTS
                    && weight + entry.weight() <= CHUNK_BYTES;
                if !fits && job.open > 0 && !job.dry_run {
                    is_full = true;
                    break;
                }
                stopped_at = Some(recording.id.clone());
                job.planned += 1;
                job.planned_bytes = job.planned_bytes.saturating_add(entry.bytes);
                if !job.dry_run {
                    job.open += entry.to_delete();
                    weight += entry.weight();
                    chunk.entries.push(entry);
                }
                taken.push(recording);
            }
            if job.dry_run {
                job.planned_held += self.count_held(&job.account, &taken).await?;
            }
            if is_full {
                // What did not fit is looked up again.
                job.cursor = stopped_at.or(job.cursor.take());
                break;
            }
            job.cursor = next;
            is_over = job.cursor.is_none();
            if is_over || job.open >= CHUNK_OBJECTS {
                is_full = job.open >= CHUNK_OBJECTS;
                break;
            }
        }
        let mut ops = Vec::new();
        if chunk.entries.len() > before {
            if version.is_none() {
                job.chunks += 1;
            }
            let when = version.map_or(When::Absent, When::Version);
            let key = keyspace::manifest(&job.id, job.chunks - 1);
            ops.push(Op::Put(Put::new(key, to_doc(&chunk)?, when)));
        }
        if is_full {
            job.open = 0;
        }
        if is_over {
            job.open = 0;
            // A day on which nothing was due is not worth a receipt.
            let is_idle = job.planned == 0 && matches!(job.selection, Selection::Retention(_));
            if job.dry_run || is_idle {
                job.rest(State::Done, self.clock.now());
                job.finished_at = Some(self.clock.now());
            } else if job.chunks == 0 {
                job.phase = Phase::Receipt;
            } else {
                job.phase = Phase::Tombstone;
                job.left = job.chunks;
            }
        }
        Ok(ops)
    }

    async fn count_held(
        &self,
        account: &str,
        recordings: &[Recording],
    ) -> Result<u64, DeletionError> {
        let mut held = 0;
        for recordings in recordings.chunks(100) {
            let looked_at: Vec<&Recording> = recordings.iter().collect();
            let (_, holds) = self.holds_on(account, &looked_at).await?;
            held += holds.iter().filter(|holds| !holds.is_empty()).count() as u64;
        }
        Ok(held)
    }

    /// A page of the recordings that are meant, newest first, and where it goes on.
    async fn meant(
        &self,
        job: &Deletion,
        limit: usize,
    ) -> Result<(Vec<Recording>, Option<String>), DeletionError> {
        let account = job.account.as_str();
        let (mut found, next) = match &job.selection {
            Selection::Recording { recording } => {
                let found = self.find_recording(account, recording).await?;
                (
                    found.map(|found| found.recording).into_iter().collect(),
                    None,
                )
            }
            Selection::Call { call } => {
                self.recordings_of_call(account, call, job.cursor.as_deref(), limit)
                    .await?
            }
            Selection::Batch(batch) => {
                let filter = recording::Filter {
                    since: batch.since,
                    until: batch.until,
                    agent: batch.agent.clone(),
                    team: batch.team.clone(),
                    tag: batch.tag.clone(),
                    shorter_than: batch.shorter_than,
                    ..recording::Filter::default()
                };
                self.page(account, &filter, limit, job).await?
            }
            Selection::Retention(rule) => {
                let filter = recording::Filter {
                    since: rule.since,
                    until: Some(rule.until),
                    tag: rule.tag.clone(),
                    ..recording::Filter::default()
                };
                self.page(account, &filter, limit, job).await?
            }
        };
        found.retain(|found| job.selection.takes(found, job.created_at));
        Ok((found, next))
    }

    async fn page(
        &self,
        account: &str,
        filter: &recording::Filter,
        limit: usize,
        job: &Deletion,
    ) -> Result<(Vec<Recording>, Option<String>), StoreError> {
        let page = self
            .recordings(account, filter, limit, job.cursor.as_deref())
            .await?;
        Ok((page.recordings, page.next))
    }
}
