use std::ops::Range;

use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use ring::aead::{Aad, LessSafeKey};
use ringfence_ports::{BlobError, BlobHead, Blobs, ByteStream};

use crate::{
    DataKey, SealingError,
    layout::{CHUNK, HEADER_BYTES, Header, Layout},
};

/// Opens parts of one sealed recording.
#[derive(Clone)]
pub struct Opener {
    key: LessSafeKey,
    header: Header,
    aad: Vec<u8>,
    layout: Layout,
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opener")
            .field("layout", &self.layout)
            .finish_non_exhaustive()
    }
}

impl Opener {
    /// For the recording that was sealed under `key` and `context`, starts with `header`, and has
    /// `sealed_length` bytes. A wrong key or context shows when a chunk is opened.
    pub fn new(
        key: &DataKey,
        context: &str,
        header: &[u8],
        sealed_length: u64,
    ) -> Result<Self, SealingError> {
        let header = Header::parse(header)?;
        Ok(Self {
            key: key.of_file(&header).map_err(|_| SealingError::Header)?,
            aad: [header.bytes().as_slice(), context.as_bytes()].concat(),
            layout: Layout::of(sealed_length)?,
            header,
        })
    }

    /// Bytes of audio in it.
    pub fn plain_length(&self) -> u64 {
        self.layout.plain
    }

    /// The sealed bytes that a range of plain ones needs: whole chunks. Clipped to the end; a start
    /// at or past it, or an empty range, is an error. Of an empty recording, `0..0` is all there is.
    pub fn sealed_range(&self, plain: &Range<u64>) -> Result<Range<u64>, SealingError> {
        let (first, last) = self.chunks(plain)?;
        Ok(self.layout.sealed(first, last))
    }

    fn chunks(&self, plain: &Range<u64>) -> Result<(u32, u32), SealingError> {
        let length = self.layout.plain;
        // All of an empty one is as good a range as any.
        if *plain == (0..0) && length == 0 {
            return Ok((0, 0));
        }
        if plain.is_empty() || plain.start >= length {
            return Err(SealingError::Range { length });
        }
        let end = plain.end.min(length);
        Ok((
            self.layout.chunk_of(plain.start),
            self.layout.chunk_of(end - 1),
        ))
    }

    /// The plain bytes of `plain` from `sealed`, which are those that [`Opener::sealed_range`] names. A
    /// chunk that is not what was sealed there is [`BlobError::Damaged`], and nothing of it, or after
    /// it, is given out. Holds one chunk.
    pub fn open(&self, plain: Range<u64>, sealed: ByteStream) -> Result<ByteStream, SealingError> {
        let (first, last) = self.chunks(&plain)?;
        let reader = Reader {
            opener: self.clone(),
            sealed,
            piece: Bytes::new(),
            next: first,
            last,
            plain: plain.start..plain.end.min(self.layout.plain),
        };
        Ok(Box::pin(stream::unfold(Some(reader), |reader| async {
            let mut reader = reader?;
            match reader.next().await {
                Ok(Some(bytes)) => Some((Ok(bytes), Some(reader))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })))
    }

    /// The same from all of these sealed bytes at once, for whoever has them at hand: what was changed
    /// anywhere among them is [`BlobError::Damaged`], and nothing is given out.
    pub fn open_at_once(
        &self,
        plain: Range<u64>,
        mut sealed: Vec<u8>,
    ) -> Result<Bytes, SealingError> {
        let (first, last) = self.chunks(&plain)?;
        // Each chunk is opened where it is, then closes up to the one before.
        let (mut from, mut to) = (0, 0);
        for number in first..=last {
            let end = from + self.layout.size(number);
            let chunk = sealed.get_mut(from..end).ok_or(BlobError::Damaged)?;
            let length = self.open_in_place(number, chunk)?;
            sealed.copy_within(from..from + length, to);
            (from, to) = (end, to + length);
        }
        if from != sealed.len() {
            return Err(BlobError::Damaged.into());
        }
        sealed.truncate(to);
        Ok(self.clip(&plain, first, Bytes::from(sealed)))
    }

    /// Opens one chunk in its place; answers how many of its bytes are plain ones now.
    fn open_in_place(&self, number: u32, chunk: &mut [u8]) -> Result<usize, BlobError> {
        let nonce = self.header.nonce(number, number == self.layout.last);
        self.key
            .open_in_place(nonce, Aad::from(&self.aad), chunk)
            .map(|plain| plain.len())
            .map_err(|_| BlobError::Damaged)
    }

    /// What of `bytes`, which begin with chunk `first`, lies in `plain`.
    fn clip(&self, plain: &Range<u64>, first: u32, mut bytes: Bytes) -> Bytes {
        let at = u64::from(first) * CHUNK as u64;
        let end = plain.end.min(self.layout.plain).saturating_sub(at);
        bytes.truncate(usize::try_from(end).unwrap_or(usize::MAX));
        let start = usize::try_from(plain.start.saturating_sub(at)).unwrap_or(usize::MAX);
        bytes.advance(start.min(bytes.len()));
        bytes
    }
}

struct Reader {
    opener: Opener,
    sealed: ByteStream,
    /// What came and is in no chunk yet.
    piece: Bytes,
    next: u32,
    last: u32,
    plain: Range<u64>,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        loop {
            if self.next > self.last || (self.plain.is_empty() && self.next > 0) {
                return Ok(None);
            }
            let number = self.next;
            let mut chunk = self.chunk(self.opener.layout.size(number)).await?;
            let length = self.opener.open_in_place(number, &mut chunk)?;
            chunk.truncate(length);
            let bytes = chunk.freeze();
            let Some(next) = number.checked_add(1) else {
                self.plain.start = self.plain.end;
                return Ok(Some(bytes));
            };
            self.next = next;
            // Only the parts of the first and the last chunk that were asked for.
            let bytes = self.opener.clip(&self.plain, number, bytes);
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
    }

    /// Exactly so many sealed bytes.
    async fn chunk(&mut self, size: usize) -> Result<BytesMut, BlobError> {
        let mut chunk = BytesMut::with_capacity(size);
        while chunk.len() < size {
            if self.piece.is_empty() {
                self.piece = self.sealed.next().await.ok_or(BlobError::Damaged)??;
            }
            let missing = size - chunk.len();
            let taken = self.piece.split_to(missing.min(self.piece.len()));
            chunk.extend_from_slice(&taken);
        }
        Ok(chunk)
    }
}

/// Reads a sealed recording, or a range of it, from the store: the head tells of the plain bytes. With
/// the `header` that was kept at sealing and the sealed length this is one request; without them, two.
pub async fn read(
    blobs: &dyn Blobs,
    blob: &str,
    key: &DataKey,
    context: &str,
    kept: Option<(&[u8], u64)>,
    range: Option<Range<u64>>,
) -> Result<(BlobHead, ByteStream), SealingError> {
    let opener = if let Some((header, length)) = kept {
        Opener::new(key, context, header, length)?
    } else {
        let (head, header) = blobs.get(blob, Some(0..HEADER_BYTES as u64)).await?;
        let header = collect(header, HEADER_BYTES).await?;
        Opener::new(key, context, &header, head.length)?
    };
    let length = opener.plain_length();
    let plain = match range {
        Some(range) if range.is_empty() => return Err(SealingError::Range { length }),
        Some(range) => range.start..range.end.min(length).max(range.start),
        None => 0..length,
    };
    let sealed_range = opener.sealed_range(&plain)?;
    let (mut head, sealed) = match blobs.get(blob, Some(sealed_range)).await {
        // It ends before the length that was kept.
        Err(BlobError::Range { .. }) => return Err(SealingError::Length),
        got => got?,
    };
    if Layout::of(head.length)? != opener.layout {
        return Err(SealingError::Length);
    }
    head.length = length;
    // That of the sealed bytes.
    head.sha256 = None;
    Ok((head, opener.open(plain, sealed)?))
}

async fn collect(mut bytes: ByteStream, limit: usize) -> Result<Vec<u8>, BlobError> {
    let mut all = Vec::with_capacity(limit);
    while let Some(piece) = bytes.next().await {
        all.extend_from_slice(&piece?);
        if all.len() > limit {
            return Err(BlobError::Damaged);
        }
    }
    Ok(all)
}
