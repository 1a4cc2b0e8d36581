use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use ringfence_audio::{AudioFormat, HEAD_BYTES, MAX_HEAD_BYTES, Sniffed};
use ringfence_ports::{BlobError, BlobMeta, ByteStream, Op, StoreError, Unit, When};

use super::{
    ATTEMPTS, Recording, RecordingError, Refusal, Status, StoredRecording, audio::sniff_stream,
    blob_key, register::parse_sha256,
};
use crate::{
    App,
    event::{Event, EventData, EventType, Recording as EventRecording},
    id,
    ingest::Accepted,
    settings::{AccountConfig, EndpointKind},
};

impl App {
    /// Stores a recording's audio as it comes, in constant memory, and makes it available.
    pub async fn upload_recording(
        &self,
        config: &AccountConfig,
        recording: &str,
        mut bytes: ByteStream,
    ) -> Result<Recording, RecordingError> {
        let stored = self.recording(&config.account.id, recording).await?;
        let recording = stored.recording;
        match recording.status {
            Status::Pending => {}
            Status::Available => return Err(RecordingError::AlreadyStored),
            Status::Deleted => return Err(RecordingError::Deleted),
            Status::Refused => return Err(refused(&recording)),
        }
        // What an event named is looked at where it is: two hands on one object, and what was looked at
        // might not be what stays.
        if recording.import.is_some() || recording.blob != own_key(&recording) {
            return Err(RecordingError::Named);
        }
        if recording.encryption.is_sealed() {
            let before = StoredRecording {
                recording,
                version: stored.version,
            };
            return self.upload_sealed(config, &before, bytes).await;
        }
        let rules = self
            .recording_rules(&recording.account)
            .await?
            .ok_or(RecordingError::NotFound)?;
        // The store is told what it keeps, and not what was said of it. What is no audio is refused below.
        let (head, sniffed) = sniff_stream(&mut bytes).await?;
        let bytes = Box::pin(stream::iter([Ok(Bytes::from(head))]).chain(bytes));
        let content_type = match sniffed {
            Sniffed::Audio(format) => format.content_type().to_owned(),
            Sniffed::Other | Sniffed::More => recording.content_type.clone(),
        };
        let meta = BlobMeta {
            content_type,
            length: recording.size,
            sha256: recording.sha256.as_deref().and_then(parse_sha256),
            // That of now: whoever sets another, because the old one is no good any more, means this one too.
            kms_key: rules.store_key(recording.encryption),
        };
        // Nothing of a mismatch is stored: it can be sent again.
        self.blobs.put(&recording.blob, meta, bytes).await?;
        let completed = self.complete_recording(config, &recording.id).await;
        if let Err(RecordingError::NotFound) = &completed {
            // It took longer than an announced recording is waited for.
            self.remove_audio(&recording).await?;
        }
        completed
    }

    /// Looks at what was stored for a recording: audio makes it available, and is announced to the
    /// account's callback with a link; anything else is removed. Repeating it changes nothing.
    pub async fn complete_recording(
        &self,
        config: &AccountConfig,
        recording: &str,
    ) -> Result<Recording, RecordingError> {
        for _ in 0..ATTEMPTS {
            let stored = self.recording(&config.account.id, recording).await?;
            if stored.recording.status == Status::Pending && stored.recording.encryption.is_sealed()
            {
                return self.seal_staged(config, recording).await;
            }
            match stored.recording.status {
                Status::Available => {
                    // Put again by a link that was still good, or by whoever had an event name it, after a redaction:
                    // what it took away is not to come back by the side.
                    if stored.recording.redacted {
                        let again = [
                            Some(own_key(&stored.recording)),
                            stored.recording.import.clone(),
                        ];
                        for key in again.into_iter().flatten() {
                            if !stored.recording.names(&key) {
                                self.erase_object(&config.account.id, &key).await?;
                            }
                        }
                    }
                    // A process may have died between the two.
                    self.announce_recording(config, &stored.recording).await?;
                    return Ok(stored.recording);
                }
                // Put again by a link that was still good, or left when a process died: it goes.
                Status::Deleted => {
                    self.remove_leftover(&stored.recording).await?;
                    return Err(RecordingError::Deleted);
                }
                Status::Refused => {
                    self.remove_leftover(&stored.recording).await?;
                    return Err(refused(&stored.recording));
                }
                Status::Pending => {}
            }
            let seen = self.look_at(&stored.recording).await?;
            match self.settle_recording(config, &stored, &seen).await {
                Ok(()) => {}
                Err(StoreError::Condition { .. }) => continue,
                Err(error) => return Err(error.into()),
            }
            if seen.status == Status::Refused {
                // Only now: until then another one might find it good. What an event named was not put there
                // for us, and may be anything: it stays.
                self.remove_leftover(&seen).await?;
                return Err(refused(&seen));
            }
            self.announce_recording(config, &seen).await?;
            return Ok(seen);
        }
        Err(StoreError::Busy.into())
    }

    /// The recording as it is once its object has been looked at.
    async fn look_at(&self, recording: &Recording) -> Result<Recording, RecordingError> {
        let absent = |error| match error {
            BlobError::NotFound => RecordingError::NotStored,
            error => error.into(),
        };
        let mut seen = recording.clone();
        let mut refuse = |refusal| {
            seen.status = Status::Refused;
            seen.refusal = Some(refusal);
            seen.clone()
        };
        let mut looked = None;
        for limit in [HEAD_BYTES, MAX_HEAD_BYTES] {
            let (object, mut bytes) = match self.blobs.get(&recording.blob, Some(0..limit)).await {
                // Nothing in it.
                Err(BlobError::Range { .. }) => return Ok(refuse(Refusal::NotAudio)),
                other => other.map_err(absent)?,
            };
            let mut head = Vec::new();
            while let Some(part) = bytes.next().await {
                head.extend_from_slice(&part?);
            }
            let sniffed = AudioFormat::sniff(&head);
            looked = sniffed.format().map(|format| (object, format));
            if sniffed != Sniffed::More {
                break;
            }
        }
        let Some((object, format)) = looked else {
            return Ok(refuse(Refusal::NotAudio));
        };
        let sha256 = object.sha256.map(|sha256| id::hex(&sha256));
        let is_other = recording.size.is_some_and(|size| size != object.length)
            || matches!((&recording.sha256, &sha256), (Some(told), Some(found)) if told != found);
        if is_other {
            return Ok(refuse(Refusal::Mismatch));
        }
        seen.status = Status::Available;
        format.content_type().clone_into(&mut seen.content_type);
        seen.size = Some(object.length);
        seen.sha256 = seen.sha256.or(sha256);
        seen.blob_version = object.version;
        seen.stored_at = Some(self.clock.now());
        Ok(seen)
    }

    /// Removes what stands where the audio of a recording that has none would. Not an object that an
    /// event named: another event may have named it since.
    async fn remove_leftover(&self, recording: &Recording) -> Result<(), RecordingError> {
        if recording.blob == own_key(recording) {
            self.remove_audio(recording).await?;
        }
        Ok(())
    }

    /// Removes a recording's object in every version.
    pub(super) async fn remove_audio(&self, recording: &Recording) -> Result<(), RecordingError> {
        self.erase_object(&recording.account, &recording.blob)
            .await?;
        Ok(())
    }

    /// Writes what was seen; and the link that goes with the announcement, if somebody wants that.
    pub(super) async fn settle_recording(
        &self,
        config: &AccountConfig,
        before: &StoredRecording,
        after: &Recording,
    ) -> Result<(), StoreError> {
        let mut unit = Unit {
            ops: vec![
                Op::Put(after.put(When::Version(before.version))?),
                Op::Put(after.call_put()),
            ],
            sends: Vec::new(),
        };
        let is_wanted = config
            .endpoint(EndpointKind::Cdr)
            .is_some_and(|endpoint| endpoint.wants(EventType::RecordingAvailable));
        if after.is_available() && is_wanted {
            unit.ops.extend(self.announced_link_ops(after, None).await?);
        }
        self.table.commit(unit).await
    }

    /// Accepts the event that tells of a recording. The link is put into it when it is sent.
    pub(super) async fn announce_recording(
        &self,
        config: &AccountConfig,
        recording: &Recording,
    ) -> Result<(), RecordingError> {
        let id = announcement_id(&recording.id);
        let at = recording.stored_at.unwrap_or_else(|| self.clock.now());
        self.announce(config, announcement(recording, id, at)).await
    }

    /// The same after a redaction: whoever fetched the recording is to fetch it anew.
    pub(crate) async fn announce_redaction(
        &self,
        config: &AccountConfig,
        recording: &Recording,
        redaction: &str,
        at: Timestamp,
    ) -> Result<(), RecordingError> {
        let id = redaction_id(&recording.id, redaction);
        self.announce(config, announcement(recording, id, at)).await
    }

    async fn announce(&self, config: &AccountConfig, event: Event) -> Result<(), RecordingError> {
        match self.accept(config, vec![Ok(event)]).await?.pop() {
            Some(Accepted::Refused(error)) => {
                // Every field of it was checked when it was registered.
                tracing::error!(code = ?error.code, "a recording could not be announced");
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn own_key(recording: &Recording) -> String {
    blob_key(&recording.account, &recording.id)
}

pub(super) fn refused(recording: &Recording) -> RecordingError {
    RecordingError::Refused(recording.refusal.unwrap_or(Refusal::NotAudio))
}

/// The id of the event that announces a recording.
fn announcement_id(recording: &str) -> String {
    format!("{recording}.available")
}

/// The id of the event that announces a recording once more, after a redaction.
fn redaction_id(recording: &str, redaction: &str) -> String {
    format!("{recording}.redacted.{redaction}")
}

/// What an event of this id announces of a recording: the recording, or a redaction of it. `None`: it is
/// somebody else's event.
pub(crate) fn announced<'a>(recording: &str, event: &'a str) -> Option<Announced<'a>> {
    match event.strip_prefix(recording)? {
        ".available" => Some(Announced::Recording),
        other => other
            .strip_prefix(".redacted.")
            .filter(|redaction| id::Kind::Redaction.matches(redaction))
            .map(Announced::Redaction),
    }
}

/// What an event of ours announces.
pub(crate) enum Announced<'a> {
    /// That a recording is there.
    Recording,
    /// That it was redacted, by which redaction.
    Redaction(&'a str),
}

/// The event that announces a recording: the same each time it is made.
fn announcement(recording: &Recording, id: String, at: Timestamp) -> Event {
    Event {
        event_type: EventType::RecordingAvailable,
        timestamp: at,
        id,
        account_id: recording.account.clone(),
        data: EventData {
            call_id: Some(recording.call_id.clone()),
            agent_id: recording.agent_id.clone(),
            from: recording.from.clone(),
            to: recording.to.clone(),
            tags: (!recording.tags.is_empty()).then(|| recording.tags.clone()),
            recording: Some(EventRecording {
                id: Some(recording.id.clone()),
                duration: Some(recording.duration),
                redacted: recording.redacted.then_some(true),
                ..EventRecording::default()
            }),
            ..EventData::default()
        },
    }
}
