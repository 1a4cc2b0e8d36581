use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use ring::aead::{Aad, LessSafeKey};
use ringfence_ports::{BlobError, ByteStream, Random};

use crate::{
    DataKey,
    layout::{CHUNK, HEADER_BYTES, Header, SEALED_CHUNK},
};

/// A recording on its way into the store.
pub struct Sealed {
    /// The first bytes of [`Sealed::bytes`]. Kept beside the wrapped key, it saves a request at each
    /// reading, and ties the key to this very file.
    pub header: [u8; HEADER_BYTES],
    /// All of it, header included.
    pub bytes: ByteStream,
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealed")
    }
}

/// Seals chunk by chunk, for whoever has the bytes at hand; [`seal`] is for those that come.
pub struct Sealer {
    key: LessSafeKey,
    aad: Vec<u8>,
    header: Header,
    number: u32,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// Of one file under this key and context, which must be the same to open it.
    pub fn new(key: &DataKey, context: &str, random: &dyn Random) -> Result<Self, BlobError> {
        let header = Header::new(random);
        Ok(Self {
            key: key.of_file(&header).map_err(|_| refused())?,
            aad: [header.bytes().as_slice(), context.as_bytes()].concat(),
            header,
            number: 0,
        })
    }

    /// What the file begins with.
    pub fn header(&self) -> [u8; HEADER_BYTES] {
        *self.header.bytes()
    }

    /// Seals the next chunk where it is, and puts its tag behind it: [`CHUNK`] bytes, or whatever is left
    /// for the last one, which must be there and, unless it is the only one, not be empty.
    ///
    /// # Errors
    /// The chunk has another size, or is one too many.
    pub fn seal(&mut self, chunk: &mut BytesMut, is_last: bool) -> Result<(), BlobError> {
        if chunk.len() > CHUNK || (!is_last && chunk.len() < CHUNK) {
            return Err(BlobError::Invalid("a chunk of another size"));
        }
        let nonce = self.header.nonce(self.number, is_last);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(&self.aad), chunk)
            .map_err(|_| refused())?;
        chunk.extend_from_slice(tag.as_ref());
        if !is_last {
            self.number = self.number.checked_add(1).ok_or_else(refused)?;
        }
        Ok(())
    }
}

/// Seals a recording as it comes. `context` names it (`acc_…/recording/rec_…`) and must be the same to
/// open it. Holds one chunk. An error of `plain` is passed on and ends it, without a last chunk.
pub fn seal(
    key: &DataKey,
    context: &str,
    random: &dyn Random,
    plain: ByteStream,
) -> Result<Sealed, BlobError> {
    let writer = Writer {
        sealer: Sealer::new(key, context, random)?,
        plain,
        piece: Bytes::new(),
        chunk: BytesMut::with_capacity(SEALED_CHUNK),
    };
    let header = writer.sealer.header();
    let first = stream::iter([Ok(Bytes::copy_from_slice(&header))]);
    let chunks = stream::unfold(Some(writer), |writer| async {
        let mut writer = writer?;
        match writer.next().await {
            Ok((chunk, false)) => Some((Ok(chunk), Some(writer))),
            Ok((chunk, true)) => Some((Ok(chunk), None)),
            Err(error) => Some((Err(error), None)),
        }
    });
    Ok(Sealed {
        header,
        bytes: Box::pin(first.chain(chunks)),
    })
}

struct Writer {
    sealer: Sealer,
    plain: ByteStream,
    /// What came and is in no chunk yet.
    piece: Bytes,
    chunk: BytesMut,
}

impl Writer {
    /// The next chunk, and whether it is the last. A full one waits until it is known what follows.
    async fn next(&mut self) -> Result<(Bytes, bool), BlobError> {
        loop {
            let room = CHUNK - self.chunk.len();
            let taken = self.piece.split_to(room.min(self.piece.len()));
            self.chunk.extend_from_slice(&taken);
            if !self.piece.is_empty() {
                return Ok((self.seal(false)?, false));
            }
            match self.plain.next().await {
                Some(piece) => self.piece = piece?,
                None => return Ok((self.seal(true)?, true)),
            }
        }
    }

    fn seal(&mut self, is_last: bool) -> Result<Bytes, BlobError> {
        self.sealer.seal(&mut self.chunk, is_last)?;
        let next = BytesMut::with_capacity(if is_last { 0 } else { SEALED_CHUNK });
        Ok(std::mem::replace(&mut self.chunk, next).freeze())
    }
}

fn refused() -> BlobError {
    BlobError::Invalid("the recording is too long to be sealed")
}
