//! RIFF WAVE (Microsoft's Multimedia Programming Interface 1.0) and RF64 (EBU Tech 3306) with linear PCM of 8
//! to 32 bits, mu-law or A-law (ITU-T G.711). Samples are overwritten where they stand.

mod g711;

use crate::{
    Redacted, RedactionError, Replacement,
    span::{Range, Samples, Spans},
};

const PCM: u16 = 1;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
const EXTENSIBLE: u16 = 0xfffe;

/// A format chunk is 16 to 40 bytes long, `ds64` 28 and a table that nobody writes.
const MAX_SMALL_CHUNK: u64 = 4_096;

/// The low tone: its frequency, Hz.
const TONE_HZ: f64 = 220.0;
/// Its peak, of full scale: 26 dB below.
const TONE_PEAK: f64 = 0.05;

#[derive(Debug)]
pub(crate) struct Wav {
    spans: Spans,
    replacement: Replacement,
    state: State,
    /// What came of a header.
    header: Vec<u8>,
    format: Option<Format>,
    /// The length of the data chunk in an RF64 file.
    long_data: Option<u64>,
    is_rf64: bool,
    /// Of the data chunk, once it has begun.
    data: Option<Data>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// `RIFF`, a length that is often wrong, `WAVE`.
    Start,
    /// A chunk's name and length.
    Chunk,
    /// A chunk that is read.
    Small { name: [u8; 4], length: u64 },
    /// A chunk that goes through, with its padding.
    Other { left: u64 },
    /// Samples; `None`: to the end of the file.
    Data { left: Option<u64>, padding: u64 },
}

#[derive(Clone, Copy, Debug)]
struct Format {
    coding: Coding,
    rate: u32,
    /// Bytes of one channel's sample.
    sample: usize,
    /// Bytes of all channels' samples of one moment.
    frame: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Linear,
    MuLaw,
    ALaw,
}

#[derive(Debug)]
struct Data {
    format: Format,
    ranges: Samples,
    replacement: Replacement,
    /// Bytes of it that came.
    at: u64,
    silenced: u64,
}

impl Wav {
    pub(crate) fn new(spans: Spans, replacement: Replacement) -> Self {
        Self {
            spans,
            replacement,
            state: State::Start,
            header: Vec::new(),
            format: None,
            long_data: None,
            is_rf64: false,
            data: None,
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
                    if self.read(12, &mut part, copy) {
                        self.start()?;
                    }
                }
                State::Chunk => {
                    if self.read(8, &mut part, copy) {
                        self.chunk()?;
                    }
                }
                State::Small { name, length } => {
                    // It fits: the chunk was taken with its length.
                    let padded = usize::try_from(length + length % 2).unwrap_or(usize::MAX);
                    if self.read(padded, &mut part, copy) {
                        if &name == b"fmt " {
                            self.format = Some(format(&self.header)?);
                        } else {
                            self.long_data = le64(&self.header, 8);
                        }
                        self.header.clear();
                        self.state = State::Chunk;
                    }
                }
                State::Other { left } => {
                    let (taken, rest) = split(part, Some(left));
                    copy.extend_from_slice(taken);
                    part = rest;
                    let left = left - taken.len() as u64;
                    self.state = if left == 0 {
                        State::Chunk
                    } else {
                        State::Other { left }
                    };
                }
                State::Data { left, padding } => {
                    let (taken, rest) = split(part, left);
                    part = rest;
                    if let Some(data) = &mut self.data {
                        data.push(taken, copy);
                    }
                    let left = left.map(|left| left - taken.len() as u64);
                    self.state = match left {
                        Some(0) if padding == 0 => State::Chunk,
                        Some(0) => State::Other { left: padding },
                        left => State::Data { left, padding },
                    };
                }
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self, _copy: &mut Vec<u8>) -> Result<Redacted, RedactionError> {
        let damaged = RedactionError::Damaged("a WAV that ends before its audio");
        let data = self.data.ok_or(damaged)?;
        let rate = u64::from(data.format.rate);
        let frame = data.format.frame as u64;
        // Of a last moment of which a part came, that part is heard by some.
        let frames = data.at.div_ceil(frame);
        let duration_ms = frames.saturating_mul(1_000) / rate;
        if data.ranges.last_start() >= frames {
            return Err(RedactionError::PastEnd { duration_ms });
        }
        Ok(Redacted {
            duration_ms,
            silenced_ms: data
                .silenced
                .div_ceil(frame)
                .saturating_mul(1_000)
                .div_ceil(rate),
        })
    }

    /// Goes on reading a header, which the copy has too. Whether all of it came.
    fn read(&mut self, length: usize, part: &mut &[u8], copy: &mut Vec<u8>) -> bool {
        let missing = length.saturating_sub(self.header.len()) as u64;
        let (taken, rest) = split(part, Some(missing));
        self.header.extend_from_slice(taken);
        copy.extend_from_slice(taken);
        *part = rest;
        self.header.len() >= length
    }

    fn start(&mut self) -> Result<(), RedactionError> {
        self.is_rf64 = self.header.starts_with(b"RF64");
        let is_riff = self.is_rf64 || self.header.starts_with(b"RIFF");
        if !is_riff || self.header.get(8..) != Some(b"WAVE") {
            return Err(RedactionError::Damaged("not a WAV"));
        }
        self.header.clear();
        self.state = State::Chunk;
        Ok(())
    }

    fn chunk(&mut self) -> Result<(), RedactionError> {
        let damaged = RedactionError::Damaged("a WAV with half a chunk");
        let (name, short) = self.header.split_first_chunk::<4>().ok_or(damaged)?;
        let name = *name;
        let short = le32(short, 0).ok_or(damaged)?;
        self.header.clear();
        let length = u64::from(short);
        self.state = match &name {
            b"fmt " | b"ds64" => {
                if length == 0 || length > MAX_SMALL_CHUNK {
                    return Err(RedactionError::Damaged("a WAV whose format has no length"));
                }
                if &name == b"fmt " && self.format.is_some() {
                    return Err(RedactionError::Unsupported("a WAV with two formats"));
                }
                if &name == b"ds64" && self.long_data.is_some() {
                    return Err(RedactionError::Damaged("a WAV with two lengths"));
                }
                State::Small { name, length }
            }
            b"data" => {
                if self.data.is_some() {
                    return Err(RedactionError::Unsupported(
                        "a WAV with its audio in pieces",
                    ));
                }
                let format = self
                    .format
                    .ok_or(RedactionError::Damaged("a WAV whose audio has no format"))?;
                self.data = Some(Data {
                    ranges: self.spans.in_samples(format.rate),
                    format,
                    replacement: self.replacement,
                    at: 0,
                    silenced: 0,
                });
                let length = match (short, self.is_rf64, self.long_data) {
                    (u32::MAX, true, long) => long,
                    // Some players go by the one, some by the other.
                    (short, true, Some(long)) if u64::from(short) != long => {
                        return Err(RedactionError::Damaged("a WAV with two lengths"));
                    }
                    // Whoever writes as it comes does not know: players go on to the end.
                    (0 | u32::MAX, false, _) => None,
                    _ => Some(length),
                };
                // In RF64 too a length that was never filled in means all that there is.
                let length = length.filter(|length| *length > 0);
                State::Data {
                    left: length,
                    padding: length.unwrap_or_default() % 2,
                }
            }
            // Samples of which some are left out, in a list; and what is played in another order.
            b"wavl" | b"slnt" | b"plst" => {
                return Err(RedactionError::Unsupported(
                    "a WAV with its audio in pieces",
                ));
            }
            // Audio that goes on behind the length that was written for it: some players go on too.
            name if (*name, length) != ([0; 4], 0)
                && !name.iter().all(|byte| (0x20..0x7f).contains(byte)) =>
            {
                return Err(RedactionError::Damaged(
                    "a WAV with something behind a chunk that is none",
                ));
            }
            _ => match length + length % 2 {
                0 => State::Chunk,
                left => State::Other { left },
            },
        };
        Ok(())
    }
}

impl Data {
    /// Copies samples, and overwrites those that lie in a range.
    fn push(&mut self, mut part: &[u8], copy: &mut Vec<u8>) {
        let frame = self.format.frame as u64;
        while !part.is_empty() {
            let moment = self.at / frame;
            let bytes = |range: Range| Range {
                start: range.start.saturating_mul(frame),
                end: range.end.saturating_mul(frame),
            };
            let next = self.ranges.ahead(moment).map(bytes);
            let (length, is_heard) = match next {
                Some(next) if next.start <= self.at => (Some(next.end - self.at), false),
                Some(next) => (Some(next.start - self.at), true),
                None => (None, true),
            };
            let (taken, rest) = split(part, length);
            if is_heard {
                copy.extend_from_slice(taken);
            } else {
                self.overwrite(taken.len(), copy);
                self.silenced += taken.len() as u64;
            }
            self.at += taken.len() as u64;
            part = rest;
        }
    }

    /// So many bytes in place of those that come next.
    fn overwrite(&self, length: usize, copy: &mut Vec<u8>) {
        let Format {
            coding,
            sample,
            frame,
            ..
        } = self.format;
        if self.replacement == Replacement::Silence {
            let nothing = match (coding, sample) {
                (Coding::Linear, 1) => 0x80,
                (Coding::Linear, _) => 0,
                (Coding::MuLaw, _) => g711::mu_law(0),
                (Coding::ALaw, _) => g711::a_law(0),
            };
            copy.resize(copy.len() + length, nothing);
            return;
        }
        let mut at = self.at;
        let mut left = length;
        while left > 0 {
            let value = self.tone(at / frame as u64);
            // A part may begin and end in the middle of a moment, even of a sample.
            let skip = usize::try_from(at % frame as u64).unwrap_or_default();
            let take = left.min(frame - skip);
            let bytes = value.iter().take(sample).cycle();
            copy.extend(bytes.skip(skip).take(take));
            at += take as u64;
            left -= take;
        }
    }

    /// The tone at this moment, as the file has its samples: as many bytes of it as a sample has.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a sine, far below full scale"
    )]
    fn tone(&self, moment: u64) -> [u8; 4] {
        let Format {
            coding,
            sample,
            rate,
            ..
        } = self.format;
        let turns = moment as f64 * TONE_HZ / f64::from(rate);
        let value = (turns.fract() * std::f64::consts::TAU).sin() * TONE_PEAK;
        let linear = (value * f64::from(i32::MAX)) as i32;
        let short = (linear >> 16) as i16;
        let byte = match (coding, sample) {
            (Coding::MuLaw, _) => g711::mu_law(short),
            (Coding::ALaw, _) => g711::a_law(short),
            // Eight bits have no sign.
            (Coding::Linear, 1) => ((linear >> 24) + 0x80) as u8,
            (Coding::Linear, sample) => {
                let shift = 32 - 8 * u32::try_from(sample).unwrap_or(4).min(4);
                return (linear >> shift).to_le_bytes();
            }
        };
        [byte; 4]
    }
}

fn format(chunk: &[u8]) -> Result<Format, RedactionError> {
    let damaged = RedactionError::Damaged("a WAV whose format is cut short");
    let tag = match le16(chunk, 0).ok_or(damaged)? {
        // The sub-format's first two bytes are the tag.
        EXTENSIBLE => le16(chunk, 24).ok_or(damaged)?,
        tag => tag,
    };
    let channels = usize::from(le16(chunk, 2).ok_or(damaged)?);
    let rate = le32(chunk, 4).ok_or(damaged)?;
    let frame = usize::from(le16(chunk, 12).ok_or(damaged)?);
    let bits = usize::from(le16(chunk, 14).ok_or(damaged)?);
    let sample = bits.div_ceil(8);
    let coding = match tag {
        PCM if (1..=4).contains(&sample) => Coding::Linear,
        MU_LAW if sample == 1 => Coding::MuLaw,
        A_LAW if sample == 1 => Coding::ALaw,
        _ => {
            return Err(RedactionError::Unsupported(
                "a WAV of another coding than PCM, mu-law and A-law",
            ));
        }
    };
    if channels == 0 || rate == 0 || frame != channels * sample {
        return Err(RedactionError::Damaged(
            "a WAV whose format contradicts itself",
        ));
    }
    Ok(Format {
        coding,
        rate,
        sample,
        frame,
    })
}

/// At most so much of the start, and the rest.
fn split(part: &[u8], length: Option<u64>) -> (&[u8], &[u8]) {
    let length = length.and_then(|length| usize::try_from(length).ok());
    part.split_at(length.unwrap_or(usize::MAX).min(part.len()))
}

fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn le64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
