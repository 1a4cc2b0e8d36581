//! The index of an MPEG-4 file, its box `moov` (ISO/IEC 14496-12): where its one track of AAC has which access
//! unit, and when that is heard.

use super::aac::Config;
use crate::{
    RedactionError,
    format::mp4::{boxes, child},
    span::{Range, Samples, Spans},
};

/// The track of sound. Tables are kept as they came, and read entry by entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Index {
    pub(super) config: Config,
    /// Units of time in a second.
    timescale: u32,
    sizes: Sizes,
    /// How many access units there are.
    count: u32,
    /// Where the chunks lie, which are rows of access units.
    offsets: Offsets,
    /// From which chunk on there are how many access units in each; chunks count from 1.
    in_chunks: Vec<(u32, u32)>,
    /// How many access units last how long.
    lengths: Vec<(u32, u32)>,
    /// All of them together.
    total: u64,
    edit: Edit,
    /// What is left out at the start by what iTunes notes, samples.
    encoder_delay: u64,
    /// Whether there is no other track, which may have something between this one's.
    pub(super) is_alone: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Sizes {
    Same(u32),
    /// Numbers of so many bits, big-endian.
    Table(Vec<u8>, u32),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Offsets {
    table: Vec<u8>,
    /// Bytes of one: 4 or 8.
    width: usize,
}

/// How the track is heard (`elst`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Edit {
    /// Nothing is heard for so long.
    delay: u64,
    /// So much is left out at the start.
    skip: u64,
    /// So much is heard of it, if not all.
    length: Option<u64>,
}

/// Where an access unit lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) offset: u64,
    pub(super) size: u32,
    /// How long it is heard, units of time.
    pub(super) length: u32,
    pub(super) is_silenced: bool,
}

const DAMAGED: RedactionError = RedactionError::Damaged("an M4A whose index is broken");

/// What may stand in the boxes that are read. Where another one does, players may find other tables in it: ffmpeg looks
/// for them in every box that can have boxes. `ctts`, which moves access units in time, no audio has.
const IN_MOOV: &[&[u8; 4]] = &[
    b"mvhd", b"trak", b"iods", b"udta", b"meta", b"free", b"skip", b"uuid",
];
const IN_TRAK: &[&[u8; 4]] = &[
    b"tkhd", b"edts", b"mdia", b"tref", b"tapt", b"load", b"udta", b"meta", b"free", b"skip",
    b"uuid",
];
const IN_MDIA: &[&[u8; 4]] = &[
    b"mdhd", b"hdlr", b"minf", b"elng", b"free", b"skip", b"uuid",
];
const IN_MINF: &[&[u8; 4]] = &[
    b"smhd", b"dinf", b"stbl", b"hdlr", b"gmhd", b"nmhd", b"free", b"skip", b"uuid",
];
const IN_STBL: &[&[u8; 4]] = &[
    b"stsd", b"stts", b"stsz", b"stz2", b"stsc", b"stco", b"co64", b"stss", b"sdtp", b"sgpd",
    b"sbgp", b"stsh", b"padb", b"stdp", b"subs", b"cslg", b"free", b"skip", b"uuid",
];

/// The content of the one box of that name. Of two, players take the one or the other.
fn one(bytes: &[u8], name: [u8; 4]) -> Result<Option<&[u8]>, RedactionError> {
    let mut sought = None;
    for found in boxes(bytes) {
        let found = found.ok_or(DAMAGED)?;
        if found.name == name && sought.replace(found.content).is_some() {
            return Err(RedactionError::Damaged(
                "an M4A whose index has two tables of a kind",
            ));
        }
    }
    Ok(sought)
}

/// That nothing else stands in a box, and no track in what notes about it.
fn check_known(bytes: &[u8], known: &[&[u8; 4]]) -> Result<(), RedactionError> {
    for found in boxes(bytes) {
        let found = found.ok_or(DAMAGED)?;
        let is_note = matches!(&found.name, b"udta" | b"meta");
        if !known.contains(&&found.name)
            || (is_note && found.content.windows(4).any(|name| name == b"trak"))
        {
            return Err(RedactionError::Unsupported(
                "an M4A with something in its index that is not known",
            ));
        }
    }
    Ok(())
}

/// Whether a track that does not say to be sound has no coding of sound either (by that alone ffmpeg takes it for some), and
/// none of text, which may be captions: what was said in the spans.
fn is_silent(media: &[u8]) -> bool {
    let tables = child(media, *b"minf").and_then(|information| child(information, *b"stbl"));
    let codings = tables.and_then(|tables| child(tables, *b"stsd"));
    let is_one = codings.is_some_and(|codings| be32(codings, 4) == Some(1));
    let coding = codings.and_then(|codings| codings.get(12..16));
    is_one && matches!(coding, Some(b"tmcd" | b"jpeg"))
}

impl Index {
    /// From the content of `moov`.
    pub(super) fn new(moov: &[u8]) -> Result<Self, RedactionError> {
        let (mut sound, mut is_alone) = (None, true);
        for found in boxes(moov) {
            let found = found.ok_or(DAMAGED)?;
            match &found.name {
                b"mvex" => return Err(RedactionError::Unsupported("a fragmented M4A")),
                b"trak" => {
                    let media = one(found.content, *b"mdia")?.ok_or(DAMAGED)?;
                    let handler = one(media, *b"hdlr")?.and_then(|handler| handler.get(8..12));
                    let handler = handler.ok_or(DAMAGED)?;
                    if handler == b"hint" {
                        // Its packets may hold copies of the sound.
                        return Err(RedactionError::Unsupported(
                            "an M4A with hints for streaming",
                        ));
                    }
                    if handler != b"soun" {
                        is_alone = false;
                        if handler != b"vide" && !is_silent(media) {
                            return Err(RedactionError::Unsupported(
                                "an M4A with another track that may tell of the sound",
                            ));
                        }
                    } else if sound.replace((found.content, media)).is_some() {
                        return Err(RedactionError::Unsupported(
                            "an M4A with two tracks of sound",
                        ));
                    }
                }
                _ => {}
            }
        }
        let (track, media) = sound.ok_or(RedactionError::Damaged("an M4A with no sound"))?;
        let information = one(media, *b"minf")?.ok_or(DAMAGED)?;
        let tables = one(information, *b"stbl")?.ok_or(DAMAGED)?;
        for (content, known) in [
            (moov, IN_MOOV),
            (track, IN_TRAK),
            (media, IN_MDIA),
            (information, IN_MINF),
            (tables, IN_STBL),
        ] {
            check_known(content, known)?;
        }
        let timescale = timescale(one(media, *b"mdhd")?.ok_or(DAMAGED)?).ok_or(DAMAGED)?;
        let of_movie = timescale_of_movie(moov)?.ok_or(DAMAGED)?;
        let table = |name: &[u8; 4]| one(tables, *name);
        let config = config(table(b"stsd")?.ok_or(DAMAGED)?)?;
        let (sizes, count) = match (table(b"stsz")?, table(b"stz2")?) {
            (Some(sizes), None) => plain_sizes(sizes),
            (None, Some(sizes)) => compact_sizes(sizes),
            _ => None,
        }
        .ok_or(DAMAGED)?;
        let offsets = match (table(b"stco")?, table(b"co64")?) {
            (Some(offsets), None) => Offsets::new(offsets, 4),
            (None, Some(offsets)) => Offsets::new(offsets, 8),
            _ => None,
        }
        .ok_or(DAMAGED)?;
        let mut in_chunks = Vec::new();
        for entry in entries(table(b"stsc")?.ok_or(DAMAGED)?, 12).ok_or(DAMAGED)? {
            in_chunks.push((
                be32(entry, 0).ok_or(DAMAGED)?,
                be32(entry, 4).ok_or(DAMAGED)?,
            ));
        }
        let (mut lengths, mut total, mut timed) = (Vec::new(), 0_u64, 0_u64);
        for entry in entries(table(b"stts")?.ok_or(DAMAGED)?, 8).ok_or(DAMAGED)? {
            let (units, length) = (
                be32(entry, 0).ok_or(DAMAGED)?,
                be32(entry, 4).ok_or(DAMAGED)?,
            );
            lengths.push((units, length));
            timed = timed.saturating_add(u64::from(units));
            total = total.saturating_add(u64::from(units) * u64::from(length));
        }
        let index = Self {
            config,
            timescale,
            sizes,
            count,
            offsets,
            in_chunks,
            lengths,
            total,
            edit: edit(track, timescale, of_movie)?,
            encoder_delay: encoder_delay(moov),
            is_alone,
        };
        if timed != u64::from(count) || index.in_chunks() != Some(u64::from(count)) {
            return Err(RedactionError::Damaged(
                "an M4A whose index contradicts itself",
            ));
        }
        // Units that last twice as long as they have samples: spectral band replication that nothing tells of.
        let samples = u128::from(count) * u128::from(config.frame);
        let plain = samples * u128::from(timescale) / u128::from(config.rate);
        if count > 1 && u128::from(total) * 10 >= plain * 19 {
            return Err(RedactionError::Unsupported("HE-AAC"));
        }
        Ok(index)
    }

    /// How many access units the chunks have; `None` if the table is not in order.
    fn in_chunks(&self) -> Option<u64> {
        let chunks = u32::try_from(self.offsets.table.len() / self.offsets.width).ok()?;
        let mut units = 0_u64;
        let mut ends = self.in_chunks.iter().skip(1).map(|(first, _)| *first);
        if self.in_chunks.first().is_some_and(|(first, _)| *first != 1) {
            return None;
        }
        for (first, each) in &self.in_chunks {
            let end = ends.next().unwrap_or(chunks.checked_add(1)?);
            let here = u64::from(end.checked_sub(*first)?);
            if here == 0 || end > chunks + 1 {
                return None;
            }
            units = units.checked_add(here * u64::from(*each))?;
        }
        Some(units)
    }

    /// The spans as units of time of the track: by every reading of what is left out at its start.
    fn ranges(&self, spans: &Spans) -> Samples {
        let (skip, delay) = (self.edit.skip, self.edit.delay);
        let noted = u64::try_from(
            u128::from(self.encoder_delay) * u128::from(self.timescale)
                / u128::from(self.config.rate),
        );
        let readings = [
            (0, 0),
            (skip, 0),
            (0, delay),
            (skip, delay),
            (noted.unwrap_or(0), 0),
        ];
        let mut ranges = Vec::new();
        for range in spans.in_samples(self.timescale).iter() {
            for (skip, delay) in readings {
                let shift = |at: u64| at.saturating_add(skip).saturating_sub(delay);
                ranges.push(Range {
                    start: shift(range.start),
                    end: shift(range.end),
                });
            }
        }
        Samples::union(ranges)
    }

    /// How long it is heard, ms, and whether spans begin past its end.
    pub(super) fn duration(&self, spans: &Spans) -> (u64, bool) {
        let rest = self.total.saturating_sub(self.edit.skip);
        let length = self.edit.length.map_or(rest, |length| length.min(rest));
        let length = length.saturating_add(self.edit.delay);
        let past_end = spans.in_samples(self.timescale).last_start() >= length;
        (self.in_ms(length), past_end)
    }

    /// Units of time in ms, rounded down.
    pub(super) fn in_ms(&self, length: u64) -> u64 {
        length.saturating_mul(1_000) / u64::from(self.timescale)
    }

    /// The same, rounded up.
    pub(super) fn in_ms_at_least(&self, length: u64) -> u64 {
        length
            .saturating_mul(1_000)
            .div_ceil(u64::from(self.timescale))
    }
}

/// Goes through the access units in order.
#[derive(Debug)]
pub(super) struct Units {
    index: Index,
    ranges: Samples,
    /// The unit that comes next, and whether it is heard in a span.
    next: Option<(Unit, bool)>,
    /// Whether the one before it is.
    is_before_heard: bool,
    /// How many were read from the tables.
    read: u32,
    chunk: u32,
    left_in_chunk: u32,
    row_of_chunk: usize,
    row_of_length: usize,
    left_of_length: u32,
    offset: u64,
    time: u64,
}

impl Units {
    pub(super) fn new(index: Index, spans: &Spans) -> Result<Self, RedactionError> {
        let mut units = Self {
            ranges: index.ranges(spans),
            index,
            next: None,
            is_before_heard: false,
            read: 0,
            chunk: 0,
            left_in_chunk: 0,
            row_of_chunk: 0,
            row_of_length: 0,
            left_of_length: 0,
            offset: 0,
            time: 0,
        };
        units.next = units.read()?;
        Ok(units)
    }

    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    /// The next one.
    pub(super) fn next(&mut self) -> Result<Option<Unit>, RedactionError> {
        let behind = self.read()?;
        let Some((mut unit, is_heard)) = std::mem::replace(&mut self.next, behind) else {
            return Ok(None);
        };
        // A unit is heard together with the one before it and the one behind.
        let is_behind_heard = self.next.is_some_and(|(_, is_heard)| is_heard);
        unit.is_silenced = is_heard || self.is_before_heard || is_behind_heard;
        self.is_before_heard = is_heard;
        Ok(Some(unit))
    }

    /// Reads the tables on by one.
    fn read(&mut self) -> Result<Option<(Unit, bool)>, RedactionError> {
        let index = &self.index;
        if self.read >= index.count {
            return Ok(None);
        }
        let before = self.offset;
        while self.left_in_chunk == 0 {
            self.chunk = self.chunk.checked_add(1).ok_or(DAMAGED)?;
            let following = index.in_chunks.get(self.row_of_chunk + 1);
            if following.is_some_and(|(first, _)| *first <= self.chunk) {
                self.row_of_chunk += 1;
            }
            self.left_in_chunk = index.in_chunks.get(self.row_of_chunk).ok_or(DAMAGED)?.1;
            self.offset = index.offsets.get(self.chunk).ok_or(DAMAGED)?;
        }
        while self.left_of_length == 0 {
            self.left_of_length = index.lengths.get(self.row_of_length).ok_or(DAMAGED)?.0;
            self.row_of_length += 1;
        }
        let row = self.row_of_length.checked_sub(1).ok_or(DAMAGED)?;
        let length = index.lengths.get(row).ok_or(DAMAGED)?.1;
        let size = index.sizes.get(self.read).ok_or(DAMAGED)?;
        if self.offset < before {
            return Err(RedactionError::Unsupported(
                "an M4A whose audio is not in order",
            ));
        }
        let unit = Unit {
            offset: self.offset,
            size,
            length,
            is_silenced: false,
        };
        let end = self.time.saturating_add(u64::from(length));
        // Players that go by the samples alone come to another time where the table has gaps.
        let counted = |unit: u32| {
            let samples = u128::from(unit) * u128::from(index.config.frame);
            let time = samples * u128::from(index.timescale) / u128::from(index.config.rate);
            u64::try_from(time).unwrap_or(u64::MAX)
        };
        let is_heard = self.ranges.touch(self.time, end)
            || self
                .ranges
                .touch(counted(self.read), counted(self.read + 1));
        self.read += 1;
        self.left_in_chunk -= 1;
        self.left_of_length -= 1;
        self.offset = self.offset.checked_add(u64::from(size)).ok_or(DAMAGED)?;
        self.time = end;
        Ok(Some((unit, is_heard)))
    }
}

impl Sizes {
    fn get(&self, unit: u32) -> Option<u32> {
        match self {
            Self::Same(size) => Some(*size),
            Self::Table(table, bits) => {
                let at = usize::try_from(u64::from(unit) * u64::from(*bits) / 8).ok()?;
                match bits {
                    4 => {
                        let shift = if unit.is_multiple_of(2) { 4 } else { 0 };
                        Some(u32::from(*table.get(at)? >> shift) & 0xf)
                    }
                    8 => Some(u32::from(*table.get(at)?)),
                    16 => Some(u32::from(u16::from_be_bytes(
                        table.get(at..at + 2)?.try_into().ok()?,
                    ))),
                    _ => be32(table, at),
                }
            }
        }
    }
}

impl Offsets {
    fn new(content: &[u8], width: usize) -> Option<Self> {
        let count = usize::try_from(be32(content, 4)?).ok()?;
        let table = content.get(8..)?.get(..count.checked_mul(width)?)?;
        Some(Self {
            table: table.to_vec(),
            width,
        })
    }

    /// Of a chunk, counted from 1.
    fn get(&self, chunk: u32) -> Option<u64> {
        let at = usize::try_from(chunk.checked_sub(1)?)
            .ok()?
            .checked_mul(self.width)?;
        match self.width {
            4 => be32(&self.table, at).map(u64::from),
            _ => be64(&self.table, at),
        }
    }
}

/// `stsz`: a size for all, or a table.
fn plain_sizes(content: &[u8]) -> Option<(Sizes, u32)> {
    /// As many as a table in an index has room for. It is by this that a number alone cannot mean endless work.
    const MAX: u32 = 4 * 1024 * 1024;
    let (same, count) = (be32(content, 4)?, be32(content, 8)?);
    if same > 0 {
        return (count <= MAX).then_some((Sizes::Same(same), count));
    }
    let length = usize::try_from(count).ok()?.checked_mul(4)?;
    let table = content.get(12..)?.get(..length)?;
    Some((Sizes::Table(table.to_vec(), 32), count))
}

/// `stz2`: a table of small numbers.
fn compact_sizes(content: &[u8]) -> Option<(Sizes, u32)> {
    let (bits, count) = (u32::from(*content.get(7)?), be32(content, 8)?);
    if !matches!(bits, 4 | 8 | 16) {
        return None;
    }
    let length = usize::try_from((u64::from(count) * u64::from(bits)).div_ceil(8)).ok()?;
    let table = content.get(12..)?.get(..length)?;
    Some((Sizes::Table(table.to_vec(), bits), count))
}

/// The entries of a table, so long each, behind version, flags and their number.
fn entries(content: &[u8], length: usize) -> Option<impl Iterator<Item = &[u8]>> {
    let count = usize::try_from(be32(content, 4)?).ok()?;
    let table = content.get(8..)?.get(..count.checked_mul(length)?)?;
    Some(table.chunks_exact(length))
}

/// Of `mdhd` and `mvhd`, which begin alike.
fn timescale(content: &[u8]) -> Option<u32> {
    let at = match content.first()? {
        0 => 12,
        1 => 20,
        _ => return None,
    };
    be32(content, at).filter(|timescale| *timescale > 0)
}

fn timescale_of_movie(moov: &[u8]) -> Result<Option<u32>, RedactionError> {
    Ok(one(moov, *b"mvhd")?.and_then(timescale))
}

/// What the one kind of sound is (`stsd`).
fn config(content: &[u8]) -> Result<Config, RedactionError> {
    if be32(content, 4) != Some(1) {
        return Err(RedactionError::Unsupported(
            "an M4A that changes its coding",
        ));
    }
    let entry = boxes(content.get(8..).ok_or(DAMAGED)?);
    let entry = entry.map_while(|found| found).next().ok_or(DAMAGED)?;
    match &entry.name {
        b"mp4a" => {}
        b"alac" => return Err(RedactionError::Unsupported("Apple Lossless")),
        b"Opus" => return Err(RedactionError::Unsupported("Opus in MPEG-4")),
        b"fLaC" => return Err(RedactionError::Unsupported("FLAC in MPEG-4")),
        b".mp3" => return Err(RedactionError::Unsupported("MP3 in MPEG-4")),
        b"enca" => return Err(RedactionError::Unsupported("an encrypted M4A")),
        _ => {
            return Err(RedactionError::Unsupported(
                "an M4A of another coding than AAC",
            ));
        }
    }
    // A version of QuickTime's has more fields.
    if entry.content.get(8..10) != Some(&[0, 0]) {
        return Err(RedactionError::Unsupported("an M4A as QuickTime has it"));
    }
    let extensions = entry.content.get(28..).ok_or(DAMAGED)?;
    if child(extensions, *b"sinf").is_some() {
        return Err(RedactionError::Unsupported("an encrypted M4A"));
    }
    let descriptor = child(extensions, *b"esds").and_then(|content| content.get(4..));
    Config::new(decoder_settings(descriptor.ok_or(DAMAGED)?)?)
}

/// What is in the descriptors (ISO/IEC 14496-1, 7.2.6) for the decoder.
fn decoder_settings(bytes: &[u8]) -> Result<&[u8], RedactionError> {
    const STREAM: u8 = 3;
    const DECODER: u8 = 4;
    const SETTINGS: u8 = 5;
    let stream = descriptor(bytes, STREAM).ok_or(DAMAGED)?;
    // Behind its number there may be another one, an address, and one more.
    let flags = *stream.get(2).ok_or(DAMAGED)?;
    let mut at = 3;
    if flags & 0x80 != 0 {
        at += 2;
    }
    if flags & 0x40 != 0 {
        at += 1 + usize::from(*stream.get(at).ok_or(DAMAGED)?);
    }
    if flags & 0x20 != 0 {
        at += 2;
    }
    let decoder = stream
        .get(at..)
        .and_then(|rest| descriptor(rest, DECODER))
        .ok_or(DAMAGED)?;
    match decoder.first() {
        // MPEG-4, and MPEG-2 of low complexity.
        Some(0x40 | 0x67) => {}
        Some(0x69 | 0x6b) => return Err(RedactionError::Unsupported("MP3 in MPEG-4")),
        _ => {
            return Err(RedactionError::Unsupported(
                "an M4A of another coding than AAC",
            ));
        }
    }
    decoder
        .get(13..)
        .and_then(|rest| descriptor(rest, SETTINGS))
        .ok_or(DAMAGED)
}

/// The content of the descriptor that begins here, if it is of this kind.
fn descriptor(bytes: &[u8], kind: u8) -> Option<&[u8]> {
    let (tag, mut rest) = bytes.split_first()?;
    let mut length = 0;
    // Seven bits a byte, four bytes at most.
    for _ in 0..4 {
        let (byte, behind) = rest.split_first()?;
        rest = behind;
        length = (length << 7) | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    (*tag == kind).then_some(rest.get(..length)?)
}

/// What of the track is heard: all, or one piece, perhaps after a while (`elst`).
fn edit(track: &[u8], timescale: u32, of_movie: u32) -> Result<Edit, RedactionError> {
    let edits = one(track, *b"edts")?;
    let Some(list) = edits
        .map(|edits| one(edits, *b"elst"))
        .transpose()?
        .flatten()
    else {
        return Ok(Edit::default());
    };
    let is_long = match list.first() {
        Some(0) => false,
        Some(1) => true,
        _ => return Err(DAMAGED),
    };
    let in_track = |length: u64| {
        let length = u128::from(length) * u128::from(timescale) / u128::from(of_movie);
        u64::try_from(length).unwrap_or(u64::MAX)
    };
    let mut edit = Edit::default();
    let mut is_heard = false;
    let width = if is_long { 20 } else { 12 };
    for row in entries(list, width).ok_or(DAMAGED)? {
        let (length, start, rate) = if is_long {
            (be64(row, 0), be64(row, 8), be32(row, 16))
        } else {
            let start = be32(row, 4).map(|start| match start {
                u32::MAX => u64::MAX,
                start => u64::from(start),
            });
            (be32(row, 0).map(u64::from), start, be32(row, 8))
        };
        let (length, start) = (length.ok_or(DAMAGED)?, start.ok_or(DAMAGED)?);
        if start == u64::MAX && !is_heard {
            edit.delay = edit.delay.saturating_add(in_track(length));
        } else if rate == Some(0x1_0000) && !is_heard && u32::try_from(start).is_ok() {
            is_heard = true;
            edit.skip = start;
            // Nought is for what is not known yet.
            edit.length = (length > 0).then(|| in_track(length));
        } else {
            return Err(RedactionError::Unsupported(
                "an M4A that is played in pieces",
            ));
        }
    }
    Ok(edit)
}

/// What iTunes notes of the encoder's delay, samples: in the third number of the text behind its name. No
/// more of it than a few access units is taken.
fn encoder_delay(moov: &[u8]) -> u64 {
    const NAME: &[u8] = b"iTunSMPB";
    let Some(at) = moov.windows(NAME.len()).position(|window| window == NAME) else {
        return 0;
    };
    let text = moov.iter().skip(at + NAME.len()).take(64).copied();
    let text: String = text.map(char::from).collect();
    let noted = text.split(' ').nth(2);
    let noted = noted.and_then(|number| u64::from_str_radix(number, 16).ok());
    noted.unwrap_or(2_112).min(8 * 1_024)
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    let end = at.checked_add(4)?;
    Some(u32::from_be_bytes(bytes.get(at..end)?.try_into().ok()?))
}

fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    let end = at.checked_add(8)?;
    Some(u64::from_be_bytes(bytes.get(at..end)?.try_into().ok()?))
}
