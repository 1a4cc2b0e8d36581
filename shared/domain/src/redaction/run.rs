//! A redaction behind its order.

use std::borrow::Cow;

use futures_util::StreamExt as _;
use ringfence_audio::{AudioFormat, Redactor, Survey, Surveyed};
use ringfence_ports::{BlobError, BlobMeta, KeysError, Op, StoreError, Unit, When};
use serde_json::json;

use super::{
    Redaction, RedactionError, RedactionMessage, State, format,
    stream::{Copied, Redacting},
};
use crate::{
    App,
    event::EventType,
    history::{Action, Change},
    id,
    recording::{ATTEMPTS, Original, Recording, RecordingError},
    settings::{AccountConfig, EncryptionMode, EndpointKind},
};

/// How often a copy is made anew because the recording was changed meanwhile.
const COPIES: usize = 4;

/// After so many tries in vain it is given up, and says so. Tries are minutes apart.
const TRIES: u32 = 10;

/// After so many copies were begun it is given up too: whoever is ended in the middle of one, because it takes longer
/// than there is time, tells of no error.
const STARTS: u32 = 15;

impl App {
    /// Works on a redaction until it is done, or has failed for good. An error is to be tried again: whatever
    /// was done before stays done, and is not done twice.
    pub(crate) async fn redaction_message(
        &self,
        config: &AccountConfig,
        message: &RedactionMessage,
        receives: u32,
    ) -> Result<(), RecordingError> {
        let found = self
            .stored_redaction(&message.recording, &message.redaction)
            .await;
        let (redaction, version) = match found {
            Ok(found) => found,
            Err(RedactionError::NotFound) => return Ok(()),
            Err(error) => return Err(again(error)),
        };
        if redaction.state != State::Running || redaction.account != message.account {
            return Ok(());
        }
        let id = redaction.id.clone();
        let recording = redaction.recording.clone();
        if redaction.started >= STARTS && !redaction.replaced {
            tracing::warn!(
                redaction = id,
                "a recording was not redacted, again and again"
            );
            let told = "the copying of the audio was broken off again and again";
            return self.give_up(&recording, &id, told).await.map_err(again);
        }
        match self.redact(config, redaction, version).await {
            Ok(()) => Ok(()),
            Err(error) => {
                let told = told(&error);
                if told.is_none() && receives < TRIES {
                    return Err(again(error));
                }
                tracing::warn!(redaction = id, %error, "a recording was not redacted");
                let told = told.unwrap_or(Cow::Borrowed(
                    "the store, or a key, could not be reached for too long: redact again",
                ));
                self.give_up(&recording, &id, &told).await.map_err(again)
            }
        }
    }

    async fn redact(
        &self,
        config: &AccountConfig,
        mut redaction: Redaction,
        mut version: u64,
    ) -> Result<(), RedactionError> {
        let account = config.account.id.as_str();
        for _ in 0..COPIES {
            if redaction.replaced {
                break;
            }
            let stored = self.recording(account, &redaction.recording).await?;
            stored.recording.playable()?;
            if stored.recording.for_customer().is_some() {
                return Err(RedactionError::CustomerOnly);
            }
            let mut tail = [0; 8];
            self.random.fill(&mut tail);
            let mut after = stored.recording.clone();
            after.blob = format!(
                "recordings/{account}/{}/redacted-{}",
                after.id,
                id::hex(&tail)
            );
            // Of a try that broke off.
            redaction.abandoned.extend(redaction.written.take());
            redaction.written = Some(after.blob.clone());
            redaction.started += 1;
            if !self.note(&redaction, version).await? {
                // Somebody else works on it.
                return Ok(());
            }
            version += 1;
            self.forget_abandoned(&mut redaction).await?;
            let copied = match self.copy(&redaction, &stored.recording, &mut after).await {
                Ok(copied) => copied,
                Err(error) => {
                    self.forget(&redaction, &after.blob).await?;
                    let now = self.recording(account, &redaction.recording).await?;
                    if is_same_audio(&stored.recording, &now.recording) {
                        return Err(error);
                    }
                    // Another redaction took it away, or a deletion.
                    continue;
                }
            };
            redaction.silenced_ms = Some(copied.redacted.silenced_ms);
            let mut done = redaction.clone();
            done.replaced = true;
            done.written = None;
            let mut now = stored.clone();
            for _ in 0..ATTEMPTS {
                let placed = with_copy(&now.recording, &after, redaction.keep_original);
                let placed = self
                    .replace(config, (&placed, now.version), (&done, version))
                    .await;
                match placed {
                    Ok(true) => {
                        (redaction, version) = (done, version + 1);
                        break;
                    }
                    // The recording was changed meanwhile, or a hold placed or released. What was changed of it is
                    // mostly not its audio: else whoever may change a PIN could keep every redaction from its end.
                    Ok(false) => {
                        now = self.recording(account, &redaction.recording).await?;
                        if !is_same_audio(&stored.recording, &now.recording) {
                            break;
                        }
                    }
                    Err(error @ RedactionError::Held(_)) => {
                        self.forget(&redaction, &after.blob).await?;
                        return Err(error);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        if !redaction.replaced {
            return Err(StoreError::Busy.into());
        }
        self.destroy_copies(account, &redaction.recording).await?;
        let now = self.clock.now();
        let stored = self.recording(account, &redaction.recording).await?;
        if stored.recording.is_available() {
            self.announce_redaction(
                config,
                &stored.recording,
                &redaction.id,
                redaction.created_at,
            )
            .await?;
        }
        redaction.state = State::Done;
        redaction.finished_at = Some(now);
        self.note(&redaction, version).await?;
        Ok(())
    }

    /// Writes the redacted copy of `recording` to the object of `after`, encrypted as the recording is.
    async fn copy(
        &self,
        redaction: &Redaction,
        recording: &Recording,
        after: &mut Recording,
    ) -> Result<Copied, RedactionError> {
        let format = format(recording)?;
        let surveyed = self.survey(recording, format).await?;
        let redactor = Redactor::with_survey(
            format,
            redaction.spans()?,
            redaction.replacement(),
            surveyed,
        )?;
        let audio = self.read_audio(recording).await?;
        let (copy, ending) = Redacting::new(audio, redactor);
        let copy = Box::pin(copy);
        let put = if recording.sealing.is_some() {
            self.put_sealed(after, None, copy)
                .await
                .map(|(sealing, version)| (Some(sealing), version))
        } else {
            let rules = self
                .recording_rules(&recording.account)
                .await?
                .ok_or(RecordingError::NotFound)?;
            let meta = BlobMeta {
                content_type: recording.content_type.clone(),
                kms_key: rules.store_key(EncryptionMode::Provider),
                ..BlobMeta::default()
            };
            let put = self.blobs.put(&after.blob, meta, copy).await;
            put.map(|head| (None, head.version)).map_err(Into::into)
        };
        // What the audio is goes before what the store makes of it.
        let copied = match (ending.take(), &put) {
            (Some(Err(error)), _) => return Err(error.into()),
            (Some(Ok(copied)), Ok(_)) => copied,
            (None, Ok(_)) => return Err(RecordingError::Damaged.into()),
            (_, Err(_)) => {
                put?;
                return Err(RecordingError::Damaged.into());
            }
        };
        let (sealing, version) = put?;
        after.sealing = sealing;
        after.blob_version = version;
        after.size = Some(copied.length);
        after.sha256 = Some(id::hex(&copied.sha256));
        Ok(copied)
    }

    /// Reads as much of the audio as must be known before its spans can be silenced: of most formats nothing.
    async fn survey(
        &self,
        recording: &Recording,
        format: AudioFormat,
    ) -> Result<Surveyed, RedactionError> {
        let mut survey = Survey::new(format);
        if !survey.is_done() {
            let mut audio = self.read_audio(recording).await?;
            while !survey.is_done()
                && let Some(part) = audio.next().await
            {
                survey.push(&part.map_err(RecordingError::from)?)?;
            }
        }
        Ok(survey.finish()?)
    }

    /// Puts the copy in the place of the audio. `false`: it is to be looked at again.
    async fn replace(
        &self,
        config: &AccountConfig,
        (after, at): (&Recording, u64),
        (redaction, version): (&Redaction, u64),
    ) -> Result<bool, RedactionError> {
        let account = config.account.id.as_str();
        let (seen, holds) = self.holds_on(account, &[after]).await?;
        let holds: Vec<String> = holds.into_iter().flatten().collect();
        if !redaction.keep_original && !holds.is_empty() {
            return Err(RedactionError::Held(holds));
        }
        let mut unit = Unit {
            ops: vec![
                Op::Put(after.put(When::Version(at))?),
                Op::Put(redaction.put(self.clock.now(), When::Version(version))?),
                seen.unmoved(account),
            ],
            sends: Vec::new(),
        };
        let is_wanted = config
            .endpoint(EndpointKind::Cdr)
            .is_some_and(|endpoint| endpoint.wants(EventType::RecordingAvailable));
        if is_wanted {
            let link = self.announced_link_ops(after, Some(&redaction.id)).await?;
            unit.ops.extend(link);
        }
        let change = Change {
            item: redaction.item(),
            action: Action::Redact,
            before: serde_json::Value::Null,
            after: json!({
                "sha256": after.sha256, "size": after.size, "silenced_ms": redaction.silenced_ms,
                "original": if redaction.keep_original { "kept" } else { "destroyed" },
            }),
        };
        match self
            .commit_change(account, &redaction.actor(), change, unit)
            .await
        {
            Ok(_) => Ok(true),
            Err(StoreError::Condition { .. }) => {
                // The redaction's own row moves only by another hand on it.
                let (_, now) = self
                    .stored_redaction(&redaction.recording, &redaction.id)
                    .await?;
                if now == version {
                    return Ok(false);
                }
                // It is theirs now, and ours is in nobody's way.
                self.forget(redaction, &after.blob).await?;
                Err(StoreError::Busy.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the redaction's row. `false`: somebody else did.
    async fn note(&self, redaction: &Redaction, version: u64) -> Result<bool, StoreError> {
        let unit = Unit {
            ops: vec![Op::Put(
                redaction.put(self.clock.now(), When::Version(version))?,
            )],
            sends: Vec::new(),
        };
        match self.table.commit(unit).await {
            Ok(()) => Ok(true),
            Err(StoreError::Condition { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes the copies that broke off, which the redaction's row says.
    async fn forget_abandoned(&self, redaction: &mut Redaction) -> Result<(), RedactionError> {
        for copy in &redaction.abandoned {
            self.forget(redaction, copy).await?;
        }
        redaction.abandoned.clear();
        Ok(())
    }

    /// Removes a copy that is nobody's, and that nobody can put in the audio's place any more: the redaction's row has
    /// moved since it was begun, or it is our own.
    async fn forget(&self, redaction: &Redaction, copy: &str) -> Result<(), RedactionError> {
        // An answer may be lost on its way although the row was written.
        let known = self
            .find_recording(&redaction.account, &redaction.recording)
            .await?;
        if known.is_some_and(|known| known.recording.names(copy)) {
            return Ok(());
        }
        self.erase_object(&redaction.account, copy)
            .await
            .map_err(RecordingError::from)?;
        Ok(())
    }

    /// Writes that a redaction has failed.
    async fn give_up(
        &self,
        recording: &str,
        redaction: &str,
        why: &str,
    ) -> Result<(), RedactionError> {
        let (mut redaction, mut version) = self.stored_redaction(recording, redaction).await?;
        if redaction.state != State::Running {
            return Ok(());
        }
        if !redaction.replaced {
            // Nobody comes back for it: it would keep what a later redaction takes away.
            redaction.abandoned.extend(redaction.written.take());
            if !redaction.abandoned.is_empty() {
                redaction.started += 1;
                if !self.note(&redaction, version).await? {
                    return Err(StoreError::Busy.into());
                }
                version += 1;
                if let Err(error) = self.forget_abandoned(&mut redaction).await {
                    // It goes when the recording goes: that it is under way for ever is worse.
                    if redaction.started < 2 * STARTS {
                        return Err(error);
                    }
                    tracing::error!(redaction = redaction.id, %error, "a copy that broke off was not removed");
                }
            }
        }
        redaction.state = State::Failed;
        redaction.finished_at = Some(self.clock.now());
        redaction.failure = Some(if redaction.replaced {
            "the spans are inaudible, but the audio as it came is still in the store: redact again, and it \
             goes too"
                .to_owned()
        } else {
            why.to_owned()
        });
        self.note(&redaction, version).await?;
        Ok(())
    }
}

/// Whether a recording has the audio yet that it had.
fn is_same_audio(before: &Recording, now: &Recording) -> bool {
    now.is_available() && (&now.blob, &now.blob_version) == (&before.blob, &before.blob_version)
}

/// The recording as it is now, with the copy in its audio's place that `copied` has.
fn with_copy(now: &Recording, copied: &Recording, keep_original: bool) -> Recording {
    let mut after = Recording {
        blob: copied.blob.clone(),
        blob_version: copied.blob_version.clone(),
        size: copied.size,
        sha256: copied.sha256.clone(),
        sealing: copied.sealing.clone(),
        redacted: true,
        ..now.clone()
    };
    // What an event named may be put there again: it is known where to look for that.
    if now.blob.starts_with("imports/") {
        after.import = Some(now.blob.clone());
    }
    displace(now, &mut after, keep_original);
    after
}

/// Notes in the recording what its audio was before, as what is kept or as what is to be destroyed.
fn displace(before: &Recording, after: &mut Recording, keep_original: bool) {
    let displaced = Original {
        blob: before.blob.clone(),
        version: before.blob_version.clone(),
        content_type: before.content_type.clone(),
        size: before.size.unwrap_or_default(),
        sha256: before.sha256.clone(),
        sealing: before.sealing.clone(),
    };
    match (keep_original, after.original.take()) {
        (true, None) => after.original = Some(displaced),
        (true, Some(original)) => {
            // The audio as it came stays; what is displaced was redacted already.
            after.original = Some(original);
            after.copies.push(displaced.into_copy());
        }
        (false, original) => {
            let gone = original.into_iter().chain([displaced]);
            after.copies.extend(gone.map(Original::into_copy));
        }
    }
}

/// Why it can never be done, in plain words; `None`: it may yet.
fn told(error: &RedactionError) -> Option<Cow<'static, str>> {
    let plain = match error {
        // It says itself what is wrong with the file, and where its audio ends.
        RedactionError::Audio(error) => return Some(Cow::Owned(error.to_string())),
        RedactionError::Held(_) => {
            "a legal hold was placed meanwhile, which keeps the original: nothing was changed"
        }
        RedactionError::CustomerOnly => "only the customer can open this recording",
        RedactionError::Recording(error) => match error {
            RecordingError::NotFound | RecordingError::Deleted => {
                "the recording was deleted meanwhile"
            }
            RecordingError::Damaged => "the stored audio is damaged",
            RecordingError::Blob(BlobError::NotFound) => "the stored audio is gone",
            RecordingError::Keys(KeysError::Refused) => "the key that opens the audio is gone",
            RecordingError::StoreKey(_) => {
                "the account's own key of the provider cannot be used: set another, and redact again"
            }
            _ => return None,
        },
        _ => return None,
    };
    Some(Cow::Borrowed(plain))
}

fn again(error: RedactionError) -> RecordingError {
    match error {
        RedactionError::Recording(error) => error,
        RedactionError::Store(error) => error.into(),
        RedactionError::Keys(error) => error.into(),
        error => StoreError::Unavailable(error.to_string()).into(),
    }
}
