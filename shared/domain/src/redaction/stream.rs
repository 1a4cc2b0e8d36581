use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;
use ring::digest;
use ringfence_audio::{Redacted, RedactionError, Redactor};
use ringfence_ports::{BlobError, ByteStream};

use crate::recording::MAX_AUDIO_BYTES;

/// A redacted copy that has flowed by.
#[derive(Clone, Debug)]
pub(super) struct Copied {
    pub(super) redacted: Redacted,
    /// Bytes.
    pub(super) length: u64,
    pub(super) sha256: [u8; 32],
}

/// How the copying of a file ended; `None`: it has not, or the file could not be read to its end.
#[derive(Clone, Default)]
pub(super) struct Ending(Arc<Mutex<Option<Result<Copied, RedactionError>>>>);

impl Ending {
    pub(super) fn take(&self) -> Option<Result<Copied, RedactionError>> {
        let mut ending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ending.take()
    }

    fn set(&self, value: Result<Copied, RedactionError>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }
}

/// A file's bytes become those of its redacted copy, part by part. It fails at its end rather than being a
/// copy that is not redacted whole, so that nothing of such a one is stored.
pub(super) struct Redacting {
    file: ByteStream,
    /// `None`: it has ended.
    redactor: Option<Redactor>,
    digest: digest::Context,
    length: u64,
    ending: Ending,
}

impl Redacting {
    pub(super) fn new(file: ByteStream, redactor: Redactor) -> (Self, Ending) {
        let ending = Ending::default();
        let this = Self {
            file,
            redactor: Some(redactor),
            digest: digest::Context::new(&digest::SHA256),
            length: 0,
            ending: ending.clone(),
        };
        (this, ending)
    }

    /// What goes on of the copy. Frames of silence may be longer than those in whose place they stand: a file that is
    /// made of very short ones does not become longer than any recording may be.
    fn out(&mut self, copy: Vec<u8>) -> Result<Bytes, RedactionError> {
        self.digest.update(&copy);
        self.length += copy.len() as u64;
        if self.length > MAX_AUDIO_BYTES {
            return Err(RedactionError::Unsupported(
                "the copy would be longer than any recording may be",
            ));
        }
        Ok(Bytes::from(copy))
    }

    fn failed(&mut self, error: RedactionError) -> Poll<Option<Result<Bytes, BlobError>>> {
        self.redactor = None;
        self.ending.set(Err(error));
        Poll::Ready(Some(Err(BlobError::Mismatch)))
    }
}

impl Stream for Redacting {
    type Item = Result<Bytes, BlobError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        while let Some(redactor) = &mut this.redactor {
            match ready!(this.file.as_mut().poll_next(cx)) {
                Some(Ok(part)) => {
                    let mut copy = Vec::with_capacity(part.len());
                    if let Err(error) = redactor.push(&part, &mut copy) {
                        return this.failed(error);
                    }
                    if copy.is_empty() {
                        continue;
                    }
                    return match this.out(copy) {
                        Ok(part) => Poll::Ready(Some(Ok(part))),
                        Err(error) => this.failed(error),
                    };
                }
                Some(Err(error)) => {
                    this.redactor = None;
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    let Some(redactor) = this.redactor.take() else {
                        break;
                    };
                    let mut copy = Vec::new();
                    let redacted = match redactor.finish(&mut copy) {
                        Ok(redacted) => redacted,
                        Err(error) => return this.failed(error),
                    };
                    let last = match this.out(copy) {
                        Ok(last) => last,
                        Err(error) => return this.failed(error),
                    };
                    let mut sha256 = [0; 32];
                    sha256.copy_from_slice(this.digest.clone().finish().as_ref());
                    this.ending.set(Ok(Copied {
                        redacted,
                        length: this.length,
                        sha256,
                    }));
                    if !last.is_empty() {
                        return Poll::Ready(Some(Ok(last)));
                    }
                }
            }
        }
        Poll::Ready(None)
    }
}
