//! Audio that Ringfence encrypts itself: sealed as it comes, opened as it is asked for, in constant
//! memory both times.

use std::{
    ops::Range,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt as _, stream};
use ring::digest;
use ringfence_audio::{HEAD_BYTES, MAX_HEAD_BYTES, Sniffed};
use ringfence_ports::{BlobError, BlobMeta, ByteStream, KeysError, StoreError};
use ringfence_sealing::{CustomerKey, DataKey, read, seal};

use super::{
    Recording, RecordingError, Refusal, Sealing, Status, StoredRecording, audio::sniff_stream,
    register::parse_sha256, staging_key, store::refused,
};
use crate::{
    App, id,
    settings::{AccountConfig, EncryptionMode, RecordingRules},
};

/// What the store is told that it keeps.
const SEALED_TYPE: &str = "application/octet-stream";

pub(super) fn context(recording: &Recording) -> String {
    format!("{}/recording/{}", recording.account, recording.id)
}

/// The key of the customer's that recordings are to be encrypted to, where they are.
pub(super) fn customer_key(rules: &RecordingRules) -> Result<Option<CustomerKey>, RecordingError> {
    if rules.encryption != EncryptionMode::Customer {
        return Ok(None);
    }
    fit_key(rules).map(Some)
}

fn fit_key(rules: &RecordingRules) -> Result<CustomerKey, RecordingError> {
    let pem = rules.public_key.as_deref();
    let pem = pem.ok_or(RecordingError::CustomerKey(None))?;
    CustomerKey::from_pem(pem).map_err(|error| RecordingError::CustomerKey(Some(error)))
}

impl App {
    /// Wraps a recording's data key for whoever may open it.
    async fn wrap(
        &self,
        key: &DataKey,
        recording: &Recording,
        customer: Option<&CustomerKey>,
    ) -> Result<(Vec<u8>, Option<String>), RecordingError> {
        let Some(customer) = customer else {
            let wrapped = key.wrap(&*self.keys, &context(recording)).await?;
            return Ok((wrapped, None));
        };
        let unfit = |error| RecordingError::CustomerKey(Some(error));
        let wrapped = customer.wrap(key, &*self.random).map_err(unfit)?;
        let fingerprint = customer.fingerprint().map_err(unfit)?;
        Ok((wrapped, Some(id::hex(&fingerprint))))
    }

    /// Seals a recording's audio as it comes. What is not audio never reaches the store; what turns out
    /// to be other than announced is not kept, and can be sent again.
    pub(super) async fn upload_sealed(
        &self,
        config: &AccountConfig,
        before: &StoredRecording,
        mut bytes: ByteStream,
    ) -> Result<Recording, RecordingError> {
        let mut after = before.recording.clone();
        // As it was when the recording was registered, whatever is in force now: what was to be for the
        // customer alone is never kept in another way.
        let customer = match after.encryption {
            EncryptionMode::Customer => {
                let rules = self.recording_rules(&after.account).await?;
                Some(fit_key(&*rules.ok_or(RecordingError::NotFound)?)?)
            }
            EncryptionMode::Client | EncryptionMode::Provider => None,
        };
        let (head, sniffed) = sniff_stream(&mut bytes).await?;
        // It ends before it was to: not even begun, and not yet to be judged.
        let needed = match sniffed {
            Sniffed::More => MAX_HEAD_BYTES,
            Sniffed::Audio(_) | Sniffed::Other => HEAD_BYTES,
        };
        if after
            .size
            .is_some_and(|size| (head.len() as u64) < size.min(needed))
        {
            return Err(RecordingError::Refused(Refusal::Mismatch));
        }
        let Sniffed::Audio(format) = sniffed else {
            after.status = Status::Refused;
            after.refusal = Some(Refusal::NotAudio);
            return match self.settle_recording(config, before, &after).await {
                Ok(()) => Err(refused(&after)),
                Err(StoreError::Condition { .. }) => Err(RecordingError::AlreadyStored),
                Err(error) => Err(error.into()),
            };
        };
        // A key of its own for each attempt, so that of two at once each has its own object.
        let mut tail = [0; 8];
        self.random.fill(&mut tail);
        after.blob = format!(
            "recordings/{}/{}/sealed-{}",
            after.account,
            after.id,
            id::hex(&tail)
        );
        let plain = stream::iter([Ok(Bytes::from(head))]).chain(bytes);
        let length = Arc::new(AtomicU64::new(0));
        let plain = Announced {
            inner: Box::pin(plain),
            digest: Some(digest::Context::new(&digest::SHA256)),
            length: Arc::clone(&length),
            told: after.size,
            sha256: after.sha256.as_deref().and_then(parse_sha256),
        };
        let (sealing, version) = self
            .put_sealed(&after, customer.as_ref(), Box::pin(plain))
            .await?;
        after.status = Status::Available;
        format.content_type().clone_into(&mut after.content_type);
        after.size = Some(length.load(Ordering::Acquire));
        after.stored_at = Some(self.clock.now());
        after.blob_version = version;
        after.sealing = Some(sealing);
        if let Err(error) = self.settle_recording(config, before, &after).await {
            // An answer may be lost on its way although the row was written: the row says so.
            let known = self.find_recording(&after.account, &after.id).await?;
            let is_ours = known.is_some_and(|known| known.recording.blob == after.blob);
            match error {
                _ if is_ours => {}
                StoreError::Condition { .. } => {
                    // Nothing names this object, and nothing will.
                    self.remove_audio(&after).await?;
                    return Err(RecordingError::AlreadyStored);
                }
                // It may yet be written: an object too many rather than a recording without one.
                error => return Err(error.into()),
            }
        }
        self.announce_recording(config, &after).await?;
        Ok(after)
    }

    /// Seals audio as it comes into the recording's object, under a data key of its own. Answers what opens
    /// it, and the object's version.
    pub(crate) async fn put_sealed(
        &self,
        recording: &Recording,
        customer: Option<&CustomerKey>,
        plain: ByteStream,
    ) -> Result<(Sealing, Option<String>), RecordingError> {
        let key = DataKey::generate(&*self.random);
        let (wrapped, customer_key) = self.wrap(&key, recording, customer).await?;
        let sealed = seal(&key, &context(recording), &*self.random, plain)?;
        let meta = BlobMeta {
            content_type: SEALED_TYPE.to_owned(),
            ..BlobMeta::default()
        };
        let header = STANDARD.encode(sealed.header);
        let stored = self.blobs.put(&recording.blob, meta, sealed.bytes).await?;
        let sealing = Sealing {
            wrapped_key: STANDARD.encode(wrapped),
            header,
            length: stored.length,
            customer_key,
        };
        Ok((sealing, stored.version))
    }

    /// All of a recording's audio, in the clear.
    pub(crate) async fn read_audio(
        &self,
        recording: &Recording,
    ) -> Result<ByteStream, RecordingError> {
        match &recording.sealing {
            Some(sealing) => {
                let all = 0..recording.size.unwrap_or_default();
                self.open_sealed(recording, sealing, all).await
            }
            None => Ok(self.blobs.get(&recording.blob, None).await?.1),
        }
    }

    /// Seals what stands in the store in the clear for a recording (put beside the way, or named by an
    /// event), and removes it. Repeating it changes nothing.
    pub(super) async fn seal_staged(
        &self,
        config: &AccountConfig,
        recording: &str,
    ) -> Result<Recording, RecordingError> {
        let account = config.account.id.as_str();
        let stored = self.recording(account, recording).await?;
        let staged = staged_key(&stored.recording);
        let is_import = stored.recording.import.is_some();
        let sealed = match stored.recording.status {
            Status::Pending if stored.recording.encryption.is_sealed() => {
                match self.blobs.get(&staged, None).await {
                    Ok((_, bytes)) => self.upload_sealed(config, &stored, bytes).await,
                    Err(BlobError::NotFound) => return Err(RecordingError::NotStored),
                    Err(error) => Err(error.into()),
                }
            }
            Status::Pending => return Err(RecordingError::NotStored),
            Status::Available => {
                // A process may have died between the two.
                self.announce_recording(config, &stored.recording).await?;
                Ok(stored.recording)
            }
            Status::Refused => Err(refused(&stored.recording)),
            Status::Deleted => Err(RecordingError::Deleted),
        };
        match &sealed {
            // What an event named was not put there for us, and may be anything: it stays.
            Err(RecordingError::Refused(_)) if is_import => {}
            // Settled, this time or before: nothing in the clear stays.
            Ok(_)
            | Err(
                RecordingError::Refused(_)
                | RecordingError::Deleted
                | RecordingError::AlreadyStored,
            ) => self.erase_object(account, &staged).await?,
            Err(_) => {}
        }
        match sealed {
            // Another process was first.
            Err(RecordingError::AlreadyStored) => {
                Ok(self.recording(account, recording).await?.recording)
            }
            sealed => sealed,
        }
    }

    /// A range of a sealed recording, in the clear.
    pub(super) async fn open_sealed(
        &self,
        recording: &Recording,
        sealing: &Sealing,
        range: Range<u64>,
    ) -> Result<ByteStream, RecordingError> {
        let decode = |text: &str| STANDARD.decode(text).map_err(|_| KeysError::Refused);
        let context = context(recording);
        let wrapped = decode(&sealing.wrapped_key)?;
        let header = decode(&sealing.header)?;
        let key = DataKey::unwrap(&*self.keys, &context, &wrapped).await?;
        let kept = Some((header.as_slice(), sealing.length));
        let opened = read(
            &*self.blobs,
            &recording.blob,
            &key,
            &context,
            kept,
            Some(range),
        )
        .await?;
        Ok(opened.1)
    }
}

/// Where a recording's audio stands in the clear before it is sealed.
fn staged_key(recording: &Recording) -> String {
    recording
        .import
        .clone()
        .unwrap_or_else(|| staging_key(&recording.account, &recording.id))
}

/// A stream that fails at its end when it was not what was announced, so that nothing of it is stored.
struct Announced {
    inner: ByteStream,
    digest: Option<digest::Context>,
    length: Arc<AtomicU64>,
    told: Option<u64>,
    sha256: Option<[u8; 32]>,
}

impl Stream for Announced {
    type Item = Result<Bytes, BlobError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        match ready!(this.inner.as_mut().poll_next(cx)) {
            Some(Ok(part)) => {
                let more = part.len() as u64;
                let length = this.length.fetch_add(more, Ordering::AcqRel) + more;
                if let Some(digest) = &mut this.digest {
                    digest.update(&part);
                }
                if this.told.is_some_and(|told| length > told) {
                    return Poll::Ready(Some(Err(BlobError::Mismatch)));
                }
                Poll::Ready(Some(Ok(part)))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            None => {
                let Some(digest) = this.digest.take() else {
                    return Poll::Ready(None);
                };
                let length = this.length.load(Ordering::Acquire);
                let is_other = this.told.is_some_and(|told| told != length)
                    || this
                        .sha256
                        .is_some_and(|told| digest.finish().as_ref() != told);
                Poll::Ready(is_other.then_some(Err(BlobError::Mismatch)))
            }
        }
    }
}
