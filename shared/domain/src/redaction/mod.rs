//! Redaction of recordings: spans of their audio are made inaudible, for good.
//!
//! A redaction makes a copy of the audio without the spans ([`ringfence_audio`]), in constant memory and
//! encrypted as the recording is; the copy takes the audio's place in one commit, and the audio as it came
//! is destroyed, unless it is to be kept for those who may delete it ([`Recording::original`]). Links,
//! callbacks and players give out the copy from then on: they know no other.
//!
//! A legal hold lets nothing be destroyed: while there is one, a redaction must keep the original. That is
//! looked at in the commit that takes its place.
//!
//! What is under way can be done again at every point: objects are named in the redaction's row before they
//! are written, and in the recording's until they are gone.

mod run;
mod stream;

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use ringfence_audio::{AudioFormat, RedactionError as AudioError, Replacement, Span, Spans};
use ringfence_ports::{KeysError, Message, Op, Position, Put, Query, Row, StoreError, Unit, When};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    App,
    access::{parse_doc, to_doc},
    deletion::{self, HoldError},
    history::{Action, Actor, Change},
    id, keyspace,
    recording::{ATTEMPTS, Recording, RecordingError},
    settings::FieldError,
};

/// How many redactions of one recording may be under way.
pub const MAX_RUNNING: usize = 8;

/// How long a redaction may take before its message counts as lost. Copying the largest audio takes minutes.
const GRACE: SignedDuration = SignedDuration::from_mins(30);

/// How a redaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Under way.
    Running,
    /// The spans are inaudible, and what is to be destroyed is.
    Done,
    /// Nothing was changed, but where [`Redaction::failure`] says so.
    Failed,
}

/// A redaction of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redaction {
    /// `red_…`
    pub id: String,
    /// Whose recording.
    pub account: String,
    /// Of what.
    pub recording: String,
    /// Which spans, as they were asked for.
    pub spans: Vec<StoredSpan>,
    /// Whether a tone is heard in them, rather than nothing.
    pub tone: bool,
    /// Whether the audio as it came is kept.
    pub keep_original: bool,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub requested_by: String,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// When.
    pub created_at: Timestamp,
    /// How it stands.
    pub state: State,
    /// Why it failed, in plain words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// How much of the audio is silent by it, ms: at least the spans, and more where whole frames of compressed
    /// audio had to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silenced_ms: Option<u64>,
    /// When it was done, or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// The copy's object, from before it is written until it is the recording's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    written: Option<String>,
    /// Objects of copies that broke off, until they are removed. Whoever wrote one may yet be at it: it is removed only
    /// behind the write that names it here, since no other can then put it in the audio's place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    abandoned: Vec<String>,
    /// How many copies were begun.
    #[serde(default)]
    started: u32,
    /// Whether the copy has taken the audio's place.
    #[serde(default)]
    replaced: bool,
}

/// A stretch of time of a recording, half open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSpan {
    /// Where it begins, ms from the recording's start.
    pub start_ms: u64,
    /// Before which it ends, ms.
    pub end_ms: u64,
}

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct Order {
    /// In any order; they may overlap.
    pub spans: Vec<StoredSpan>,
    /// Whether a tone is to be heard in them, rather than nothing.
    pub tone: bool,
    /// Whether the audio as it came is to be kept.
    pub keep_original: bool,
    /// Why.
    pub reason: String,
}

/// Why a recording could not be redacted, or a redaction not be read.
#[derive(Debug, thiserror::Error)]
pub enum RedactionError {
    /// There is no such redaction.
    #[error("there is no such redaction")]
    NotFound,
    /// No original was kept.
    #[error("no original is kept of this recording")]
    NoOriginal,
    /// Fields are wrong.
    #[error("{} fields are not right", .0.len())]
    Fields(Vec<FieldError>),
    /// Only the customer can open it.
    #[error("only the customer can open this recording")]
    CustomerOnly,
    /// Its audio must not be destroyed. Holds the ids of what keeps it.
    #[error("a legal hold keeps the original")]
    Held(Vec<String>),
    /// As many as may be are under way.
    #[error("{MAX_RUNNING} redactions of this recording are under way")]
    TooMany,
    /// The audio cannot be redacted like this.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// Something about the recording itself.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The store of rows failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key cannot be had.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

impl From<HoldError> for RedactionError {
    fn from(error: HoldError) -> Self {
        match error {
            HoldError::Keys(error) => Self::Keys(error),
            HoldError::Store(error) => Self::Store(error),
            error => Self::Store(StoreError::Unavailable(error.to_string())),
        }
    }
}

/// The order to go on with a redaction.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RedactionMessage {
    pub(crate) account: String,
    pub(crate) recording: String,
    pub(crate) redaction: String,
}

impl Redaction {
    /// The write of this state. While it is under way it has a due time, at which `sweep` sends its message
    /// again.
    fn put(&self, now: Timestamp, when: When) -> Result<Put, StoreError> {
        let due = (self.state == State::Running)
            .then(|| keyspace::due(now.checked_add(GRACE).unwrap_or(now), &self.id));
        let key = keyspace::redaction(&self.recording, &self.id);
        Ok(Put {
            index: [None, due],
            ..Put::new(key, to_doc(self)?, when)
        })
    }

    /// The write that puts off the due time of a redaction in a row, and sends its message again.
    pub(crate) fn again(row: &Row, now: Timestamp) -> Result<Unit, StoreError> {
        let redaction: Self = parse_doc(&row.doc)?;
        Ok(Unit {
            ops: vec![Op::Put(redaction.put(now, When::Version(row.version))?)],
            sends: vec![redaction.message()?],
        })
    }

    fn message(&self) -> Result<Message, StoreError> {
        Ok(Message {
            queue: keyspace::RECORDINGS,
            group: self.account.clone(),
            body: to_doc(&RedactionMessage {
                account: self.account.clone(),
                recording: self.recording.clone(),
                redaction: self.id.clone(),
            })?,
            delay: std::time::Duration::ZERO,
        })
    }

    fn actor(&self) -> Actor {
        Actor {
            id: self.requested_by.clone(),
            address: self.address,
        }
    }

    fn item(&self) -> String {
        format!("recordings/{}/redactions/{}", self.recording, self.id)
    }

    fn replacement(&self) -> Replacement {
        if self.tone {
            Replacement::Tone
        } else {
            Replacement::Silence
        }
    }

    /// The spans in order.
    fn spans(&self) -> Result<Spans, RedactionError> {
        spans(&self.spans)
    }

    /// As the history keeps it.
    fn recorded(&self) -> Value {
        json!({
            "spans": self.spans, "tone": self.tone, "keep_original": self.keep_original,
            "reason": self.reason,
        })
    }
}

fn spans(asked: &[StoredSpan]) -> Result<Spans, RedactionError> {
    let span = |span: &StoredSpan| Span {
        start_ms: span.start_ms,
        end_ms: span.end_ms,
    };
    Spans::new(asked.iter().map(span).collect()).map_err(|error| {
        RedactionError::Fields(vec![FieldError {
            field: "spans".to_owned(),
            code: "invalid_value",
            reason: error.to_string(),
        }])
    })
}

/// The format of a recording's audio.
fn format(recording: &Recording) -> Result<AudioFormat, RedactionError> {
    AudioFormat::from_content_type(&recording.content_type).ok_or(RedactionError::Audio(
        AudioError::Unsupported("its format is not known"),
    ))
}

impl App {
    /// Orders a redaction. It is done behind the answer.
    pub async fn redact_recording(
        &self,
        account: &str,
        recording: &str,
        order: Order,
        actor: &Actor,
    ) -> Result<Redaction, RedactionError> {
        if let Some(reason) = deletion::reason_fault(&order.reason) {
            return Err(RedactionError::Fields(vec![FieldError {
                field: "reason".to_owned(),
                code: "invalid_value",
                reason,
            }]));
        }
        spans(&order.spans)?;
        let stored = self.recording(account, recording).await?.recording;
        stored.playable()?;
        if stored.for_customer().is_some() {
            return Err(RedactionError::CustomerOnly);
        }
        if !order.keep_original {
            let (_, holds) = self.holds_on(account, &[&stored]).await?;
            let holds: Vec<String> = holds.into_iter().flatten().collect();
            if !holds.is_empty() {
                return Err(RedactionError::Held(holds));
            }
        }
        let now = self.clock.now();
        let redaction = Redaction {
            id: id::new(id::Kind::Redaction, now, &*self.random),
            account: account.to_owned(),
            recording: recording.to_owned(),
            spans: order.spans,
            tone: order.tone,
            keep_original: order.keep_original,
            reason: order.reason,
            requested_by: actor.id.clone(),
            address: actor.address,
            created_at: now,
            state: State::Running,
            failure: None,
            silenced_ms: None,
            finished_at: None,
            written: None,
            abandoned: Vec::new(),
            started: 0,
            replaced: false,
        };
        // What the format does not take is told at once.
        let format = format(&stored)?;
        ringfence_audio::Redactor::new(format, redaction.spans()?, redaction.replacement())
            .map_err(|error| {
                RedactionError::Fields(vec![FieldError {
                    field: "replacement".to_owned(),
                    code: "invalid_value",
                    reason: match error {
                        AudioError::Unsupported(what) => what.to_owned(),
                        error => error.to_string(),
                    },
                }])
            })?;
        let (latest, _) = self.redactions(recording, 2 * MAX_RUNNING, None).await?;
        let running = latest.iter().filter(|one| one.state == State::Running);
        if running.count() >= MAX_RUNNING {
            return Err(RedactionError::TooMany);
        }
        let change = Change {
            item: redaction.item(),
            action: Action::Create,
            before: Value::Null,
            after: redaction.recorded(),
        };
        let unit = Unit {
            ops: vec![Op::Put(redaction.put(now, When::Absent)?)],
            sends: vec![redaction.message()?],
        };
        self.commit_change(account, actor, change, unit).await?;
        Ok(redaction)
    }

    /// A redaction of a recording.
    pub async fn redaction(
        &self,
        recording: &str,
        redaction: &str,
    ) -> Result<Redaction, RedactionError> {
        Ok(self.stored_redaction(recording, redaction).await?.0)
    }

    async fn stored_redaction(
        &self,
        recording: &str,
        redaction: &str,
    ) -> Result<(Redaction, u64), RedactionError> {
        if !id::Kind::Redaction.matches(redaction) {
            return Err(RedactionError::NotFound);
        }
        let key = keyspace::redaction(recording, redaction);
        let row = self.table.get(&key).await?;
        let row = row.ok_or(RedactionError::NotFound)?;
        Ok((parse_doc(&row.doc)?, row.version))
    }

    /// A page of a recording's redactions, newest first.
    pub async fn redactions(
        &self,
        recording: &str,
        limit: usize,
        after: Option<Position>,
    ) -> Result<(Vec<Redaction>, Option<Position>), StoreError> {
        let page = self
            .table
            .query(Query {
                descending: true,
                limit,
                after,
                ..Query::partition(keyspace::redaction(recording, "").pk)
            })
            .await?;
        let redactions = page
            .rows
            .iter()
            .map(|row| parse_doc(&row.doc))
            .collect::<Result<_, _>>()?;
        Ok((redactions, page.next))
    }

    /// Destroys the original that a redaction kept.
    pub async fn destroy_original(
        &self,
        account: &str,
        recording: &str,
        actor: &Actor,
    ) -> Result<(), RedactionError> {
        for _ in 0..ATTEMPTS {
            let stored = self.recording(account, recording).await?;
            stored.recording.playable()?;
            let (seen, holds) = self.holds_on(account, &[&stored.recording]).await?;
            let holds: Vec<String> = holds.into_iter().flatten().collect();
            let mut after = stored.recording;
            let Some(original) = after.original.take() else {
                // A process may have died behind the commit.
                self.destroy_copies(account, recording).await?;
                return Err(RedactionError::NoOriginal);
            };
            if !holds.is_empty() {
                return Err(RedactionError::Held(holds));
            }
            let before = json!({ "sha256": original.sha256, "size": original.size });
            after.copies.push(original.into_copy());
            let change = Change {
                item: format!("recordings/{recording}/original"),
                action: Action::Delete,
                before,
                after: Value::Null,
            };
            let unit = Unit {
                ops: vec![
                    Op::Put(after.put(When::Version(stored.version))?),
                    seen.unmoved(account),
                ],
                sends: Vec::new(),
            };
            match self.commit_change(account, actor, change, unit).await {
                Ok(_) => return self.destroy_copies(account, recording).await,
                // The recording was changed meanwhile, or a hold placed or released.
                Err(StoreError::Condition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Destroys what copies have taken the place of, and forgets where it was.
    async fn destroy_copies(&self, account: &str, recording: &str) -> Result<(), RedactionError> {
        for _ in 0..ATTEMPTS {
            let stored = self.recording(account, recording).await?;
            let mut after = stored.recording;
            if after.copies.is_empty() || !after.is_available() {
                // Deleted: its deletion takes them too.
                return Ok(());
            }
            for copy in std::mem::take(&mut after.copies) {
                self.erase_object(account, &copy.blob)
                    .await
                    .map_err(RecordingError::from)?;
            }
            let unit = Unit {
                ops: vec![Op::Put(after.put(When::Version(stored.version))?)],
                sends: Vec::new(),
            };
            match self.table.commit(unit).await {
                Ok(()) => return Ok(()),
                Err(StoreError::Condition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }
}
