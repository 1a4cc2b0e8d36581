use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ringfence_audio::AudioFormat;
use ringfence_ports::{BlobMeta, MAX_GETS, Op, Put, StoreError, Unit, UploadLink, When};
use serde::{Deserialize, Serialize};

use super::{Recording, RecordingError, Status, blob_key, sealed::customer_key, staging_key};
use crate::{
    App,
    access::{parse_doc, to_doc},
    event::{Event, EventData, EventType, PhoneNumber, Recording as EventRecording},
    id, keyspace,
    settings::{AccountConfig, EncryptionMode, FieldError},
};

/// For how long the URL that takes an upload is good: it must begin within this time.
pub const UPLOAD_TTL: Duration = ringfence_ports::MAX_LINK_TTL;

/// For how long a recording without audio is remembered.
pub(super) const PENDING_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The largest audio that is taken: 4 GiB, twelve hours of the widest PCM that telephony knows.
pub const MAX_AUDIO_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// How many days' markers a process remembers to have written.
const DAYS_REMEMBERED: usize = 10_000;

/// What a platform says of a recording that it registers.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The call it is of.
    pub call_id: String,
    /// When it began.
    pub started_at: Timestamp,
    /// Its length, s.
    pub duration: u32,
    /// Its media type.
    pub content_type: String,
    /// Its size, bytes.
    pub size: Option<u64>,
    /// SHA-256 of its audio.
    pub sha256: Option<[u8; 32]>,
    /// The platform's own id of it: registered again under the same one, it is the same recording.
    pub external_id: Option<String>,
    /// Who of the account took part.
    pub agent_id: Option<String>,
    /// Whose team that is.
    pub team: Option<String>,
    /// The calling number.
    pub from: Option<PhoneNumber>,
    /// The called number.
    pub to: Option<PhoneNumber>,
    /// Labels.
    pub tags: Vec<String>,
}

/// A recording that was registered.
#[derive(Debug)]
pub struct Registered {
    /// The recording.
    pub recording: Recording,
    /// Where to put its audio within [`UPLOAD_TTL`], with exactly the announced type, length and
    /// checksum; `None`: it comes through Ringfence ([`App::upload_recording`]), which encrypts it on
    /// the way, or is there already.
    pub upload: Option<UploadLink>,
    /// Whether it was made now; else it was known under its external id.
    pub is_new: bool,
}

impl App {
    /// Registers a recording, whose audio is still to come.
    pub async fn register_recording(
        &self,
        config: &AccountConfig,
        facts: Facts,
    ) -> Result<Registered, RecordingError> {
        let account = config.account.id.as_str();
        let rules = self
            .recording_rules(account)
            .await?
            .ok_or(RecordingError::NotFound)?;
        // The sender is told before anything is sent.
        customer_key(&rules)?;
        let recording = self.recording_of(account, facts, None, rules.encryption)?;
        let (recording, is_new) = self.add_recording(recording).await?;
        let meta = BlobMeta {
            content_type: recording.content_type.clone(),
            length: recording.size,
            sha256: recording.sha256.as_deref().and_then(parse_sha256),
            kms_key: rules.store_key(recording.encryption),
        };
        let is_announced = meta.length.is_some() && meta.sha256.is_some();
        let target = match recording.encryption {
            EncryptionMode::Provider => Some(recording.blob.clone()),
            EncryptionMode::Client | EncryptionMode::Customer => self
                .max_message_bytes
                .map(|_| staging_key(account, &recording.id)),
        };
        let upload = match target {
            Some(key) if is_announced && recording.status == Status::Pending => {
                Some(self.blobs.upload_link(&key, &meta, UPLOAD_TTL).await?)
            }
            _ => None,
        };
        Ok(Registered {
            recording,
            upload,
            is_new,
        })
    }

    /// The recording that these facts make, all of them checked. With `blob` its audio is there.
    pub(super) fn recording_of(
        &self,
        account: &str,
        facts: Facts,
        named: Option<String>,
        encryption: EncryptionMode,
    ) -> Result<Recording, RecordingError> {
        let now = self.clock.now();
        let errors = faults(account, &facts, named.is_none(), now);
        if !errors.is_empty() {
            return Err(RecordingError::Fields(errors));
        }
        let mut tail = [0; 10];
        match &facts.external_id {
            Some(external) => {
                let mut context = ring::digest::Context::new(&ring::digest::SHA256);
                for part in [account, &facts.call_id, external] {
                    context.update(&(part.len() as u64).to_be_bytes());
                    context.update(part.as_bytes());
                }
                tail.copy_from_slice(context.finish().as_ref().get(..10).unwrap_or(&[0; 10]));
            }
            None => self.random.fill(&mut tail),
        }
        let id = id::with_tail(id::Kind::Recording, facts.started_at, tail);
        let format = AudioFormat::from_content_type(&facts.content_type);
        let (blob, import) = match encryption {
            EncryptionMode::Provider => (named, None),
            EncryptionMode::Client | EncryptionMode::Customer => (None, named),
        };
        Ok(Recording {
            blob: blob.unwrap_or_else(|| blob_key(account, &id)),
            import,
            blob_version: None,
            copies: Vec::new(),
            original: None,
            id,
            account: account.to_owned(),
            call_id: facts.call_id,
            status: Status::Pending,
            started_at: facts.started_at,
            duration: facts.duration,
            content_type: format.map_or(facts.content_type, |format| {
                format.content_type().to_owned()
            }),
            size: facts.size,
            sha256: facts.sha256.map(|sha256| id::hex(&sha256)),
            external_id: facts.external_id,
            agent_id: facts.agent_id,
            team: facts.team,
            from: facts.from,
            to: facts.to,
            tags: facts.tags,
            created_at: now,
            stored_at: None,
            refusal: None,
            encryption,
            sealing: None,
            pin: None,
            link_generation: 0,
            held: false,
            redacted: false,
            deleted_at: None,
            deletion_reason: None,
            deletion: None,
        })
    }

    /// Writes a new recording, or finds that it was written before.
    pub(super) async fn add_recording(
        &self,
        recording: Recording,
    ) -> Result<(Recording, bool), RecordingError> {
        self.announce_recording_day(&recording).await?;
        let unit = Unit {
            ops: vec![
                Op::Put(recording.put(When::Absent)?),
                Op::Put(recording.call_put()),
            ],
            sends: Vec::new(),
        };
        // What an event named, whether it stays where it is or is sealed into an object of its own.
        let named = recording.import.as_deref().or_else(|| {
            let is_own = recording.blob == blob_key(&recording.account, &recording.id);
            (!is_own).then_some(recording.blob.as_str())
        });
        if let Some(object) = named
            && !self.claim_object(&recording, object).await?
        {
            return Err(RecordingError::IdReused);
        }
        match self.table.commit(unit).await {
            Ok(()) => Ok((recording, true)),
            Err(StoreError::Condition { op: 0 }) => {
                let known = self.recording(&recording.account, &recording.id).await?;
                if same_facts(&known.recording, &recording) {
                    Ok((known.recording, false))
                } else {
                    Err(RecordingError::IdReused)
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Takes an object for a recording. `false`: it is another one's. Two recordings of one object
    /// would go together, whether a hold keeps one of them or not.
    async fn claim_object(&self, recording: &Recording, object: &str) -> Result<bool, StoreError> {
        let key = keyspace::object(object);
        let claim = Claim {
            recording: recording.id.clone(),
        };
        let unit = Unit {
            ops: vec![Op::Put(Put::new(
                key.clone(),
                to_doc(&claim)?,
                When::Absent,
            ))],
            sends: Vec::new(),
        };
        match self.table.commit(unit).await {
            Ok(()) => Ok(true),
            Err(StoreError::Condition { .. }) => {
                let row = self.table.get(&key).await?;
                let taken = row.map(|row| parse_doc::<Claim>(&row.doc)).transpose()?;
                Ok(taken.is_some_and(|taken| taken == claim))
            }
            Err(error) => Err(error),
        }
    }

    /// Notes that the account has recordings on this day, once per process and day. A row of its own
    /// that nothing conflicts with, and written first: a day without recordings does no harm.
    async fn announce_recording_day(&self, recording: &Recording) -> Result<(), StoreError> {
        let key = keyspace::recording_day(&recording.account, &keyspace::day(recording.started_at));
        if self.recording_days.contains(&key) {
            return Ok(());
        }
        let unit = Unit {
            ops: vec![Op::Put(Put::new(key.clone(), "{}", When::Always))],
            sends: Vec::new(),
        };
        self.table.commit(unit).await?;
        self.recording_days.insert(key);
        Ok(())
    }

    /// A page of the recordings of a call, newest first, going on before the id `before`; and where the next
    /// one goes on.
    pub(crate) async fn recordings_of_call(
        &self,
        account: &str,
        call: &str,
        before: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Recording>, Option<String>), StoreError> {
        let page = self
            .table
            .query(ringfence_ports::Query {
                from: Some("rec/".to_owned()),
                to: Some(before.map_or_else(|| "rec0".to_owned(), |id| format!("rec/{id}"))),
                descending: true,
                limit: limit.clamp(1, MAX_GETS),
                ..ringfence_ports::Query::partition(keyspace::subject_partition(
                    account,
                    crate::event::Subject::Call(call),
                ))
            })
            .await?;
        let mut ids = page
            .rows
            .iter()
            .filter_map(|row| row.key.sk.strip_prefix("rec/"));
        let keys: Vec<_> = ids
            .clone()
            .filter_map(|recording| keyspace::recording(account, recording))
            .collect();
        let rows = self.table.get_many(&keys).await?.into_iter().flatten();
        let found = rows
            .map(|row| parse_doc(&row.doc))
            .collect::<Result<_, _>>()?;
        let last = ids.next_back().map(str::to_owned);
        Ok((found, last.filter(|_| page.next.is_some())))
    }
}

/// Whose an object is.
#[derive(PartialEq, Serialize, Deserialize)]
struct Claim {
    recording: String,
}

/// The days whose markers this process has written.
#[derive(Default)]
pub(crate) struct RecordingDays(std::sync::Mutex<std::collections::HashSet<ringfence_ports::Key>>);

impl RecordingDays {
    fn lock(&self) -> std::sync::MutexGuard<'_, std::collections::HashSet<ringfence_ports::Key>> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn contains(&self, key: &ringfence_ports::Key) -> bool {
        self.lock().contains(key)
    }

    fn insert(&self, key: ringfence_ports::Key) {
        let mut days = self.lock();
        if days.len() >= DAYS_REMEMBERED {
            days.clear();
        }
        days.insert(key);
    }
}

/// Whether two registrations are of the same audio of the same call.
fn same_facts(known: &Recording, new: &Recording) -> bool {
    let announced = |value: &Option<String>, other: &Option<String>| {
        value.is_none() || other.is_none() || value == other
    };
    // What was announced of audio that was redacted is not what is told of it since.
    let is_same_audio = known.redacted
        || (announced(&known.sha256, &new.sha256)
            && (known.size.is_none() || new.size.is_none() || known.size == new.size));
    known.call_id == new.call_id
        && known.duration == new.duration
        && is_same_audio
        && (known.blob == new.blob || known.status != Status::Pending)
}

/// The SHA-256 that 64 hexadecimal digits are.
pub fn parse_sha256(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        if !pair.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}

/// Everything that is wrong with what a platform says. The fields that events have too follow the
/// same rules.
fn faults(account: &str, facts: &Facts, is_upload: bool, now: Timestamp) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, code, reason: String| {
        errors.push(FieldError {
            field: field.to_owned(),
            code,
            reason,
        });
    };
    let event = Event {
        event_type: EventType::RecordingAvailable,
        timestamp: facts.started_at,
        id: "registration".to_owned(),
        account_id: account.to_owned(),
        data: EventData {
            call_id: Some(facts.call_id.clone()),
            agent_id: facts.agent_id.clone(),
            from: facts.from.clone(),
            to: facts.to.clone(),
            tags: Some(facts.tags.clone()),
            recording: Some(EventRecording {
                id: Some(facts.external_id.clone().unwrap_or_else(|| "-".to_owned())),
                duration: Some(facts.duration),
                ..EventRecording::default()
            }),
            ..EventData::default()
        },
    };
    if let Err(error) = crate::event::check_event(&event, now) {
        let field = error.field.as_deref().unwrap_or_default();
        let field = match field.strip_prefix("data.").unwrap_or(field) {
            "timestamp" => "started_at",
            "recording.id" => "external_id",
            "recording.duration" => "duration",
            field => field,
        };
        wrong(field, "invalid_value", error.reason.into_owned());
    }
    if facts.started_at < Timestamp::UNIX_EPOCH {
        wrong(
            "started_at",
            "invalid_value",
            "must not lie before 1970".to_owned(),
        );
    }
    if facts
        .team
        .as_deref()
        .is_some_and(|team| !(1..=128).contains(&team.len()) || team.chars().any(char::is_control))
    {
        let reason = "must be 1 to 128 bytes without control characters";
        wrong("team", "invalid_value", reason.to_owned());
    }
    if facts.agent_id.as_deref() == Some("") {
        wrong("agent_id", "invalid_value", "must not be empty".to_owned());
    }
    if is_upload {
        if AudioFormat::from_content_type(&facts.content_type).is_none() {
            let reason = "must be audio/wav, audio/mpeg, audio/ogg, audio/flac or audio/mp4";
            wrong("content_type", "not_audio", reason.to_owned());
        }
        if facts
            .size
            .is_some_and(|size| size == 0 || size > MAX_AUDIO_BYTES)
        {
            let reason = format!("must be from 1 to {MAX_AUDIO_BYTES}");
            wrong("size", "out_of_range", reason);
        }
    }
    errors
}
