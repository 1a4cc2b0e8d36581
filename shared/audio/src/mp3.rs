//! MPEG audio, layer III (ISO/IEC 11172-3; with lower rates ISO/IEC 13818-3, and "MPEG 2.5" below those).
//!
//! What is heard of a frame stands in the main data stream: what all frames hold behind their side
//! information, put together. A frame's part of it may begin up to 511 bytes before the frame itself does (the
//! bit reservoir), and its side information says where, and how long it is. So of a frame that is to be silent
//! these bytes are overwritten with zeros in whichever frame they stand, and its side information becomes that
//! of silence but for where its part begins: no other frame's part moves, nor does a frame change its length.
//!
//! When a frame is heard: its samples are those of its place, and what its last granule adds to those after it
//! ([`REACH`]). Players disagree on where the audio begins: some play the frame that holds a Xing or VBRI header, some
//! leave out what encoder and decoder put in front, some drop frames whose reservoir was cut off. What lies in
//! a span by any of these readings is silenced.

use std::collections::VecDeque;

use crate::{
    Redacted, RedactionError,
    bits::{self, BitReader},
    crc::crc16,
    span::{Samples, Spans},
};

/// How far past its own samples a frame is heard: its last granule is one half of the next (the overlap of the
/// inverse MDCT), and the synthesis filter bank goes on for 15 more of its steps of 32 samples.
const REACH: u64 = 576 + 15 * 32;

/// What decoding delays, samples.
const DECODER_DELAY: u64 = 529;

/// What LAME's encoding delays, samples, where no header says more. Whoever named a span may have heard the call and
/// not the file.
const ENCODER_DELAY: u64 = 576;

/// The delays that are believed of a VBRI header, samples: encoders take three frames at most.
const MAX_VBRI_DELAY: u64 = 3 * 1_152;

/// Tags between frames that are held back with them, bytes in all: those that segments of a live stream
/// begin with are some hundred.
const MAX_HELD_OTHER: usize = 16 * 1024;

#[derive(Debug)]
pub(crate) struct Mp3 {
    spans: Spans,
    state: State,
    /// What came of a frame, or of that by which it is known what comes.
    pending: Vec<u8>,
    /// Once the first frame has come.
    audio: Option<Audio>,
    /// The last four bytes of what is no frame.
    last: u32,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// A frame, a tag or padding begins.
    Between,
    Frame(Header),
    Tag {
        left: u64,
    },
}

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    /// Hz.
    rate: u32,
    /// One granule a frame instead of two (MPEG 2 and 2.5).
    is_low_rate: bool,
    is_mono: bool,
    /// A CRC-16 follows the header.
    is_protected: bool,
    /// Of the whole frame, bytes.
    length: usize,
}

/// What frames have in common, and where in them we are.
#[derive(Debug)]
struct Audio {
    header: Header,
    ranges: Samples,
    /// Samples by which some players hear everything earlier than others.
    delay: u64,
    /// Frames that came, of every kind.
    frames: u64,
    /// Of these, headers of the file that hold no audio: one or none.
    headers: u64,
    /// Of these, those that some players leave out.
    dropped: u64,
    silenced: u64,
    /// Bytes of main data that came.
    main: u64,
    /// Before it, main data was given out.
    released: u64,
    /// Before it, main data may have been overwritten.
    cleared: u64,
    /// The last frame is silent, and its part of the main data ends here, or further on.
    open: Option<u64>,
    /// What was not given out yet: frames in which others may have a part, and what stands between them. The
    /// frames, but for the last, lie in 511 bytes of main data; each has at least one, so with headers and side
    /// information they are 20 KiB at most.
    held: VecDeque<Held>,
    /// Bytes of it that are no frames.
    held_other: usize,
}

#[derive(Debug)]
enum Held {
    Frame(Frame),
    Other(Vec<u8>),
}

#[derive(Debug)]
struct Frame {
    header: Header,
    bytes: Vec<u8>,
    /// Where what it holds of the main data begins in it.
    main_at: usize,
    /// And in the main data.
    main_start: u64,
    /// Its part of the main data.
    part: Part,
    is_silent: bool,
}

/// Bytes of the main data, half open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    start: u64,
    end: u64,
}

/// What a frame's side information says of its part of the main data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SideInfo {
    /// How many bytes of main data it begins before what the frame itself holds.
    main_data_begin: u64,
    /// Its length, bits.
    bits: u64,
}

/// What begins between frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// It is not known yet.
    More,
    Frame(Header),
    /// A tag of so many bytes.
    Tag(u64),
}

impl Mp3 {
    pub(crate) fn new(spans: Spans) -> Self {
        Self {
            spans,
            state: State::Between,
            pending: Vec::new(),
            audio: None,
            last: 0,
        }
    }

    pub(crate) fn push(
        &mut self,
        mut part: &[u8],
        copy: &mut Vec<u8>,
    ) -> Result<(), RedactionError> {
        while !part.is_empty() {
            match self.state {
                State::Between if self.pending.is_empty() && part.first() == Some(&0) => {
                    let zeros = part.iter().take_while(|byte| **byte == 0).count();
                    let (zeros, rest) = part.split_at(zeros);
                    self.other(zeros, copy)?;
                    part = rest;
                }
                State::Between => {
                    let (byte, rest) = part.split_at(1);
                    self.pending.extend_from_slice(byte);
                    part = rest;
                    match next(&self.pending)? {
                        Next::More => {}
                        Next::Frame(header) => {
                            if let Some(audio) = &self.audio
                                && !audio.header.is_alike(header)
                            {
                                return Err(RedactionError::Unsupported(
                                    "an MP3 whose sampling rate or channels change",
                                ));
                            }
                            self.last = 0;
                            self.state = State::Frame(header);
                        }
                        // In front of the audio players know ID3v2 alone.
                        Next::Tag(_)
                            if self.audio.is_none() && self.pending.first() != Some(&b'I') =>
                        {
                            return Err(JUNK);
                        }
                        Next::Tag(length) => {
                            let begun = std::mem::take(&mut self.pending);
                            self.other(&begun, copy)?;
                            self.tag(length.saturating_sub(begun.len() as u64));
                        }
                    }
                }
                State::Frame(header) => {
                    let missing = header.length.saturating_sub(self.pending.len());
                    let (taken, rest) = part.split_at(missing.min(part.len()));
                    self.pending.extend_from_slice(taken);
                    part = rest;
                    if self.pending.len() >= header.length {
                        self.frame(header, copy)?;
                        self.state = State::Between;
                    }
                }
                State::Tag { left } => {
                    let length = usize::try_from(left).unwrap_or(usize::MAX);
                    let (taken, rest) = part.split_at(length.min(part.len()));
                    self.other(taken, copy)?;
                    part = rest;
                    self.tag(left - taken.len() as u64);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn finish(mut self, copy: &mut Vec<u8>) -> Result<Redacted, RedactionError> {
        if !self.pending.is_empty() {
            match self.state {
                // The file was cut within a frame.
                State::Frame(header) => self.frame(header, copy)?,
                // Too little to be one.
                _ if self.pending.len() < 4 => {
                    let end = std::mem::take(&mut self.pending);
                    self.other(&end, copy)?;
                }
                _ => return Err(JUNK),
            }
        }
        let mut audio = self
            .audio
            .ok_or(RedactionError::Damaged("an MP3 without audio"))?;
        audio.give_out_all(copy);
        let rate = u64::from(audio.header.rate);
        let frame = audio.header.samples();
        let samples = audio.frames.saturating_sub(audio.headers) * frame;
        let duration_ms = samples * 1_000 / rate;
        if audio.ranges.last_start() >= samples {
            return Err(RedactionError::PastEnd { duration_ms });
        }
        Ok(Redacted {
            duration_ms,
            silenced_ms: (audio.silenced * frame * 1_000).div_ceil(rate),
        })
    }

    /// A tag has so many bytes left.
    fn tag(&mut self, left: u64) {
        self.state = if left == 0 {
            State::Between
        } else {
            State::Tag { left }
        };
    }

    /// What is no frame goes through, in its place. Players that know no tags within the audio (ffmpeg) look for frames in
    /// them: what they would take for one must not be there.
    fn other(&mut self, bytes: &[u8], copy: &mut Vec<u8>) -> Result<(), RedactionError> {
        let Some(audio) = &mut self.audio else {
            copy.extend_from_slice(bytes);
            return Ok(());
        };
        for byte in bytes {
            self.last = (self.last << 8) | u32::from(*byte);
            let [sync, second, third, fourth] = self.last.to_be_bytes();
            if sync == 0xff
                && header([second, third, fourth]).is_ok_and(|found| audio.header.is_alike(found))
            {
                return Err(RedactionError::Unsupported(
                    "an MP3 with what may be a frame in a tag",
                ));
            }
        }
        audio.other(bytes, copy);
        Ok(())
    }

    /// All of a frame has come, or all that there is of the last one.
    fn frame(&mut self, header: Header, copy: &mut Vec<u8>) -> Result<(), RedactionError> {
        let mut bytes = std::mem::take(&mut self.pending);
        let info = file_header(&bytes, header);
        let side = side_info(&bytes, header);
        let is_first = self.audio.is_none();
        let audio = self.audio.get_or_insert_with(|| Audio {
            header,
            ranges: self.spans.in_samples(header.rate),
            delay: info.map_or(ENCODER_DELAY, |info| info.delay.max(ENCODER_DELAY)) + DECODER_DELAY,
            frames: 0,
            headers: 0,
            dropped: 0,
            silenced: 0,
            main: 0,
            released: 0,
            cleared: 0,
            open: None,
            held: VecDeque::new(),
            held_other: 0,
        });
        if let Some(info) = info {
            audio.dropped += 1;
            // That it is silent is looked at too: else it is taken for what it is to a player that knows no
            // such headers.
            if is_first && side.is_some_and(|side| side.bits == 0) {
                if let Some(lame) = info.lame {
                    forget_music(&mut bytes, lame);
                }
                copy.extend_from_slice(&bytes);
                audio.frames += 1;
                audio.headers += 1;
                return Ok(());
            }
        }
        audio.frame(header, bytes, side, copy)
    }

    #[cfg(test)]
    fn held(&self) -> usize {
        let held = self.audio.iter().flat_map(|audio| &audio.held);
        let bytes = held.map(|held| match held {
            Held::Frame(frame) => frame.bytes.len(),
            Held::Other(bytes) => bytes.len(),
        });
        bytes.sum::<usize>() + self.pending.len()
    }
}

impl Audio {
    fn frame(
        &mut self,
        header: Header,
        bytes: Vec<u8>,
        side: Option<SideInfo>,
        copy: &mut Vec<u8>,
    ) -> Result<(), RedactionError> {
        let main_at = header.main_at().min(bytes.len());
        let main_start = self.main;
        let main_end = main_start + (bytes.len() - main_at) as u64;
        // Of side information that was cut off nobody can make anything.
        let is_cut = side.is_none();
        let side = side.unwrap_or(SideInfo {
            main_data_begin: 0,
            bits: 0,
        });
        let end = (main_start + side.bits.div_ceil(8)).saturating_sub(side.main_data_begin);
        let part = Part {
            start: main_start.saturating_sub(side.main_data_begin),
            end: end.min(main_end),
        };
        if side.main_data_begin > main_start {
            self.dropped += 1;
        }
        // What stands between two frames' parts (ancillary data) is the first one's. Where this one's begins within the
        // other's, nobody can tell.
        let is_within = self.open.is_some_and(|open| part.start < open);
        self.settle(if is_within { main_start } else { part.start });
        self.give_out(main_start.saturating_sub(header.reservoir()), copy);
        let is_silenced = self.is_silenced();
        // It has its part where others had theirs: as nothing is left of that, so is nothing of this one.
        let is_spoiled = part.start < part.end && part.start < self.cleared;
        self.main = main_end;
        if !is_cut {
            self.frames += 1;
        }
        let mut frame = Frame {
            header,
            bytes,
            main_at,
            main_start,
            part,
            is_silent: false,
        };
        if is_silenced || is_spoiled {
            frame.silence();
            self.silenced += u64::from(!is_cut);
        }
        self.held.push_back(Held::Frame(frame));
        if is_silenced {
            if part.start < part.end && part.start < self.released {
                return Err(RedactionError::Unsupported(
                    "an MP3 with a long tag within its audio",
                ));
            }
            self.clear(part);
            self.open = Some(part.end.max(part.start));
        }
        Ok(())
    }

    /// Whether the frame that comes next is heard within a span.
    fn is_silenced(&mut self) -> bool {
        let samples = self.header.samples();
        let start = self.frames.saturating_mul(samples);
        // To whoever leaves out most, it begins here.
        let earliest = start.saturating_sub(self.delay + self.dropped * samples);
        let range = self.ranges.ahead(earliest);
        range.is_some_and(|range| range.start < start + samples + REACH)
    }

    /// The part of the last frame, if it is silent, ends before `next`.
    fn settle(&mut self, next: u64) {
        if let Some(open) = self.open.take() {
            self.clear(Part {
                start: open,
                end: next,
            });
        }
    }

    /// Overwrites a part of the main data, and silences whatever frame has it as its own.
    fn clear(&mut self, part: Part) {
        if part.start >= part.end {
            return;
        }
        self.cleared = self.cleared.max(part.end);
        for held in self.held.iter_mut().rev() {
            let Held::Frame(frame) = held else { continue };
            if frame.main_end() <= part.start {
                break;
            }
            let at = |place: u64| {
                let skip = usize::try_from(place.saturating_sub(frame.main_start));
                frame.main_at.saturating_add(skip.unwrap_or(usize::MAX))
            };
            let (from, to) = (at(part.start), at(part.end).min(frame.bytes.len()));
            if let Some(main) = frame.bytes.get_mut(from..to) {
                main.fill(0);
            }
            // No frame of an encoder has its part where another has: files that were cut and joined have such.
            if !frame.is_silent && frame.part.start < part.end && part.start < frame.part.end {
                frame.silence();
                self.silenced += 1;
            }
        }
    }

    fn other(&mut self, bytes: &[u8], copy: &mut Vec<u8>) {
        if self.held_other + bytes.len() > MAX_HELD_OTHER {
            self.give_out_all(copy);
        }
        if self.held.is_empty() {
            copy.extend_from_slice(bytes);
            return;
        }
        self.held_other += bytes.len();
        if let Some(Held::Other(other)) = self.held.back_mut() {
            other.extend_from_slice(bytes);
        } else {
            self.held.push_back(Held::Other(bytes.to_vec()));
        }
    }

    /// Gives out what holds only main data before `place`.
    fn give_out(&mut self, place: u64, copy: &mut Vec<u8>) {
        while let Some(held) = self.held.pop_front() {
            match held {
                Held::Frame(frame) if frame.main_end() > place => {
                    self.held.push_front(Held::Frame(frame));
                    return;
                }
                Held::Frame(frame) => {
                    self.released = frame.main_end();
                    copy.extend_from_slice(&frame.bytes);
                }
                Held::Other(other) => {
                    self.held_other -= other.len();
                    copy.extend_from_slice(&other);
                }
            }
        }
    }

    fn give_out_all(&mut self, copy: &mut Vec<u8>) {
        self.settle(self.main);
        self.give_out(self.main, copy);
    }
}

impl Frame {
    fn main_end(&self) -> u64 {
        self.main_start + (self.bytes.len() - self.main_at) as u64
    }

    /// Its side information becomes that of silence: no bits, no scale factors, long blocks. Of what it was, only
    /// where its part begins is left.
    fn silence(&mut self) {
        self.is_silent = true;
        let header = self.header;
        let begin = if header.is_low_rate { 8 } else { 9 };
        let at = header.side_at();
        let end = header.main_at().min(self.bytes.len());
        if let Some(side) = self.bytes.get_mut(at..end) {
            bits::clear(side, begin, side.len() * 8);
        }
        if !header.is_protected {
            return;
        }
        // 2.4.3.1: over the last two bytes of the header, and the side information.
        let (Some(last), Some(side)) = (self.bytes.get(2..4), self.bytes.get(at..end)) else {
            return;
        };
        let crc = crc16(crc16(0xffff, last), side);
        if let Some(place) = self.bytes.get_mut(4..6) {
            place.copy_from_slice(&crc.to_be_bytes());
        }
    }
}

impl Header {
    /// Of one channel, in a frame.
    fn samples(self) -> u64 {
        if self.is_low_rate { 576 } else { 1_152 }
    }

    /// The most bytes of main data that a frame's part begins before it.
    fn reservoir(self) -> u64 {
        if self.is_low_rate { 255 } else { 511 }
    }

    /// Where the side information begins.
    fn side_at(self) -> usize {
        if self.is_protected { 6 } else { 4 }
    }

    /// Where what a frame holds of the main data begins.
    fn main_at(self) -> usize {
        self.side_at()
            + match (self.is_low_rate, self.is_mono) {
                (false, false) => 32,
                (false, true) | (true, false) => 17,
                (true, true) => 9,
            }
    }

    /// Whether frames with these headers can be of one stream.
    fn is_alike(self, other: Self) -> bool {
        (self.rate, self.is_low_rate, self.is_mono)
            == (other.rate, other.is_low_rate, other.is_mono)
    }
}

const JUNK: RedactionError =
    RedactionError::Damaged("an MP3 with something between its frames that is no frame");

/// What begins with these bytes.
fn next(bytes: &[u8]) -> Result<Next, RedactionError> {
    match bytes {
        [0xff, second, third, fourth, ..] => header([*second, *third, *fourth]).map(Next::Frame),
        // ID3v1's extended tag, and ID3v1.
        [b'T', b'A', b'G', b'+', ..] => Ok(Next::Tag(227)),
        [b'T', b'A', b'G', _, ..] => Ok(Next::Tag(128)),
        [b'I', b'D', b'3', version, revision, flags, a, b, c, d, ..] => {
            let size = [*a, *b, *c, *d];
            let is_valid = *version < 0xff && *revision < 0xff;
            if !is_valid || size.iter().any(|byte| *byte >= 0x80) {
                return Err(JUNK);
            }
            let size = size.iter().fold(0, |size, b| (size << 7) | u64::from(*b));
            let footer = if flags & 0x10 == 0 { 0 } else { 10 };
            Ok(Next::Tag(10 + size + footer))
        }
        // APEv2, with the header that it should have in front: flags tell it from the footer. What its length counts is all
        // but the header.
        [b'A', b'P', b'E', b'T', b'A', b'G', b'E', b'X', rest @ ..] if rest.len() >= 24 => {
            let word = |at: usize| -> Option<u32> {
                Some(u32::from_le_bytes(rest.get(at..at + 4)?.try_into().ok()?))
            };
            match (word(4), word(12)) {
                (Some(length), Some(flags)) if flags & 0x2000_0000 != 0 => {
                    Ok(Next::Tag(32 + u64::from(length)))
                }
                _ => Err(JUNK),
            }
        }
        _ => {
            let is_begun = |magic: &[u8]| {
                let length = magic.len().min(bytes.len());
                bytes.get(..length) == magic.get(..length)
            };
            if is_begun(&[0xff]) || is_begun(b"TAG") || is_begun(b"ID3") || is_begun(b"APETAGEX") {
                Ok(Next::More)
            } else {
                Err(JUNK)
            }
        }
    }
}

/// A frame's header, without the 0xff in front.
fn header([second, third, fourth]: [u8; 3]) -> Result<Header, RedactionError> {
    /// kbit/s, of MPEG 1 and of the others.
    const BIT_RATES: [(usize, usize); 14] = [
        (32, 8),
        (40, 16),
        (48, 24),
        (56, 32),
        (64, 40),
        (80, 48),
        (96, 56),
        (112, 64),
        (128, 80),
        (160, 96),
        (192, 112),
        (224, 128),
        (256, 144),
        (320, 160),
    ];
    const RATES: [u32; 3] = [44_100, 48_000, 32_000];
    if second & 0xe0 != 0xe0 {
        return Err(JUNK);
    }
    match (second >> 1) & 3 {
        1 => {}
        0 => return Err(JUNK),
        _ => {
            return Err(RedactionError::Unsupported(
                "MPEG audio of another layer than III",
            ));
        }
    }
    let rate = RATES.get(usize::from((third >> 2) & 3)).copied();
    let rate = rate.ok_or(JUNK)?;
    let (rate, is_low_rate) = match (second >> 3) & 3 {
        3 => (rate, false),
        2 => (rate / 2, true),
        0 => (rate / 4, true),
        _ => return Err(JUNK),
    };
    let index = usize::from(third >> 4)
        .checked_sub(1)
        .ok_or(RedactionError::Unsupported("free-format MP3"))?;
    let (high, low) = BIT_RATES.get(index).copied().ok_or(JUNK)?;
    let bytes = if is_low_rate { 72 * low } else { 144 * high } * 1_000;
    let padding = usize::from((third >> 1) & 1);
    let header = Header {
        rate,
        is_low_rate,
        is_mono: fourth >> 6 == 3,
        is_protected: second & 1 == 0,
        length: bytes / usize::try_from(rate).map_err(|_| JUNK)? + padding,
    };
    // The smallest frame there is, 24 bytes, has room.
    if header.length <= header.main_at() {
        return Err(JUNK);
    }
    Ok(header)
}

/// 2.4.1.7 of either standard; `None`: it was cut off.
fn side_info(frame: &[u8], header: Header) -> Option<SideInfo> {
    let mut bits = BitReader::new(frame.get(header.side_at()..header.main_at())?);
    let channels = if header.is_mono { 1 } else { 2 };
    // Private bits, and which scale factors the second granule shares with the first.
    let (granules, begin, unused, granule) = match (header.is_low_rate, header.is_mono) {
        (false, true) => (2, 9, 5 + 4, 59),
        (false, false) => (2, 9, 3 + 8, 59),
        (true, true) => (1, 8, 1, 63),
        (true, false) => (1, 8, 2, 63),
    };
    let main_data_begin = u64::from(bits.read(begin)?);
    bits.skip(unused)?;
    let mut length = 0;
    for _ in 0..granules * channels {
        length += u64::from(bits.read(12)?);
        bits.skip(granule - 12)?;
    }
    Some(SideInfo {
        main_data_begin,
        bits: length,
    })
}

/// What the header of a file, in a frame of its own, says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileHeader {
    /// The encoder's delay, samples; 0 where none is named.
    delay: u64,
    /// Where LAME's part of a Xing header begins.
    lame: Option<usize>,
}

/// The header of a file (Xing's, with LAME's addition, or VBRI), which is not audio, if that is what this frame holds.
fn file_header(frame: &[u8], header: Header) -> Option<FileHeader> {
    if frame.get(36..40) == Some(b"VBRI") {
        let delay = u64::from(be16(frame, 42)?);
        return Some(FileHeader {
            delay: delay.min(MAX_VBRI_DELAY),
            lame: None,
        });
    }
    // Most leave no room for a CRC, even where the frame says that it has one.
    let main = header.main_at();
    let places = [main, main - (header.side_at() - 4)];
    let is_xing = |at: &usize| {
        let name = frame.get(*at..*at + 4);
        name == Some(b"Xing") || name == Some(b"Info")
    };
    let at = places.into_iter().find(is_xing)?;
    let flags = frame.get(at + 7).copied().unwrap_or_default();
    let lengths = [(1, 4), (2, 4), (4, 100), (8, 4)];
    let present = lengths.iter().filter(|(flag, _)| flags & flag != 0);
    let lame = at + 8 + present.map(|(_, length)| length).sum::<usize>();
    let delay = be16(frame, lame + 21).map_or(0, |word| u64::from(word >> 4));
    Some(FileHeader {
        delay,
        lame: Some(lame),
    })
}

/// LAME keeps a CRC of all frames, which changes as they do: it becomes zero, and that of the header is mended, if
/// it was right.
fn forget_music(frame: &mut [u8], lame: usize) {
    let (music, header) = (lame + 32, lame + 34);
    let check = |frame: &[u8]| frame.get(..header).map(crc16_arc);
    if check(frame).is_none_or(|crc| be16(frame, header) != Some(crc)) {
        return;
    }
    if let Some(place) = frame.get_mut(music..header) {
        place.fill(0);
    }
    if let Some(crc) = check(frame)
        && let Some(place) = frame.get_mut(header..header + 2)
    {
        place.copy_from_slice(&crc.to_be_bytes());
    }
}

/// The CRC-16 of LAME's header: the polynomial of [`crc16`], least significant bit first.
fn crc16_arc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 0 { 0 } else { 0xa001 }
        })
    })
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Span;

    const STEREO_44: &[u8] = include_bytes!("../tests/samples/stereo-44.mp3");
    const MONO_44: &[u8] = include_bytes!("../tests/samples/mono-44.mp3");
    const STEREO_22: &[u8] = include_bytes!("../tests/samples/stereo-22.mp3");
    const MONO_8: &[u8] = include_bytes!("../tests/samples/mono-8.mp3");

    fn spans(start_ms: u64, end_ms: u64) -> Spans {
        Spans::new(vec![Span { start_ms, end_ms }]).unwrap()
    }

    fn redact(file: &[u8], spans: Spans) -> Vec<u8> {
        let mut mp3 = Mp3::new(spans);
        let mut copy = Vec::new();
        mp3.push(file, &mut copy).unwrap();
        mp3.finish(&mut copy).unwrap();
        copy
    }

    /// The frames of a file that may begin with an `ID3v2` tag.
    fn frames(file: &[u8]) -> Vec<(Header, &[u8])> {
        let mut rest = match next(file) {
            Ok(Next::Tag(length)) => &file[usize::try_from(length).unwrap()..],
            _ => file,
        };
        let mut frames = Vec::new();
        while let Some([0xff, bytes @ ..]) = rest.first_chunk::<4>() {
            let header = header(*bytes).unwrap();
            let (frame, after) = rest.split_at(header.length);
            frames.push((header, frame));
            rest = after;
        }
        assert!(frames.len() > 50);
        frames
    }

    #[test]
    fn exactly_the_bits_of_silent_frames_are_gone() {
        for file in [STEREO_44, MONO_44, STEREO_22, MONO_8] {
            let copy = redact(file, spans(700, 1_000));
            let (before, after) = (frames(file), frames(&copy));
            let main = |frames: &[(Header, &[u8])]| -> Vec<u8> {
                let main = frames
                    .iter()
                    .map(|(header, frame)| &frame[header.main_at()..]);
                main.collect::<Vec<_>>().concat()
            };
            let (main_before, main_after) = (main(&before), main(&after));
            let mut at = 0;
            let (mut silent, mut earlier) = (0, 0);
            for ((header, before), (_, after)) in before.iter().zip(&after) {
                let (old, new) = (
                    side_info(before, *header).unwrap(),
                    side_info(after, *header).unwrap(),
                );
                assert_eq!(old.main_data_begin, new.main_data_begin);
                let begin = usize::try_from(old.main_data_begin).unwrap();
                let length = usize::try_from(old.bits.div_ceil(8)).unwrap();
                let part = at - begin..at - begin + length;
                if new.bits == 0 && old.bits > 0 {
                    silent += 1;
                    earlier += usize::from(begin > 0);
                    assert!(main_after[part].iter().all(|byte| *byte == 0));
                } else {
                    assert_eq!(main_before[part.clone()], main_after[part]);
                }
                at += header.length - header.main_at();
            }
            assert!(silent > 5);
            // The constant rates have some in the reservoir, which is what all this is about.
            assert!(earlier > 2);
        }
    }

    #[test]
    fn no_frame_is_heard_whose_bits_were_taken() {
        let frames = frames(MONO_44);
        let side = |at: usize| side_info(frames[at].1, frames[at].0).unwrap();
        let mut joined = 0;
        // The frame `second`, behind a cut, has its part where that of `first - 1` is.
        for first in 30..50 {
            let seconds = 50..frames.len() - 30;
            let Some(second) = seconds
                .into_iter()
                .find(|second| side(*second).main_data_begin > side(first).main_data_begin + 20)
            else {
                continue;
            };
            joined += 1;
            let all = [&frames[..first], &frames[second..]].concat();
            let file: Vec<u8> = all.iter().flat_map(|frame| frame.1).copied().collect();
            // To either side of the cut, and over it.
            let cut = first as u64 * 1_152_000 / 44_100;
            for (start, end) in [
                (cut - 300, cut - 60),
                (cut - 20, cut),
                (cut + 40, cut + 300),
            ] {
                let copy = redact(&file, spans(start, end));
                let (mut old, mut new): (Vec<u8>, Vec<u8>) = (Vec::new(), Vec::new());
                let mut heard = Vec::new();
                let mut rest = copy.as_slice();
                for (header, before) in &all {
                    let (after, more) = rest.split_at(header.length);
                    rest = more;
                    let side = side_info(after, *header).unwrap();
                    let begin = old.len() - usize::try_from(side.main_data_begin).unwrap();
                    let length = usize::try_from(side.bits.div_ceil(8)).unwrap();
                    heard.push(begin..begin + length);
                    old.extend(&before[header.main_at()..]);
                    new.extend(&after[header.main_at()..]);
                }
                assert_ne!(old, new);
                for part in heard {
                    assert_eq!(old[part.clone()], new[part]);
                }
            }
        }
        assert!(joined > 3, "{joined}");
    }

    #[test]
    fn of_a_file_that_is_all_silent_only_the_lengths_are_left() {
        let copy = redact(STEREO_44, spans(0, 60_000));
        for (header, frame) in frames(&copy).into_iter().skip(1) {
            let side = &frame[header.side_at()..header.main_at()];
            assert_eq!(side[1] & 0x7f, 0);
            assert!(side[2..].iter().all(|byte| *byte == 0));
            assert!(frame[header.main_at()..].iter().all(|byte| *byte == 0));
        }
        // The tag behind it is no audio.
        assert_eq!(copy[copy.len() - 128..], STEREO_44[STEREO_44.len() - 128..]);
    }

    #[test]
    fn checks_are_right_afterwards() {
        let copy = redact(STEREO_44, spans(700, 1_000));
        for (header, frame) in frames(&copy).into_iter().skip(1) {
            assert!(header.is_protected);
            let crc = crc16(crc16(0xffff, &frame[2..4]), &frame[6..header.main_at()]);
            assert_eq!(be16(frame, 4), Some(crc));
        }
        for (file, copy) in [
            (STEREO_44, copy),
            (MONO_8, redact(MONO_8, spans(700, 1_000))),
        ] {
            let (header, old) = frames(file)[0];
            let new = frames(&copy)[0].1;
            let lame = file_header(old, header).unwrap().lame.unwrap();
            assert_eq!(&old[lame..lame + 4], b"LAME");
            assert_eq!(be16(old, lame + 34), Some(crc16_arc(&old[..lame + 34])));
            assert_ne!(be16(old, lame + 32), Some(0));
            assert_eq!(be16(new, lame + 34), Some(crc16_arc(&new[..lame + 34])));
            assert_eq!(be16(new, lame + 32), Some(0));
        }
    }

    #[test]
    fn the_header_of_a_file_is_no_audio() {
        let (header, first) = frames(MONO_44)[0];
        let mut vbri = first.to_vec();
        vbri[4..].fill(0);
        vbri[36..44].copy_from_slice(b"VBRI\0\x01\x04\x89");
        let info = file_header(&vbri, header).unwrap();
        assert_eq!((info.delay, info.lame), (0x489, None));
        let file = [&vbri, MONO_44].concat();
        let mut mp3 = Mp3::new(spans(0, 60_000));
        let mut copy = Vec::new();
        mp3.push(&file, &mut copy).unwrap();
        let redacted = mp3.finish(&mut copy).unwrap();
        assert_eq!(redacted.duration_ms, 3_030);
        assert_eq!(redacted.silenced_ms, 3_031);
        assert_eq!(copy[..vbri.len()], vbri);
        // One that is heard by who does not know it is audio too.
        let mut heard = vbri.clone();
        heard[7] = 0xff;
        let copy = redact(&[&heard, MONO_44].concat(), spans(0, 100));
        assert!(copy[6..vbri.len()].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn no_more_is_held_than_the_reservoir_reaches() {
        let frames = frames(STEREO_44);
        let audio: Vec<u8> = frames[1..]
            .iter()
            .flat_map(|frame| frame.1)
            .copied()
            .collect();
        let mut mp3 = Mp3::new(
            Spans::new(
                (0..1_000)
                    .map(|at| Span {
                        start_ms: at * 2_500,
                        end_ms: at * 2_500 + 900,
                    })
                    .collect(),
            )
            .unwrap(),
        );
        let mut copy = Vec::new();
        let (mut given, mut taken) = (0, 0);
        while taken < 20_000_000 {
            mp3.push(&audio, &mut copy).unwrap();
            taken += audio.len();
            given += copy.len();
            copy.clear();
            assert!(mp3.held() < 4_096);
            assert_eq!(taken - given, mp3.held());
        }
        // The smallest frames there are: 24 bytes, one of them main data.
        let mut frame = vec![0xff, 0xf2, 0x14, 0x00];
        frame.resize(24, 0);
        let mut mp3 = Mp3::new(spans(0, 60_000));
        for _ in 0..20_000 {
            mp3.push(&frame, &mut copy).unwrap();
            assert!(mp3.held() <= 256 * 24);
        }
        // Tags, without end.
        let mut tag = b"TAG".to_vec();
        tag.resize(128, 0);
        for _ in 0..1_000 {
            mp3.push(&tag, &mut copy).unwrap();
            assert!(mp3.held() <= 256 * 24 + MAX_HELD_OTHER);
        }
    }
}
