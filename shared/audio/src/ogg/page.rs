//! Pages of Ogg (RFC 3533, section 6): a header, a table of segments, and pieces of packets.

use crate::RedactionError;
use std::ops::Range;

/// What a page begins with: 22 bytes, its checksum, and how many segments there are. 255 lengths of 255 bytes
/// may follow, and what they are of: a page is 65,307 bytes at most.
const HEADER: usize = 27;

const CONTINUED: u8 = 1;
const FIRST: u8 = 2;
const LAST: u8 = 4;

#[expect(clippy::cast_possible_truncation, reason = "below 256")]
const CRC32: [u32; 256] = {
    let mut table = [0_u32; 256];
    let mut at = 0;
    while at < 256 {
        let mut crc = (at as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc << 1) ^ if crc >> 31 == 0 { 0 } else { 0x04c1_1db7 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
};

/// Goes on with `crc`: the usual polynomial of 32 bits, most significant bit first, begun with 0.
fn crc32(crc: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(crc, |crc, byte| {
        let [high, ..] = crc.to_be_bytes();
        (crc << 8) ^ CRC32.get(usize::from(high ^ byte)).copied().unwrap_or(0)
    })
}

/// How long the page is that begins with these bytes, as far as they tell: so many are needed to go on, and
/// if there are so many, they are the page.
pub(super) fn needed(start: &[u8]) -> Result<usize, RedactionError> {
    if !b"OggS\0".starts_with(start.get(..5).unwrap_or(start)) {
        return Err(RedactionError::Damaged(
            "an Ogg file with no page where one must begin",
        ));
    }
    let Some(segments) = start.get(HEADER - 1) else {
        return Ok(HEADER);
    };
    let table = HEADER + usize::from(*segments);
    Ok(match start.get(HEADER..table) {
        Some(table_bytes) => {
            table
                + table_bytes
                    .iter()
                    .map(|length| usize::from(*length))
                    .sum::<usize>()
        }
        None => table,
    })
}

/// A page that is whole, and what is to become of it.
#[derive(Debug)]
pub(super) struct Page {
    raw: Vec<u8>,
    pub(super) pieces: Vec<Piece>,
    is_changed: bool,
}

/// A packet, or the part of one that lies in this page.
#[derive(Debug)]
pub(super) struct Piece {
    content: Content,
    /// Whether the packet ends with it.
    pub(super) ends: bool,
}

#[derive(Debug)]
enum Content {
    Kept(Range<usize>),
    Replaced(Vec<u8>),
    Dropped,
}

impl Page {
    /// Of all bytes of it.
    pub(super) fn new(raw: Vec<u8>) -> Result<Self, RedactionError> {
        let damaged = RedactionError::Damaged("an Ogg page that is cut short");
        let (before, rest) = raw.split_at_checked(22).ok_or(damaged)?;
        let (stated, after) = rest.split_first_chunk::<4>().ok_or(damaged)?;
        let crc = crc32(crc32(crc32(0, before), &[0; 4]), after);
        if crc != u32::from_le_bytes(*stated) {
            return Err(RedactionError::Damaged(
                "an Ogg page whose checksum is wrong",
            ));
        }
        let segments = usize::from(*after.first().ok_or(damaged)?);
        let table = after.get(1..=segments).ok_or(damaged)?;
        let mut pieces = Vec::new();
        let mut start = HEADER + segments;
        let mut end = start;
        for length in table {
            end += usize::from(*length);
            if *length < 255 {
                pieces.push(Piece {
                    content: Content::Kept(start..end),
                    ends: true,
                });
                start = end;
            }
        }
        if table.last() == Some(&255) {
            pieces.push(Piece {
                content: Content::Kept(start..end),
                ends: false,
            });
        }
        Ok(Self {
            raw,
            pieces,
            is_changed: false,
        })
    }

    fn flags(&self) -> u8 {
        self.raw.get(5).copied().unwrap_or_default()
    }

    /// Whether it begins in the middle of a packet.
    pub(super) fn is_continued(&self) -> bool {
        self.flags() & CONTINUED != 0
    }

    /// Whether its stream begins with it.
    pub(super) fn is_first(&self) -> bool {
        self.flags() & FIRST != 0
    }

    /// Whether its stream ends with it.
    pub(super) fn is_last(&self) -> bool {
        self.flags() & LAST != 0
    }

    fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        let bytes = self
            .raw
            .get(at..at + N)
            .and_then(|bytes| bytes.try_into().ok());
        bytes.unwrap_or([0; N])
    }

    /// The granule position, -1 if no packet ends here.
    pub(super) fn granule(&self) -> i64 {
        i64::from_le_bytes(self.field(6))
    }

    /// The number of its stream.
    pub(super) fn serial(&self) -> u32 {
        u32::from_le_bytes(self.field(14))
    }

    /// Its number in the stream.
    pub(super) fn sequence(&self) -> u32 {
        u32::from_le_bytes(self.field(18))
    }

    /// What holding it takes, bytes.
    pub(super) fn weight(&self) -> usize {
        // Many small pages weigh too.
        self.raw.len() + 256
    }

    /// Whether it ends in the middle of a packet.
    pub(super) fn is_unfinished(&self) -> bool {
        self.pieces.last().is_some_and(|piece| !piece.ends)
    }

    /// A piece, as it came.
    pub(super) fn piece(&self, at: usize) -> &[u8] {
        match self.pieces.get(at).map(|piece| &piece.content) {
            Some(Content::Kept(range)) => self.raw.get(range.clone()).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Puts a packet in the place of the piece, which is the end of one.
    pub(super) fn replace(&mut self, at: usize, packet: Vec<u8>) {
        self.set(at, Content::Replaced(packet));
    }

    /// Leaves out a piece that is not the end of a packet.
    pub(super) fn drop_piece(&mut self, at: usize) {
        self.set(at, Content::Dropped);
    }

    /// Overwrites a piece where it stands.
    pub(super) fn overwrite(&mut self, at: usize, bytes: &[u8]) {
        if let Some(Content::Kept(range)) = self.pieces.get(at).map(|piece| &piece.content)
            && let Some(piece) = self.raw.get_mut(range.clone())
            && piece.len() == bytes.len()
        {
            piece.copy_from_slice(bytes);
            self.is_changed = true;
        }
    }

    /// Sets the last `count` bytes of a piece to zero, as far as it has them; gives how many are left to do.
    pub(super) fn clear_end(&mut self, at: usize, count: usize) -> usize {
        let Some(Content::Kept(range)) = self.pieces.get(at).map(|piece| &piece.content) else {
            return count;
        };
        let here = count.min(range.len());
        if let Some(bytes) = self.raw.get_mut(range.end - here..range.end)
            && bytes.iter().any(|byte| *byte != 0)
        {
            bytes.fill(0);
            self.is_changed = true;
        }
        count - here
    }

    fn set(&mut self, at: usize, content: Content) {
        if let Some(piece) = self.pieces.get_mut(at) {
            piece.content = content;
            self.is_changed = true;
        }
    }

    /// Adds the page to the copy, with what was replaced.
    pub(super) fn write(self, copy: &mut Vec<u8>) -> Result<(), RedactionError> {
        if !self.is_changed {
            copy.extend_from_slice(&self.raw);
            return Ok(());
        }
        let mut table = Vec::with_capacity(255);
        let mut body = Vec::with_capacity(self.raw.len());
        for (at, piece) in self.pieces.iter().enumerate() {
            let bytes = match &piece.content {
                Content::Kept(_) => self.piece(at),
                Content::Replaced(bytes) => bytes,
                Content::Dropped => continue,
            };
            table.resize(table.len() + bytes.len() / 255, 255);
            if piece.ends {
                table.push(u8::try_from(bytes.len() % 255).unwrap_or_default());
            }
            body.extend_from_slice(bytes);
        }
        // Silence takes no more segments than sound, so it fits.
        let segments = u8::try_from(table.len())
            .map_err(|_| RedactionError::Unsupported("an Ogg page too full for silence"))?;
        let mut header = self.raw.get(..HEADER).unwrap_or_default().to_vec();
        let first = self.pieces.first().map(|piece| &piece.content);
        if let Some(flags) = header.get_mut(5)
            && !matches!(first, Some(Content::Kept(_)))
        {
            *flags &= !CONTINUED;
        }
        if let Some(crc) = header.get_mut(22..26) {
            crc.fill(0);
        }
        if let Some(count) = header.last_mut() {
            *count = segments;
        }
        let crc = crc32(crc32(crc32(0, &header), &table), &body);
        if let Some(field) = header.get_mut(22..26) {
            field.copy_from_slice(&crc.to_le_bytes());
        }
        copy.extend_from_slice(&header);
        copy.extend_from_slice(&table);
        copy.extend_from_slice(&body);
        Ok(())
    }
}

/// Makes the checksum right of a page in whose bytes a test wrote.
#[cfg(test)]
pub(super) fn seal(page: &mut [u8]) {
    if let Some(crc) = page.get_mut(22..26) {
        crc.fill(0);
    }
    let crc = crc32(0, page);
    if let Some(field) = page.get_mut(22..26) {
        field.copy_from_slice(&crc.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_catalogue() {
        // What long division gives over the usual nine digits.
        assert_eq!(crc32(0, b"123456789"), 0x89a1_897f);
        assert_eq!(crc32(crc32(0, b"1234"), b"56789"), 0x89a1_897f);
    }
}
