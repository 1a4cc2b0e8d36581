//! Recordings: registered by the platform, stored beside the table, listed by date, call, agent and
//! team, and played by links ([`crate::link`]) or with an API key.
//!
//! A recording comes into being in one of three ways:
//!
//! - it is *registered* first ([`App::register_recording`]), which answers a URL to put its audio to;
//!   what was put is looked at when the store says so, or when the caller does
//!   ([`App::complete_recording`]);
//! - its audio is sent through Ringfence ([`App::upload_recording`]);
//! - an event `recording.available` names an object that is already in the store, as
//!   `blob:imports/{account}/…` ([`import`]). Any other URL is the platform's own affair and passes
//!   through untouched.
//!
//! Only what begins like audio that can be played ([`ringfence_audio::AudioFormat`]) becomes available; anything else is
//! refused and its object removed.

mod audio;
mod consumer;
mod error;
pub mod import;
mod list;
mod listen;
mod no_blobs;
mod register;
mod rewrap;
mod sealed;
mod store;

use jiff::Timestamp;
use ringfence_ports::{Put, StoreError, When};
use serde::{Deserialize, Serialize};

use crate::{
    App,
    access::{parse_doc, to_doc},
    event::PhoneNumber,
    id, keyspace,
    pin::StoredPin,
    settings::EncryptionMode,
};

pub use consumer::RecordingConsumer;
pub use error::RecordingError;
pub use list::{Filter, RecordingPage};
pub use listen::{Listen, Listener, Part, Played, Range, RangeError};
pub use no_blobs::NoBlobs;
pub(crate) use register::RecordingDays;
pub use register::{Facts, MAX_AUDIO_BYTES, Registered, UPLOAD_TTL, parse_sha256};
pub use rewrap::Rewrapped;
pub(crate) use store::{Announced, announced};

/// What has become of a recording's audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Registered; no audio yet.
    Pending,
    /// Stored, and it is audio.
    Available,
    /// What was stored was not what was announced, and was removed.
    Refused,
    /// Deleted; the row tells when and why.
    Deleted,
}

impl Status {
    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Refused => "refused",
            Self::Deleted => "deleted",
        }
    }

    /// The status of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Pending, Self::Available, Self::Refused, Self::Deleted]
            .into_iter()
            .find(|status| status.as_str() == name)
    }
}

/// Why the audio of a recording was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// It is not audio of a kind that can be played.
    NotAudio,
    /// It has another length or checksum than was announced.
    Mismatch,
}

impl Refusal {
    /// The same in plain words.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotAudio => {
                "What was stored is not audio: WAV (PCM, mu-law or A-law), MP3, Ogg, FLAC or M4A (of other MP4 files those without pictures, their index first) is taken. It was removed."
            }
            Self::Mismatch => {
                "What was stored has another length or checksum than was announced. It was removed."
            }
        }
    }
}

/// A recording as it is stored. `Debug` shows its id and status.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// `rec_…`; sorts by [`Recording::started_at`].
    pub id: String,
    /// Whose.
    pub account: String,
    /// The call it is of.
    pub call_id: String,
    /// What has become of its audio.
    pub status: Status,
    /// When it began.
    pub started_at: Timestamp,
    /// Its length, s.
    pub duration: u32,
    /// Its media type: as announced, and once it is stored, as its first bytes say.
    pub content_type: String,
    /// Its size in bytes, as announced, then as stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// SHA-256 of its audio, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The platform's own id of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Who of the account took part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// Whose team that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The calling number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<PhoneNumber>,
    /// The called number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<PhoneNumber>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When its audio was found to be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_at: Option<Timestamp>,
    /// Why its audio was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// The object that holds its audio.
    pub blob: String,
    /// The object that an event named, where Ringfence encrypts the account's audio, or it was redacted: it is sealed or
    /// copied into [`Recording::blob`] and removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<String>,
    /// The version of that object, where the store keeps versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob_version: Option<String>,
    /// Further objects of it: what a redaction took the place of, until it is destroyed. They go when it goes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<AudioCopy>,
    /// The audio as it came, where a redaction was to keep it. It goes when the recording goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<Original>,
    /// How that is encrypted.
    #[serde(default)]
    pub encryption: EncryptionMode,
    /// What opens it, where Ringfence encrypted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealing: Option<Sealing>,
    /// A PIN of its own, which goes before the account's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<StoredPin>,
    /// Links of an earlier generation are revoked.
    #[serde(default)]
    pub link_generation: u32,
    /// Whether a legal hold keeps it: nothing deletes it, and links do not open. Not stored:
    /// [`App::mark_held`] looks at the holds of now.
    #[serde(skip)]
    pub held: bool,
    /// Whether spans of it were silenced ([`crate::redaction`]).
    #[serde(default)]
    pub redacted: bool,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_reason: Option<String>,
    /// By which deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<String>,
}

/// An object made of a recording's audio.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioCopy {
    /// The object.
    pub blob: String,
    /// Its version, where the store keeps versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Bytes.
    pub size: u64,
}

/// The audio of a redacted recording as it came.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Original {
    /// The object.
    pub blob: String,
    /// Its version, where the store keeps versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its media type.
    pub content_type: String,
    /// Its size, bytes.
    pub size: u64,
    /// SHA-256 of it, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What opens it, where Ringfence encrypted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealing: Option<Sealing>,
}

impl Original {
    /// The bytes that it takes up in the store.
    fn stored_bytes(&self) -> u64 {
        let sealing = self.sealing.as_ref();
        sealing.map_or(self.size, |sealing| sealing.length)
    }

    /// The same as what is to be destroyed: with what opens it, that it can be heard goes at once.
    pub(crate) fn into_copy(self) -> AudioCopy {
        AudioCopy {
            size: self.stored_bytes(),
            blob: self.blob,
            version: self.version,
        }
    }
}

impl std::fmt::Debug for Original {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Original(…)")
    }
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording")
            .field("id", &self.id)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// What opens audio that Ringfence encrypted: of no use without the account's key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealing {
    /// The data key under the account's key, in base64. Destroyed, the audio is erased.
    pub wrapped_key: String,
    /// The first bytes of the sealed object, in base64: they tie the key to this very object.
    pub header: String,
    /// The sealed object's length, bytes.
    pub length: u64,
    /// SHA-256 of the customer's public key (DER), hexadecimal, where the data key is wrapped for that
    /// one and not for the account's: then nobody here can open it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_key: Option<String>,
}

impl std::fmt::Debug for Sealing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealing(…)")
    }
}

/// What the customer needs to open a recording that nobody else can, beside their private key and the
/// sealed file. `shared/sealing/FORMAT.md` says how.
pub struct CustomerSealing<'a> {
    /// With the data key, wrapped for the customer.
    pub sealing: &'a Sealing,
    /// Whose key it was wrapped for: SHA-256 of its DER, hexadecimal.
    pub public_key_sha256: &'a str,
    /// What is authenticated with each chunk.
    pub context: String,
}

/// A recording with its row's version.
#[derive(Clone, Debug)]
pub struct StoredRecording {
    /// The recording.
    pub recording: Recording,
    /// 1 when registered.
    pub version: u64,
}

impl Recording {
    /// Whether it can be played.
    pub fn is_available(&self) -> bool {
        self.status == Status::Available
    }

    /// The bytes that it takes up in the store, as far as it is known to be there.
    pub fn stored_bytes(&self) -> u64 {
        let own = match (&self.sealing, self.status) {
            (Some(sealing), _) => sealing.length,
            (None, Status::Available) => self.size.unwrap_or_default(),
            (None, _) => 0,
        };
        let original = self.original.as_ref().map(Original::stored_bytes);
        self.copies
            .iter()
            .map(|copy| copy.size)
            .chain(original)
            .fold(own, u64::saturating_add)
    }

    /// The recording with its audio as it came, where a redaction kept that.
    pub fn as_it_came(&self) -> Option<Self> {
        let original = self.original.clone()?;
        Some(Self {
            blob: original.blob,
            blob_version: original.version,
            content_type: original.content_type,
            size: Some(original.size),
            sha256: original.sha256,
            sealing: original.sealing,
            redacted: false,
            ..self.clone()
        })
    }

    /// Whether an object at this key is part of it.
    pub(crate) fn names(&self, key: &str) -> bool {
        let original = self.original.as_ref().map(|original| &original.blob);
        let copies = self.copies.iter().map(|copy| &copy.blob);
        std::iter::once(&self.blob)
            .chain(original)
            .chain(copies)
            .any(|blob| blob == key)
    }

    /// Whether it can be played; if not, why.
    pub fn playable(&self) -> Result<(), RecordingError> {
        match self.status {
            Status::Available => Ok(()),
            Status::Pending => Err(RecordingError::NotStored),
            Status::Deleted => Err(RecordingError::Deleted),
            Status::Refused => Err(store::refused(self)),
        }
    }

    /// What only the customer can open, by what.
    pub fn for_customer(&self) -> Option<CustomerSealing<'_>> {
        let sealing = self.sealing.as_ref()?;
        Some(CustomerSealing {
            sealing,
            public_key_sha256: sealing.customer_key.as_deref()?,
            context: sealed::context(self),
        })
    }

    /// The entity tag (RFC 9110 section 8.8.3) of audio that Ringfence gives out itself: another one when
    /// it was sealed anew. `None`: the store gives it out, with a tag of its own.
    pub fn entity_tag(&self) -> Option<String> {
        let sealing = self.sealing.as_ref()?;
        if sealing.customer_key.is_some() {
            return None;
        }
        let digest = ring::digest::digest(&ring::digest::SHA256, sealing.header.as_bytes());
        let tag = id::hex(digest.as_ref().get(..16).unwrap_or_default());
        Some(format!("\"{tag}\""))
    }

    /// Its row, in the indexes by agent and team.
    pub(crate) fn put(&self, when: When) -> Result<Put, StoreError> {
        let key = keyspace::recording(&self.account, &self.id)
            .ok_or(StoreError::Invalid("not the id of a recording"))?;
        let agent = self
            .agent_id
            .as_deref()
            .map(|agent| keyspace::recording_of_agent(&self.account, agent, &self.id));
        let team = self
            .team
            .as_deref()
            .map(|team| keyspace::recording_of_team(&self.account, team, &self.id));
        Ok(Put {
            index: [agent, team],
            expires_at: self.row_expires_at(),
            ..Put::new(key, to_doc(self)?, when)
        })
    }

    /// What was registered and never stored vanishes.
    pub(crate) fn row_expires_at(&self) -> Option<Timestamp> {
        (self.status == Status::Pending).then(|| {
            self.created_at
                .checked_add(register::PENDING_FOR)
                .unwrap_or(Timestamp::MAX)
        })
    }

    /// The row that names it beside its call.
    pub(crate) fn call_put(&self) -> Put {
        Put {
            expires_at: self.row_expires_at(),
            ..Put::new(
                keyspace::recording_of_call(&self.account, &self.call_id, &self.id),
                "{}",
                When::Always,
            )
        }
    }
}

/// How often a change is tried again when another one came first.
pub(crate) const ATTEMPTS: usize = 16;

impl App {
    /// A recording of the account, if there is one.
    pub async fn find_recording(
        &self,
        account: &str,
        recording: &str,
    ) -> Result<Option<StoredRecording>, StoreError> {
        let Some(key) = keyspace::recording(account, recording) else {
            return Ok(None);
        };
        self.table
            .get(&key)
            .await?
            .map(|row| {
                Ok(StoredRecording {
                    recording: parse_doc(&row.doc)?,
                    version: row.version,
                })
            })
            .transpose()
    }

    /// The same; an error where there is none.
    pub async fn recording(
        &self,
        account: &str,
        recording: &str,
    ) -> Result<StoredRecording, RecordingError> {
        self.find_recording(account, recording)
            .await?
            .ok_or(RecordingError::NotFound)
    }

    /// Changes a recording with an entry in the history; a lost race is tried again.
    pub(crate) async fn change_recording(
        &self,
        account: &str,
        recording: &str,
        actor: &crate::history::Actor,
        what: &str,
        change: impl Fn(&mut Recording) -> (serde_json::Value, serde_json::Value),
    ) -> Result<Recording, RecordingError> {
        for _ in 0..ATTEMPTS {
            let stored = self.recording(account, recording).await?;
            let mut after = stored.recording.clone();
            let (old, new) = change(&mut after);
            if after == stored.recording {
                return Ok(after);
            }
            let unit = ringfence_ports::Unit {
                ops: vec![ringfence_ports::Op::Put(
                    after.put(When::Version(stored.version))?,
                )],
                sends: Vec::new(),
            };
            let change = crate::history::Change {
                item: format!("recordings/{recording}/{what}"),
                action: if new.is_null() {
                    crate::history::Action::Delete
                } else {
                    crate::history::Action::Update
                },
                before: old,
                after: new,
            };
            match self.commit_change(account, actor, change, unit).await {
                Ok(_) => return Ok(after),
                Err(StoreError::Condition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Sets the recording's own PIN, or takes it away. Ends every cookie that an earlier one opened.
    pub async fn set_recording_pin(
        &self,
        account: &str,
        recording: &str,
        pin: Option<crate::pin::Pin>,
        actor: &crate::history::Actor,
    ) -> Result<Recording, RecordingError> {
        // Whoever names no recording costs no hash.
        self.recording(account, recording).await?;
        let pin = match pin {
            Some(pin) => Some(self.store_pin(recording, pin).await?),
            None => None,
        };
        let told = |pin: &Option<StoredPin>| match pin {
            Some(pin) => serde_json::json!({ "version": pin.version }),
            None => serde_json::Value::Null,
        };
        self.change_recording(account, recording, actor, "pin", |recording| {
            let old = told(&recording.pin);
            recording.pin.clone_from(&pin);
            (old, told(&pin))
        })
        .await
    }
}

/// Where the audio of a recording that is uploaded stands.
pub(crate) fn blob_key(account: &str, recording: &str) -> String {
    format!("recordings/{account}/{recording}/audio")
}

/// Where audio that Ringfence encrypts waits for that, where it cannot come through Ringfence itself.
pub(crate) fn staging_key(account: &str, recording: &str) -> String {
    format!("staging/{account}/{recording}/audio")
}

/// What an object is to a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Its audio, as it stays.
    Audio,
    /// Its audio, to be encrypted.
    Staged,
}

/// The account and recording whose audio stands at this key, and as what; `None`: another kind of
/// object.
pub(crate) fn recording_at(key: &str) -> Option<(&str, &str, Role)> {
    let (folder, rest) = key.strip_suffix("/audio")?.split_once('/')?;
    let role = match folder {
        "recordings" => Role::Audio,
        "staging" => Role::Staged,
        _ => return None,
    };
    let (account, recording) = rest.split_once('/')?;
    let fits = id::Kind::Account.matches(account) && id::Kind::Recording.matches(recording);
    fits.then_some((account, recording, role))
}
