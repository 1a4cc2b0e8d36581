//! Audio that Ringfence encrypts itself: sealed as it comes, opened as it is asked for, in constant
//! memory both times.

use std::{
    ops::Range,
    pin::Pin,
    task::{Context, Poll, ready},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt as _, stream};
use ring::digest;
use ringfence_ports::{BlobError, BlobMeta, ByteStream, KeysError, StoreError};
use ringfence_sealing::{DataKey, read, seal};

use super::{
    Recording, RecordingError, Refusal, Sealing, Status, StoredRecording,
    audio::{AudioFormat, HEAD_BYTES},
    register::parse_sha256,
    store::refused,
};
use crate::{App, id, settings::AccountConfig};

/// What the store is told that it keeps.
const SEALED_TYPE: &str = "application/octet-stream";

fn context(recording: &Recording) -> String {
    format!("{}/recording/{}", recording.account, recording.id)
}

impl App {
    /// Seals a recording's audio as it comes. What is not audio never reaches the store; what turns out
    /// to be other than announced is not kept, and can be sent again.
    pub(super) async fn upload_sealed(
        &self,
        config: &AccountConfig,
        before: &StoredRecording,
        mut bytes: ByteStream,
    ) -> Result<Recording, RecordingError> {
        let mut after = before.recording.clone();
        let mut head = Vec::new();
        while (head.len() as u64) < HEAD_BYTES
            && let Some(part) = bytes.next().await
        {
            head.extend_from_slice(&part?);
        }
        let Some(format) = AudioFormat::sniff(&head) else {
            after.status = Status::Refused;
            after.refusal = Some(Refusal::NotAudio);
            self.settle_recording(config, before, &after).await?;
            return Err(refused(&after));
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
        let context = context(&after);
        let key = DataKey::generate(&*self.random);
        let wrapped = key.wrap(&*self.keys, &context).await?;
        let plain = stream::iter([Ok(Bytes::from(head))]).chain(bytes);
        let plain = Announced {
            inner: Box::pin(plain),
            digest: Some(digest::Context::new(&digest::SHA256)),
            length: 0,
            told: after.size,
            sha256: after.sha256.as_deref().and_then(parse_sha256),
        };
        let sealed = seal(&key, &context, &*self.random, Box::pin(plain))?;
        let meta = BlobMeta {
            content_type: SEALED_TYPE.to_owned(),
            ..BlobMeta::default()
        };
        let header = STANDARD.encode(sealed.header);
        let stored = self.blobs.put(&after.blob, meta, sealed.bytes).await?;
        after.status = Status::Available;
        format.content_type().clone_into(&mut after.content_type);
        after.stored_at = Some(self.clock.now());
        after.blob_version = stored.version;
        after.sealing = Some(Sealing {
            wrapped_key: STANDARD.encode(wrapped),
            header,
            length: stored.length,
        });
        match self.settle_recording(config, before, &after).await {
            Ok(()) => {}
            Err(error) => {
                // Nothing names this object.
                self.remove_audio(&after).await?;
                return Err(match error {
                    StoreError::Condition { .. } => RecordingError::AlreadyStored,
                    error => error.into(),
                });
            }
        }
        self.announce_recording(config, &after).await?;
        Ok(after)
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

/// A stream that fails at its end when it was not what was announced, so that nothing of it is stored.
struct Announced {
    inner: ByteStream,
    digest: Option<digest::Context>,
    length: u64,
    told: Option<u64>,
    sha256: Option<[u8; 32]>,
}

impl Stream for Announced {
    type Item = Result<Bytes, BlobError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        match ready!(this.inner.as_mut().poll_next(cx)) {
            Some(Ok(part)) => {
                this.length += part.len() as u64;
                if let Some(digest) = &mut this.digest {
                    digest.update(&part);
                }
                if this.told.is_some_and(|told| this.length > told) {
                    return Poll::Ready(Some(Err(BlobError::Mismatch)));
                }
                Poll::Ready(Some(Ok(part)))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            None => {
                let Some(digest) = this.digest.take() else {
                    return Poll::Ready(None);
                };
                let is_other = this.told.is_some_and(|told| told != this.length)
                    || this
                        .sha256
                        .is_some_and(|told| digest.finish().as_ref() != told);
                Poll::Ready(is_other.then_some(Err(BlobError::Mismatch)))
            }
        }
    }
}
