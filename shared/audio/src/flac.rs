//! FLAC (RFC 9639).
//!
//! Frames stand for themselves: one that is heard within a span is replaced by one of zeros that has its number and
//! as many samples, and all others stay to the byte. What the metadata says of all frames (their checksum, the smallest
//! and the largest one, where some begin) is set to what stands for "unknown".
//!
//! Frames do not say how long they are. One ends where the next one's header begins (section 9.1: with its own check,
//! and the number that comes next) and all bytes before have the check of a whole frame; or where the file ends. Then
//! it is read through: a frame of which a decoder would make anything else is refused.

use crate::{
    Redacted, RedactionError,
    bits::{BitReader, BitWriter},
    crc::{crc8, crc16},
    span::{Samples, Spans},
};

/// Bytes of a part that are looked at together: so much is held beside one frame.
const STEP: usize = 4_096;

/// Section 9.1: two bytes of sync, two of codes, a number of seven, two uncommon values, the check.
const MAX_HEADER: usize = 4 + 7 + 2 + 2 + 1;

/// ffmpeg's demuxer, which is that of most browsers, takes nothing shorter for a frame: one of a constant of
/// eight bits can be a byte shorter.
const MIN_FRAME: usize = 11;

/// The length of STREAMINFO (section 8.2).
pub(crate) const STREAM_INFO_BYTES: usize = 34;

/// How much larger than its samples a frame may be, bytes a channel: the header, the checks, and what describes how
/// samples are coded.
const FRAME_OVERHEAD: usize = 1_024;

#[derive(Debug)]
pub(crate) struct Flac {
    spans: Spans,
    state: State,
    /// What came of a header, or of a frame and what follows it.
    pending: Vec<u8>,
    /// Once STREAMINFO has come.
    audio: Option<Audio>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// `fLaC`.
    Start,
    /// The header of a metadata block.
    Block,
    /// The first of them.
    StreamInfo {
        is_last: bool,
    },
    /// One that goes through, or is overwritten.
    Other {
        left: u64,
        is_cleared: bool,
        is_last: bool,
    },
    Frames,
}

/// What STREAMINFO says of all frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamInfo {
    /// Hz.
    pub(crate) rate: u32,
    pub(crate) channels: u32,
    /// Of a sample.
    pub(crate) bits: u32,
}

#[derive(Debug)]
struct Audio {
    info: StreamInfo,
    ranges: Samples,
    /// The first frame's header: its block size is that of all but the last, if it is fixed.
    first: Option<FrameHeader>,
    /// The header of the frame that comes.
    header: Option<FrameHeader>,
    /// Before it, in that frame, no other begins.
    scanned: usize,
    /// Bytes of that frame of which there is a check, and the check.
    checked: usize,
    crc: u16,
    /// Frames that came.
    frames: u64,
    /// Their samples, of one channel.
    samples: u64,
    silenced: u64,
}

/// A frame's header (section 9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// Samples of one channel.
    pub(crate) block_size: u32,
    /// What number it has: that of its first sample, or, if all frames have as many, that of the frame.
    pub(crate) number: u64,
    /// Whether it is numbered by its first sample.
    pub(crate) is_variable: bool,
    /// `None`: as STREAMINFO says. Hz.
    rate: Option<u32>,
    /// `None`: as STREAMINFO says.
    bits: Option<u32>,
    channels: u32,
    /// Which channel holds the difference of the two, if one does. It has a bit more.
    side: Option<u32>,
    /// Its length with the check, bytes.
    length: usize,
}

/// What begins with some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begins {
    /// It is not known yet.
    More,
    Frame(FrameHeader),
    Other,
}

impl Flac {
    pub(crate) fn new(spans: Spans) -> Self {
        Self {
            spans,
            state: State::Start,
            pending: Vec::new(),
            audio: None,
        }
    }

    pub(crate) fn push(
        &mut self,
        mut part: &[u8],
        copy: &mut Vec<u8>,
    ) -> Result<(), RedactionError> {
        while !part.is_empty() {
            match self.state {
                State::Start => {
                    if self.read(4, &mut part) {
                        if self.pending != b"fLaC" {
                            return Err(RedactionError::Damaged("not a FLAC"));
                        }
                        copy.append(&mut self.pending);
                        self.state = State::Block;
                    }
                }
                State::Block => {
                    if self.read(4, &mut part) {
                        self.block(copy)?;
                    }
                }
                State::StreamInfo { is_last } => {
                    if self.read(STREAM_INFO_BYTES, &mut part) {
                        let info = StreamInfo::of(&self.pending)?;
                        forget_frames(&mut self.pending);
                        copy.append(&mut self.pending);
                        self.audio = Some(Audio::new(info, self.spans.in_samples(info.rate)));
                        self.state = State::after(is_last);
                    }
                }
                State::Other {
                    left,
                    is_cleared,
                    is_last,
                } => {
                    let length = usize::try_from(left).unwrap_or(usize::MAX);
                    let (taken, rest) = part.split_at(length.min(part.len()));
                    part = rest;
                    if is_cleared {
                        copy.resize(copy.len() + taken.len(), 0);
                    } else {
                        copy.extend_from_slice(taken);
                    }
                    let left = left - taken.len() as u64;
                    self.state = if left == 0 {
                        State::after(is_last)
                    } else {
                        State::Other {
                            left,
                            is_cleared,
                            is_last,
                        }
                    };
                }
                State::Frames => {
                    let (taken, rest) = part.split_at(STEP.min(part.len()));
                    part = rest;
                    self.pending.extend_from_slice(taken);
                    let audio = self.audio.as_mut().ok_or(NO_AUDIO)?;
                    let mut begin = 0;
                    while let Some(frames) = self.pending.get(begin..)
                        && let Some(end) = audio.end(frames)?
                    {
                        audio.frame(frames.get(..end).unwrap_or_default(), copy)?;
                        begin += end;
                    }
                    self.pending.drain(..begin);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self, copy: &mut Vec<u8>) -> Result<Redacted, RedactionError> {
        let mut audio = self.audio.ok_or(NO_AUDIO)?;
        let end = self.pending.as_slice();
        if audio.header.is_none() {
            return Err(NO_AUDIO);
        }
        // Some write an ID3v1 tag behind.
        let (frame, tag) = match end.len().checked_sub(128).map(|at| end.split_at(at)) {
            Some((frame, tag)) if tag.starts_with(b"TAG") && crc16(0, frame) == 0 => (frame, tag),
            _ => (end, [].as_slice()),
        };
        if crc16(0, frame) != 0 {
            return Err(RedactionError::Damaged("a FLAC whose last frame is broken"));
        }
        audio.frame(frame, copy)?;
        copy.extend_from_slice(tag);
        let rate = u64::from(audio.info.rate);
        let duration_ms = audio.samples.saturating_mul(1_000) / rate;
        if audio.ranges.last_start() >= audio.samples {
            return Err(RedactionError::PastEnd { duration_ms });
        }
        Ok(Redacted {
            duration_ms,
            silenced_ms: audio.silenced.saturating_mul(1_000).div_ceil(rate),
        })
    }

    /// Goes on reading a header. Whether all of it came.
    fn read(&mut self, length: usize, part: &mut &[u8]) -> bool {
        let missing = length.saturating_sub(self.pending.len());
        let (taken, rest) = part.split_at(missing.min(part.len()));
        self.pending.extend_from_slice(taken);
        *part = rest;
        self.pending.len() >= length
    }

    /// Section 8.1.
    fn block(&mut self, copy: &mut Vec<u8>) -> Result<(), RedactionError> {
        const STREAM_INFO: u8 = 0;
        const PADDING: u8 = 1;
        const SEEK_TABLE: u8 = 3;
        let header = std::mem::take(&mut self.pending);
        let [kind, a, b, c] = *header.as_slice() else {
            return Err(NO_AUDIO);
        };
        let left = u64::from(u32::from_be_bytes([0, a, b, c]));
        let is_last = kind & 0x80 != 0;
        let kind = kind & 0x7f;
        let is_cleared = kind == SEEK_TABLE;
        self.state = match (kind, &self.audio) {
            (STREAM_INFO, None) if left == STREAM_INFO_BYTES as u64 => {
                State::StreamInfo { is_last }
            }
            (STREAM_INFO | 0x7f, _) | (_, None) => {
                return Err(RedactionError::Damaged(
                    "a FLAC whose metadata is out of order",
                ));
            }
            _ if left == 0 => State::after(is_last),
            _ => State::Other {
                left,
                is_cleared,
                is_last,
            },
        };
        // Frames move, and with them what the table points to.
        let kind = if is_cleared { PADDING } else { kind };
        copy.extend_from_slice(&[kind | if is_last { 0x80 } else { 0 }, a, b, c]);
        Ok(())
    }

    #[cfg(test)]
    fn held(&self) -> usize {
        self.pending.len()
    }
}

impl State {
    /// What comes after a metadata block.
    fn after(is_last: bool) -> Self {
        if is_last { Self::Frames } else { Self::Block }
    }
}

impl Audio {
    fn new(info: StreamInfo, ranges: Samples) -> Self {
        Self {
            info,
            ranges,
            first: None,
            header: None,
            scanned: 0,
            checked: 0,
            crc: 0,
            frames: 0,
            samples: 0,
            silenced: 0,
        }
    }

    /// Where the frame ends that these bytes begin with, if that is known. They are those of the last time, and more.
    fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>, RedactionError> {
        let header = match self.header {
            Some(header) => header,
            None => match FrameHeader::of(bytes) {
                Begins::More => return Ok(None),
                Begins::Other => return Err(NO_FRAME),
                Begins::Frame(header) => {
                    self.begin(header)?;
                    header
                }
            },
        };
        let from = self.scanned;
        let rest = bytes.get(from..).unwrap_or_default();
        let syncs = rest.iter().enumerate().filter(|(_, byte)| **byte == 0xff);
        for (at, _) in syncs {
            let at = from + at;
            match FrameHeader::of(bytes.get(at..).unwrap_or_default()) {
                Begins::More => {
                    self.scanned = at;
                    return self.bounded(header, bytes);
                }
                Begins::Frame(next) if self.follows(header, next) => {
                    let more = bytes.get(self.checked..at).unwrap_or_default();
                    self.crc = crc16(self.crc, more);
                    self.checked = at;
                    // Over a whole frame with its check it is zero.
                    if self.crc == 0 {
                        return Ok(Some(at));
                    }
                }
                Begins::Frame(_) | Begins::Other => {}
            }
        }
        self.scanned = bytes.len();
        self.bounded(header, bytes)
    }

    /// That frame has not ended yet.
    fn bounded(&self, header: FrameHeader, bytes: &[u8]) -> Result<Option<usize>, RedactionError> {
        let block = usize::try_from(header.block_size).map_err(|_| NO_FRAME)?;
        let bits = usize::try_from(self.info.bits + 1).map_err(|_| NO_FRAME)?;
        let channels = usize::try_from(self.info.channels).map_err(|_| NO_FRAME)?;
        let most = channels * ((block * bits).div_ceil(8) + FRAME_OVERHEAD);
        if bytes.len() > most + STEP {
            return Err(NO_FRAME);
        }
        Ok(None)
    }

    /// A frame begins.
    fn begin(&mut self, header: FrameHeader) -> Result<(), RedactionError> {
        if !header.is_of(&self.info) {
            return Err(RedactionError::Unsupported(
                "a FLAC whose sampling rate, channels or bits change",
            ));
        }
        if self.first.is_none() && header.number != 0 {
            return Err(RedactionError::Unsupported(
                "a FLAC that was cut from a longer one",
            ));
        }
        self.first.get_or_insert(header);
        self.header = Some(header);
        self.scanned = header.length;
        self.checked = 0;
        self.crc = 0;
        Ok(())
    }

    /// Whether the frame `next` can be the one after the one that comes now.
    fn follows(&self, header: FrameHeader, next: FrameHeader) -> bool {
        let number = if header.is_variable {
            self.samples + u64::from(header.block_size)
        } else {
            self.frames + 1
        };
        // Of frames that are numbered all but the last have the same size: else a player would hear them at two places.
        let is_full = self
            .first
            .is_none_or(|first| first.is_variable || first.block_size == header.block_size);
        let fits = header.is_variable || next.block_size <= header.block_size;
        next.number == number
            && next.is_variable == header.is_variable
            && is_full
            && fits
            && next.is_of(&self.info)
    }

    /// All of a frame has come: it goes through, or one of zeros does.
    fn frame(&mut self, frame: &[u8], copy: &mut Vec<u8>) -> Result<(), RedactionError> {
        let header = self.header.take().ok_or(NO_FRAME)?;
        if header.end(frame, &self.info) != Some(frame.len()) {
            return Err(NO_FRAME);
        }
        let end = self.samples + u64::from(header.block_size);
        let range = self.ranges.ahead(self.samples);
        if range.is_some_and(|range| range.start < end) {
            copy.extend(header.silence(frame, &self.info).ok_or(NO_FRAME)?);
            self.silenced += u64::from(header.block_size);
        } else {
            copy.extend_from_slice(frame);
        }
        self.samples = end;
        self.frames += 1;
        Ok(())
    }
}

impl StreamInfo {
    /// Section 8.2.
    pub(crate) fn of(block: &[u8]) -> Result<Self, RedactionError> {
        let damaged = RedactionError::Damaged("a FLAC whose STREAMINFO is cut short");
        let mut bits = BitReader::new(block);
        // The smallest and the largest block, the smallest and the largest frame.
        bits.skip(16 + 16 + 24 + 24).ok_or(damaged)?;
        let rate = bits.read(20).ok_or(damaged)?;
        let channels = bits.read(3).ok_or(damaged)? + 1;
        let depth = bits.read(5).ok_or(damaged)? + 1;
        if rate == 0 || depth < 4 {
            return Err(RedactionError::Unsupported(
                "a FLAC of something that is not audio",
            ));
        }
        Ok(Self {
            rate,
            channels,
            bits: depth,
        })
    }
}

/// Makes STREAMINFO say nothing of what is no longer so: how large frames are, and what all samples together are (MD5).
pub(crate) fn forget_frames(stream_info: &mut [u8]) {
    for range in [4..10, 18..34] {
        if let Some(bytes) = stream_info.get_mut(range) {
            bytes.fill(0);
        }
    }
}

impl FrameHeader {
    /// The header that these bytes begin with.
    pub(crate) fn of(bytes: &[u8]) -> Begins {
        match Self::read(bytes) {
            Some(begins) => begins,
            None if bytes.len() < MAX_HEADER => Begins::More,
            None => Begins::Other,
        }
    }

    /// `None`: there are too few bytes.
    fn read(bytes: &[u8]) -> Option<Begins> {
        const RATES: [u32; 11] = [
            88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000,
        ];
        let mut bits = BitReader::new(bytes);
        if bits.read(8)? != 0xff {
            return Some(Begins::Other);
        }
        if bits.read(7)? != 0x7c {
            return Some(Begins::Other);
        }
        let is_variable = bits.flag()?;
        let block_code = bits.read(4)?;
        let rate_code = bits.read(4)?;
        let (channels, side) = match bits.read(4)? {
            code @ 0..=7 => (code + 1, None),
            8 | 10 => (2, Some(1)),
            9 => (2, Some(0)),
            _ => return Some(Begins::Other),
        };
        let depth = match bits.read(3)? {
            0 => None,
            1 => Some(8),
            2 => Some(12),
            4 => Some(16),
            5 => Some(20),
            6 => Some(24),
            7 => Some(32),
            _ => return Some(Begins::Other),
        };
        if bits.flag()? {
            return Some(Begins::Other);
        }
        // Coded as UTF-8 codes characters, and on to seven bytes (section 9.1.5).
        let first = bits.read(8)?;
        let ones = (first << 24).leading_ones();
        let mut number = u64::from(first & (0x7f >> ones));
        let is_coded = match ones {
            0 | 2..=6 => true,
            7 => is_variable,
            _ => false,
        };
        if !is_coded {
            return Some(Begins::Other);
        }
        for _ in 1..ones {
            let byte = bits.read(8)?;
            if byte >> 6 != 2 {
                return Some(Begins::Other);
            }
            number = (number << 6) | u64::from(byte & 0x3f);
        }
        let block_size = match block_code {
            0 => return Some(Begins::Other),
            1 => 192,
            2..=5 => 144 << block_code,
            6 => bits.read(8)? + 1,
            7 => bits.read(16)? + 1,
            _ => 1 << block_code,
        };
        let rate = match rate_code {
            0 => None,
            12 => Some(bits.read(8)? * 1_000),
            13 => Some(bits.read(16)?),
            14 => Some(bits.read(16)? * 10),
            15 => return Some(Begins::Other),
            code => RATES
                .get(usize::try_from(code).ok()?.checked_sub(1)?)
                .copied(),
        };
        let check = bits.position() / 8;
        let crc = bits.read(8)?;
        if block_size > 65_535 || crc != u32::from(crc8(bytes.get(..check)?)) {
            return Some(Begins::Other);
        }
        Some(Begins::Frame(Self {
            block_size,
            number,
            is_variable,
            rate,
            bits: depth,
            channels,
            side,
            length: check + 1,
        }))
    }

    /// Whether it is one of a stream that is like this.
    pub(crate) fn is_of(&self, info: &StreamInfo) -> bool {
        self.channels == info.channels
            && self.rate.is_none_or(|rate| rate == info.rate)
            && self.bits.is_none_or(|bits| bits == info.bits)
    }

    /// A frame of as many samples, all zero, in place of `frame`, whose header this is. `None`: it is another's.
    pub(crate) fn silence(&self, frame: &[u8], info: &StreamInfo) -> Option<Vec<u8>> {
        let (_, header) = frame.get(..self.length)?.split_last()?;
        let mut silence = header.to_vec();
        // All channels for themselves: so none has a bit more.
        let codes = silence.get_mut(3)?;
        *codes = (*codes & 0x0f) | u8::try_from((self.channels - 1) << 4).ok()?;
        let mut bits = BitWriter::new();
        for _ in 0..self.channels {
            // Section 9.2.1: a bit of zero, the kind "constant", no wasted bits; and section 9.2.3: the sample.
            bits.write(0, 8);
            bits.write(0, info.bits);
        }
        let zeros = bits.into_bytes();
        if silence.len() + 1 + zeros.len() + 2 < MIN_FRAME {
            // So short, it has a number of one byte and names its block size by a code: it can spell it out too.
            let size = u16::try_from(self.block_size.checked_sub(1)?).ok()?;
            let code = silence.get_mut(2)?;
            *code = 0x70 | (*code & 0x0f);
            silence.splice(5..5, size.to_be_bytes());
        }
        silence.push(crc8(&silence));
        silence.extend(zeros);
        let crc = crc16(0, &silence);
        silence.extend(crc.to_be_bytes());
        Some(silence)
    }

    /// Where `frame`, whose header this is, ends if it is read through (sections 9.2 and 9.3); `None`: it cannot be.
    pub(crate) fn end(&self, frame: &[u8], info: &StreamInfo) -> Option<usize> {
        let mut bits = BitReader::new(frame);
        bits.skip(self.length * 8)?;
        for channel in 0..self.channels {
            let side = u32::from(self.side == Some(channel));
            subframe(&mut bits, self.block_size, info.bits + side)?;
        }
        // Zeros up to a whole byte, then the check.
        let padding = u32::try_from(bits.left() % 8).ok()?;
        if bits.read(padding)? != 0 {
            return None;
        }
        Some(bits.position() / 8 + 2)
    }
}

/// Passes over the samples of one channel (section 9.2).
fn subframe(bits: &mut BitReader<'_>, block_size: u32, depth: u32) -> Option<()> {
    if bits.flag()? {
        return None;
    }
    let kind = bits.read(6)?;
    let wasted = if bits.flag()? { bits.unary()? + 1 } else { 0 };
    let depth = depth.checked_sub(wasted).filter(|depth| *depth > 0)?;
    let samples = |count: u32| Some(usize::try_from(count).ok()? * usize::try_from(depth).ok()?);
    match kind {
        0 => bits.skip(samples(1)?),
        1 => bits.skip(samples(block_size)?),
        8..=12 => {
            bits.skip(samples(kind - 8)?)?;
            residual(bits, block_size, kind - 8)
        }
        32.. => {
            let order = kind - 31;
            bits.skip(samples(order)?)?;
            let precision = bits.read(4).filter(|code| *code < 15)? + 1;
            // The shift.
            bits.skip(5)?;
            bits.skip(usize::try_from(order * precision).ok()?)?;
            residual(bits, block_size, order)
        }
        _ => None,
    }
}

/// Passes over what a predictor of this order leaves (section 9.2.7).
fn residual(bits: &mut BitReader<'_>, block_size: u32, order: u32) -> Option<()> {
    let parameter_bits = match bits.read(2)? {
        0 => 4,
        1 => 5,
        _ => return None,
    };
    let partitions = 1 << bits.read(4)?;
    if !block_size.is_multiple_of(partitions) {
        return None;
    }
    let mut samples = (block_size / partitions).checked_sub(order)?;
    for _ in 0..partitions {
        let parameter = bits.read(parameter_bits)?;
        if parameter == (1 << parameter_bits) - 1 {
            let length = bits.read(5)?;
            bits.skip(usize::try_from(u64::from(samples) * u64::from(length)).ok()?)?;
        } else {
            let low = usize::try_from(parameter).ok()?;
            for _ in 0..samples {
                bits.unary()?;
                bits.skip(low)?;
            }
        }
        samples = block_size / partitions;
    }
    Some(())
}

const NO_AUDIO: RedactionError = RedactionError::Damaged("a FLAC without audio");

const NO_FRAME: RedactionError = RedactionError::Damaged("a FLAC with a frame that is none");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Span;

    const MONO_8: &[u8] = include_bytes!("../tests/samples/mono-8.flac");
    const STEREO_44: &[u8] = include_bytes!("../tests/samples/stereo-44.flac");
    const STEREO_16: &[u8] = include_bytes!("../tests/samples/stereo-16-24bit.flac");

    fn spans(spans: &[(u64, u64)]) -> Spans {
        let spans = spans.iter().map(|(start_ms, end_ms)| Span {
            start_ms: *start_ms,
            end_ms: *end_ms,
        });
        Spans::new(spans.collect()).unwrap()
    }

    /// Where the first frame begins, what the stream is like, and its frames.
    fn frames(file: &[u8]) -> (usize, StreamInfo, Vec<(FrameHeader, &[u8])>) {
        let info = StreamInfo::of(&file[8..42]).unwrap();
        let mut at = 4;
        loop {
            let [kind, a, b, c] = *file[at..].first_chunk::<4>().unwrap();
            at += 4 + usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap();
            if kind & 0x80 != 0 {
                break;
            }
        }
        let start = at;
        let mut frames = Vec::new();
        while at < file.len() {
            let Begins::Frame(header) = FrameHeader::of(&file[at..]) else {
                panic!("no frame at {at}");
            };
            let end = at + header.end(&file[at..], &info).unwrap();
            frames.push((header, &file[at..end]));
            at = end;
        }
        (start, info, frames)
    }

    /// The same with other numbers.
    fn renumbered(header: FrameHeader, frame: &[u8], is_variable: bool, number: u32) -> Vec<u8> {
        let digits = if header.number < 0x80 { 1 } else { 2 };
        let mut new = frame[..4].to_vec();
        new[1] = 0xf8 | u8::from(is_variable);
        if number < 0x80 {
            new.push(u8::try_from(number).unwrap());
        } else {
            let mut coded = [0; 4];
            let character = char::from_u32(number).unwrap();
            new.extend(character.encode_utf8(&mut coded).bytes());
        }
        new.extend(&frame[4 + digits..header.length - 1]);
        new.push(crc8(&new));
        new.extend(&frame[header.length..frame.len() - 2]);
        let crc = crc16(0, &new);
        new.extend(crc.to_be_bytes());
        new
    }

    #[test]
    fn frames_are_read_through_to_where_they_end() {
        for file in [MONO_8, STEREO_44, STEREO_16] {
            let (_, info, frames) = frames(file);
            assert!(frames.len() > 1);
            for (header, frame) in frames {
                assert!(header.is_of(&info));
                assert_eq!(crc16(0, frame), 0);
            }
        }
    }

    #[test]
    fn frames_in_spans_become_silence_and_no_others_change() {
        for file in [MONO_8, STEREO_44, STEREO_16] {
            let (start, info, before) = frames(file);
            let mut flac = Flac::new(spans(&[(50, 110)]));
            let mut copy = Vec::new();
            flac.push(file, &mut copy).unwrap();
            let redacted = flac.finish(&mut copy).unwrap();
            let (same_start, same_info, after) = frames(&copy);
            assert_eq!((start, info), (same_start, same_info));
            assert_eq!(before.len(), after.len());
            let (mut at, mut silenced) = (0, 0);
            for ((old, before), (new, after)) in before.iter().zip(&after) {
                let end = at + u64::from(old.block_size);
                assert_eq!((old.number, old.block_size), (new.number, new.block_size));
                let rate = u64::from(info.rate);
                if at * 1_000 < 110 * rate && end * 1_000 > 50 * rate {
                    silenced += end - at;
                    let samples = &after[new.length..after.len() - 2];
                    assert!(samples.iter().all(|byte| *byte == 0));
                    assert_eq!(crc16(0, after), 0);
                } else {
                    assert_eq!(before, after);
                }
                at = end;
            }
            assert!(silenced > 0);
            assert_eq!(
                redacted.silenced_ms,
                (silenced * 1_000).div_ceil(u64::from(info.rate))
            );
            assert_eq!(redacted.duration_ms, at * 1_000 / u64::from(info.rate));
        }
    }

    #[test]
    fn silence_is_not_too_short_to_be_found() {
        let info = StreamInfo {
            rate: 8_000,
            channels: 1,
            bits: 8,
        };
        for (codes, extra) in [
            ([0xc4, 0x02, 0x05].as_slice(), [].as_slice()),
            (&[0x64, 0x02, 0x05], &[0x77]),
            (&[0xc4, 0x02, 0xc2, 0x80], &[]),
            (&[0xcc, 0x02, 0x05], &[8]),
        ] {
            let mut frame = [&[0xff, 0xf8], codes, extra].concat();
            frame.push(crc8(&frame));
            let Begins::Frame(header) = FrameHeader::of(&frame) else {
                panic!("a header: {frame:?}");
            };
            let silence = header.silence(&frame, &info).unwrap();
            assert!(silence.len() >= MIN_FRAME, "{silence:?}");
            assert_eq!(crc16(0, &silence), 0);
            let Begins::Frame(same) = FrameHeader::of(&silence) else {
                panic!("a header: {silence:?}");
            };
            assert_eq!(same.end(&silence, &info), Some(silence.len()));
            assert_eq!(
                (same.block_size, same.number, same.rate),
                (header.block_size, header.number, header.rate)
            );
        }
    }

    #[test]
    fn metadata_says_nothing_that_is_no_longer_so() {
        let mut flac = Flac::new(spans(&[(50, 110)]));
        let mut copy = Vec::new();
        flac.push(STEREO_44, &mut copy).unwrap();
        // Smallest and largest frame; the checksum.
        assert!(
            copy[12..18]
                .iter()
                .chain(&copy[26..42])
                .all(|byte| *byte == 0)
        );
        assert_eq!(copy[8..12], STEREO_44[8..12]);
        assert_eq!(copy[18..26], STEREO_44[18..26]);
        // The seek table was the second block.
        assert_eq!((STEREO_44[42], copy[42]), (3, 1));
        let length = usize::from(STEREO_44[45]);
        assert!(copy[46..46 + length].iter().all(|byte| *byte == 0));
        let (start, ..) = frames(STEREO_44);
        assert_eq!(copy[46 + length..start], STEREO_44[46 + length..start]);
    }

    #[test]
    fn frames_may_be_numbered_by_samples() {
        let (start, _, frames) = frames(STEREO_44);
        let mut file = STEREO_44[..start].to_vec();
        let mut at = 0;
        for (header, frame) in &frames {
            file.extend(renumbered(*header, frame, true, at));
            at += header.block_size;
        }
        let mut flac = Flac::new(spans(&[(50, 110)]));
        let mut copy = Vec::new();
        flac.push(&file, &mut copy).unwrap();
        let redacted = flac.finish(&mut copy).unwrap();
        assert_eq!(redacted.duration_ms, 250);
        assert!((60..60 + 60).contains(&redacted.silenced_ms));
    }

    #[test]
    fn what_would_be_heard_elsewhere_is_refused() {
        let (start, _, frames) = frames(STEREO_44);
        let cut = [&STEREO_44[..start], &STEREO_44[start + frames[0].1.len()..]].concat();
        let gap = start + frames[0].1.len();
        let gap = [&STEREO_44[..gap], &STEREO_44[gap + frames[1].1.len()..]].concat();
        let last = frames.last().unwrap().1.len();
        let short = &STEREO_44[..STEREO_44.len() - last / 2];
        // Something in front of the check that is of no channel.
        let mut longer = frames[0].1[..frames[0].1.len() - 2].to_vec();
        longer.extend([0; 40]);
        let crc = crc16(0, &longer);
        longer.extend(crc.to_be_bytes());
        let longer = [
            &STEREO_44[..start],
            &longer,
            &STEREO_44[start + frames[0].1.len()..],
        ]
        .concat();
        for (file, error) in [
            (
                cut.as_slice(),
                RedactionError::Unsupported("a FLAC that was cut from a longer one"),
            ),
            (&gap, NO_FRAME),
            (&longer, NO_FRAME),
            (
                short,
                RedactionError::Damaged("a FLAC whose last frame is broken"),
            ),
            (&STEREO_44[..start], NO_AUDIO),
            (&STEREO_44[..start - 3], NO_AUDIO),
            (b"fLaC", NO_AUDIO),
            (b"OggS", RedactionError::Damaged("not a FLAC")),
        ] {
            let mut flac = Flac::new(spans(&[(50, 110)]));
            let mut copy = Vec::new();
            let pushed = flac.push(file, &mut copy);
            assert_eq!(pushed.and_then(|()| flac.finish(&mut copy)), Err(error));
        }
    }

    #[test]
    fn what_has_the_right_check_may_still_be_no_frame() {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = |below: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random >> 16).unwrap() % below
        };
        let mut refused = 0;
        for file in [MONO_8, STEREO_44, STEREO_16] {
            let (start, _, frames) = frames(file);
            let (header, frame) = frames[0];
            for _ in 0..700 {
                let mut broken = frame[..frame.len() - 2].to_vec();
                for _ in 0..=next(3) {
                    // What describes the samples stands in front.
                    let most = if next(2) == 0 { 60 } else { broken.len() };
                    let at = header.length + next(most - header.length);
                    broken[at] ^= 1 << next(8);
                }
                let crc = crc16(0, &broken);
                broken.extend(crc.to_be_bytes());
                let rest = &file[start + frame.len()..];
                let broken = [&file[..start], &broken, rest].concat();
                let mut flac = Flac::new(spans(&[(50, 110)]));
                let mut copy = Vec::new();
                let pushed = flac.push(&broken, &mut copy);
                match pushed.and_then(|()| flac.finish(&mut copy)) {
                    // Samples that are others, no more and no fewer.
                    Ok(_) => assert!(copy.len() <= broken.len()),
                    Err(error) => {
                        assert_eq!(error, NO_FRAME);
                        refused += 1;
                    }
                }
            }
        }
        assert!((100..2_000).contains(&refused), "{refused}");
    }

    #[test]
    fn no_more_is_held_than_a_frame() {
        let (start, info, frames) = frames(MONO_8);
        let (header, frame) = frames[0];
        let largest = 4_096 * 2 + FRAME_OVERHEAD + 2 * STEP;
        let mut flac = Flac::new(spans(&[(0, 60_000), (70_000, 200_000)]));
        let mut copy = Vec::new();
        flac.push(&MONO_8[..start], &mut copy).unwrap();
        let mut taken = 0;
        for number in 0..2_000 {
            let frame = renumbered(header, frame, false, number);
            flac.push(&frame, &mut copy).unwrap();
            taken += frame.len();
            copy.clear();
            assert!(flac.held() <= largest);
        }
        assert!(taken > 10_000_000);
        assert_eq!(
            flac.finish(&mut copy).unwrap().duration_ms,
            2_000 * 4_096 / 8
        );
        // A frame that does not end, full of what looks like others.
        let mut flac = Flac::new(spans(&[(0, 60_000)]));
        flac.push(&MONO_8[..start], &mut copy).unwrap();
        flac.push(&frame[..100], &mut copy).unwrap();
        let other = renumbered(header, &header.silence(frame, &info).unwrap(), false, 1);
        let refused = (0..100_000).find_map(|_| {
            assert!(flac.held() <= largest);
            flac.push(&other[..header.length], &mut copy).err()
        });
        assert_eq!(refused, Some(NO_FRAME));
        // Metadata goes through as it comes.
        let mut flac = Flac::new(spans(&[(0, 60_000)]));
        flac.push(&MONO_8[..42], &mut copy).unwrap();
        for _ in 0..3 {
            flac.push(&[6, 0xff, 0xff, 0xff], &mut copy).unwrap();
            copy.clear();
            let part = vec![1; 65_793];
            for _ in 0..255 {
                flac.push(&part, &mut copy).unwrap();
                assert_eq!((flac.held(), copy.len()), (0, 65_793));
                copy.clear();
            }
        }
    }
}
