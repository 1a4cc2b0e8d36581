//! Where what lies in a sealed recording.

use std::ops::Range;

use ring::aead::{NONCE_LEN, Nonce};
use ringfence_ports::Random;

use crate::SealingError;

/// Bytes of plain text in each chunk but the last.
pub const CHUNK: usize = 64 * 1024;

/// Bytes of AES-GCM's tag.
pub(crate) const TAG: usize = 16;

/// Bytes before the first chunk.
pub const HEADER_BYTES: usize = 51;

const START: [u8; 12] = *b"RFSEAL\x01\x01\x00\x01\x00\x00";
const SALT: Range<usize> = 12..44;
const PREFIX: Range<usize> = 44..51;

/// The plain text of a chunk, and its tag.
pub(crate) const SEALED_CHUNK: usize = CHUNK + TAG;

/// Chunks are numbered in four bytes.
const MAX_CHUNKS: u64 = 1 << 32;

/// What stands before the chunks; nothing in it is secret, all of it is authenticated.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Header([u8; HEADER_BYTES]);

impl Header {
    pub(crate) fn new(random: &dyn Random) -> Self {
        let mut header = [0; HEADER_BYTES];
        let (start, rest) = header.split_at_mut(START.len());
        start.copy_from_slice(&START);
        random.fill(rest);
        Self(header)
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, SealingError> {
        let header: [u8; HEADER_BYTES] = bytes.try_into().map_err(|_| SealingError::Header)?;
        if header.starts_with(&START) {
            Ok(Self(header))
        } else {
            Err(SealingError::Header)
        }
    }

    pub(crate) fn bytes(&self) -> &[u8; HEADER_BYTES] {
        &self.0
    }

    pub(crate) fn salt(&self) -> &[u8] {
        self.0.get(SALT).unwrap_or_default()
    }

    pub(crate) fn nonce(&self, chunk: u32, is_last: bool) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        let prefix = self.0.get(PREFIX).unwrap_or_default();
        let rest = chunk.to_be_bytes().into_iter().chain([u8::from(is_last)]);
        for (byte, value) in nonce.iter_mut().zip(prefix.iter().copied().chain(rest)) {
            *byte = value;
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

/// How long a recording of `plain` bytes is when it is sealed.
pub fn sealed_length(plain: u64) -> u64 {
    let chunks = plain.div_ceil(CHUNK as u64).max(1);
    HEADER_BYTES as u64 + plain.saturating_add(chunks * TAG as u64)
}

/// What the length of a sealed recording tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Bytes of plain text.
    pub(crate) plain: u64,
    /// The last chunk's number.
    pub(crate) last: u32,
    sealed: u64,
}

impl Layout {
    pub(crate) fn of(sealed: u64) -> Result<Self, SealingError> {
        let chunks = sealed
            .checked_sub((HEADER_BYTES + TAG) as u64)
            .ok_or(SealingError::Length)?
            + TAG as u64;
        let count = chunks.div_ceil(SEALED_CHUNK as u64);
        if count > MAX_CHUNKS {
            return Err(SealingError::Length);
        }
        let in_last = chunks - (count - 1) * SEALED_CHUNK as u64;
        // Only the one chunk of an empty recording is empty.
        if in_last < TAG as u64 || (in_last == TAG as u64 && count > 1) {
            return Err(SealingError::Length);
        }
        Ok(Self {
            plain: chunks - count * TAG as u64,
            last: u32::try_from(count - 1).map_err(|_| SealingError::Length)?,
            sealed,
        })
    }

    /// The chunk that a byte of plain text lies in, for one that there is.
    pub(crate) fn chunk_of(&self, plain: u64) -> u32 {
        u32::try_from(plain / CHUNK as u64).map_or(self.last, |chunk| chunk.min(self.last))
    }

    /// The sealed bytes of chunks `first` to `last`.
    pub(crate) fn sealed(&self, first: u32, last: u32) -> Range<u64> {
        let start = |chunk: u32| HEADER_BYTES as u64 + u64::from(chunk) * SEALED_CHUNK as u64;
        let end = if last >= self.last {
            self.sealed
        } else {
            start(last + 1)
        };
        start(first)..end
    }

    /// Sealed bytes of one chunk.
    pub(crate) fn size(&self, chunk: u32) -> usize {
        let range = self.sealed(chunk, chunk);
        usize::try_from(range.end - range.start).unwrap_or(SEALED_CHUNK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_go_there_and_back() {
        let chunk = CHUNK as u64;
        for plain in [
            0,
            1,
            chunk - 1,
            chunk,
            chunk + 1,
            2 * chunk,
            2 * chunk + 1,
            7_200 * 16_000,
            1 << 40,
        ] {
            let layout = Layout::of(sealed_length(plain)).unwrap();
            assert_eq!(layout.plain, plain);
            assert_eq!(u64::from(layout.last), plain.saturating_sub(1) / chunk);
        }
    }

    #[test]
    fn lengths_that_cannot_be_are_refused() {
        let one = sealed_length(CHUNK as u64);
        // Less than a tag, and a second chunk without a byte.
        for sealed in [0, 1, 66, one + 1, one + 16, u64::MAX] {
            assert_eq!(Layout::of(sealed), Err(SealingError::Length), "{sealed}");
        }
        assert_eq!(Layout::of(one + 17).unwrap().plain, CHUNK as u64 + 1);
    }
}
