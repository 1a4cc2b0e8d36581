//! MPEG-4 files (ISO/IEC 14496-12 and -14) with one track of AAC-LC (ISO/IEC 14496-3). Access units that are
//! heard in a span are overwritten where they stand with silent ones as long in bytes, so nothing moves.
//!
//! A unit is heard together with the one before it, and their windows overlap: one more is overwritten on
//! either side. When a unit is heard is what the tables say; where players may leave an encoder's delay out
//! at the start, or not (an edit list, iTunes's note), it is silenced by either reading.
//!
//! Where the units lie is said in the index, the box `moov`. Behind the audio it comes too late: then
//! [`Search`] must have gone through the file before.

mod aac;
mod index;
#[cfg(test)]
mod tests;

pub(crate) use index::Index;

use crate::{Redacted, RedactionError, span::Spans};
use index::{Unit, Units};

/// The longest index, bytes. That of a day of AAC at 48 kHz has as many, with a number of four bytes for every
/// access unit.
const MAX_INDEX: u64 = 16 * 1024 * 1024;

/// The longest access unit that is overwritten, bytes: far above 1,536, which is the most that two channels
/// may have.
const MAX_UNIT: u32 = 65_536;

#[derive(Debug)]
pub(crate) struct M4a {
    spans: Spans,
    state: State,
    /// What came of a box's header.
    header: Vec<u8>,
    /// What came of `moov`.
    moov: Vec<u8>,
    has_moov: bool,
    units: Option<Units>,
    /// The access unit that is next, or of which something came.
    unit: Option<Unit>,
    /// What came of it, if it is silenced.
    heard: Vec<u8>,
    /// How far into it the file has come.
    into: u64,
    /// Bytes of the file that came.
    at: u64,
    /// How long the access units are that were overwritten, units of time.
    silenced: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// A box's name and length.
    Header,
    /// A box that goes through; `None`: to the end of the file.
    Other { left: Option<u64> },
    /// `moov`.
    Index { left: u64 },
    /// `mdat`.
    Audio { left: Option<u64> },
}

/// The start of a box.
#[derive(Clone, Copy, Debug)]
struct Header {
    name: [u8; 4],
    /// The length of what is in it; `None`: to the end of the file.
    content: Option<u64>,
}

/// How many bytes of a box's header there must be to know more: 8, or 16.
fn header_length(start: &[u8]) -> usize {
    if start.starts_with(&[0, 0, 0, 1]) {
        16
    } else {
        8
    }
}

fn header(bytes: &[u8]) -> Result<Header, RedactionError> {
    let damaged = RedactionError::Damaged("an M4A with a box that has no length");
    let (short, rest) = bytes.split_first_chunk::<4>().ok_or(damaged)?;
    let (name, rest) = rest.split_first_chunk::<4>().ok_or(damaged)?;
    let content = match u32::from_be_bytes(*short) {
        0 => None,
        1 => {
            let (long, _) = rest.split_first_chunk::<8>().ok_or(damaged)?;
            Some(u64::from_be_bytes(*long).checked_sub(16).ok_or(damaged)?)
        }
        short => Some(u64::from(short).checked_sub(8).ok_or(damaged)?),
    };
    if name == b"moof" {
        return Err(RedactionError::Unsupported("a fragmented M4A"));
    }
    if name == b"moov" && content.is_none_or(|length| length > MAX_INDEX) {
        return Err(RedactionError::Unsupported(
            "an M4A with an index above 16 MiB",
        ));
    }
    Ok(Header {
        name: *name,
        content,
    })
}

/// The start of `part`, no longer than `left`; the rest stays.
fn take<'a>(part: &mut &'a [u8], left: Option<u64>) -> &'a [u8] {
    let left = left.and_then(|left| usize::try_from(left).ok());
    let (taken, rest) = part.split_at(left.unwrap_or(usize::MAX).min(part.len()));
    *part = rest;
    taken
}

/// What is left of a box when these bytes of it came.
fn rest(left: Option<u64>, taken: &[u8]) -> Option<u64> {
    left.map(|left| left.saturating_sub(taken.len() as u64))
}

impl M4a {
    /// With the index, if it is known.
    pub(crate) fn new(spans: Spans, index: Option<Index>) -> Result<Self, RedactionError> {
        let mut m4a = Self {
            spans,
            state: State::Header,
            header: Vec::new(),
            moov: Vec::new(),
            has_moov: false,
            units: None,
            unit: None,
            heard: Vec::new(),
            into: 0,
            at: 0,
            silenced: 0,
        };
        if let Some(index) = index {
            m4a.begin(index)?;
        }
        Ok(m4a)
    }

    fn begin(&mut self, index: Index) -> Result<(), RedactionError> {
        self.units = Some(Units::new(index, &self.spans)?);
        self.next_unit()
    }

    fn next_unit(&mut self) -> Result<(), RedactionError> {
        let Some(units) = &mut self.units else {
            return Ok(());
        };
        self.into = 0;
        // One of no bytes is no sound.
        self.unit = loop {
            match units.next()? {
                Some(unit) if unit.size == 0 => {}
                next => break next,
            }
        };
        Ok(())
    }

    pub(crate) fn push(
        &mut self,
        mut part: &[u8],
        copy: &mut Vec<u8>,
    ) -> Result<(), RedactionError> {
        while !part.is_empty() {
            match self.state {
                State::Header => {
                    let missing = header_length(&self.header).saturating_sub(self.header.len());
                    let taken = take(&mut part, Some(missing as u64));
                    self.header.extend_from_slice(taken);
                    self.through(taken, copy);
                    if self.header.len() == header_length(&self.header) {
                        let header = header(&self.header)?;
                        self.header.clear();
                        self.state = self.enter(header)?;
                        self.leave()?;
                    }
                }
                State::Other { left } => {
                    let taken = take(&mut part, left);
                    self.through(taken, copy);
                    self.state = State::Other {
                        left: rest(left, taken),
                    };
                    self.leave()?;
                }
                State::Index { left } => {
                    let taken = take(&mut part, Some(left));
                    self.moov.extend_from_slice(taken);
                    self.through(taken, copy);
                    self.state = State::Index {
                        left: left.saturating_sub(taken.len() as u64),
                    };
                    self.leave()?;
                }
                State::Audio { left } => {
                    let limit = self.audio_limit(left)?;
                    let taken = take(&mut part, limit);
                    self.audio(taken, copy)?;
                    self.state = State::Audio {
                        left: rest(left, taken),
                    };
                    self.leave()?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self, _copy: &mut Vec<u8>) -> Result<Redacted, RedactionError> {
        let damaged = RedactionError::Damaged("an M4A that ends before its audio");
        let is_whole = match self.state {
            State::Header => self.header.is_empty(),
            State::Other { left } | State::Audio { left } => left.is_none(),
            State::Index { .. } => false,
        };
        let units = self.units.as_ref().ok_or(damaged)?;
        if !is_whole || !self.has_moov || self.unit.is_some() {
            return Err(damaged);
        }
        let (duration_ms, is_past_end) = units.index().duration(&self.spans);
        if is_past_end {
            return Err(RedactionError::PastEnd { duration_ms });
        }
        Ok(Redacted {
            duration_ms,
            silenced_ms: units.index().in_ms_at_least(self.silenced).min(duration_ms),
        })
    }

    fn through(&mut self, bytes: &[u8], copy: &mut Vec<u8>) {
        self.at += bytes.len() as u64;
        copy.extend_from_slice(bytes);
    }

    /// A box has begun.
    fn enter(&mut self, header: Header) -> Result<State, RedactionError> {
        let left = header.content;
        Ok(match &header.name {
            b"moov" => {
                if std::mem::replace(&mut self.has_moov, true) {
                    return Err(RedactionError::Damaged("an M4A with two indexes"));
                }
                State::Index {
                    left: left.unwrap_or_default(),
                }
            }
            b"mdat" if self.units.is_none() => return Err(RedactionError::NotSurveyed),
            b"mdat" => State::Audio { left },
            // Elsewhere players look for an index too (ffmpeg), and would find another one.
            b"trak" | b"mdia" | b"minf" | b"stbl" | b"udta" | b"cmov" | b"wave" | b"ilst" => {
                return Err(RedactionError::Unsupported(
                    "an M4A with a part of an index outside of it",
                ));
            }
            _ => State::Other { left },
        })
    }

    /// Goes on to the next box where one has ended.
    fn leave(&mut self) -> Result<(), RedactionError> {
        match self.state {
            State::Other { left: Some(0) } | State::Audio { left: Some(0) } => {
                self.state = State::Header;
            }
            State::Index { left: 0 } => {
                let index = Index::new(&std::mem::take(&mut self.moov))?;
                match &self.units {
                    None => self.begin(index)?,
                    Some(units) if *units.index() == index => {}
                    Some(_) => {
                        return Err(RedactionError::Damaged(
                            "an M4A that changed since its survey",
                        ));
                    }
                }
                self.state = State::Header;
            }
            _ => {}
        }
        if matches!(self.state, State::Header) && self.into > 0 {
            return Err(RedactionError::Damaged(
                "an M4A whose audio reaches out of its box",
            ));
        }
        Ok(())
    }

    /// How many bytes of `mdat` are alike: to the next access unit, or to this one's end.
    fn audio_limit(&self, left: Option<u64>) -> Result<Option<u64>, RedactionError> {
        let Some(unit) = &self.unit else {
            return Ok(left);
        };
        let size = u64::from(unit.size);
        let to_end = match unit.offset.checked_sub(self.at.saturating_sub(self.into)) {
            Some(0) => size.saturating_sub(self.into),
            Some(gap) => gap,
            None => {
                return Err(RedactionError::Damaged(
                    "an M4A whose audio is not where it says",
                ));
            }
        };
        Ok(Some(left.map_or(to_end, |left| left.min(to_end))))
    }

    fn audio(&mut self, bytes: &[u8], copy: &mut Vec<u8>) -> Result<(), RedactionError> {
        let Some(units) = &mut self.units else {
            return Ok(());
        };
        let length = bytes.len() as u64;
        let start = self.at.saturating_sub(self.into);
        self.at += length;
        match &self.unit {
            Some(unit) if unit.offset == start => {
                let (unit, config) = (*unit, units.index().config);
                self.into += length;
                let is_whole = self.into == u64::from(unit.size);
                if unit.is_silenced {
                    if unit.size > MAX_UNIT {
                        return Err(RedactionError::Damaged(
                            "an access unit of AAC that is too long",
                        ));
                    }
                    self.heard.extend_from_slice(bytes);
                    if is_whole {
                        copy.extend(config.silence(&self.heard)?);
                        self.heard.clear();
                        self.silenced = self.silenced.saturating_add(u64::from(unit.length));
                    }
                } else {
                    copy.extend_from_slice(bytes);
                }
                if is_whole {
                    self.next_unit()?;
                }
            }
            // What is in no access unit nobody hears: but of another track.
            _ if units.index().is_alone => copy.resize(copy.len() + bytes.len(), 0),
            _ => copy.extend_from_slice(bytes),
        }
        Ok(())
    }

    /// Bytes that are held back, but for the index.
    #[cfg(test)]
    fn held(&self) -> usize {
        self.header.capacity() + self.moov.capacity() + self.heard.capacity()
    }
}

/// Looks for an index that stands behind the audio. Reads the boxes, and keeps `moov` alone.
#[derive(Debug)]
pub(crate) struct Search {
    state: State,
    header: Vec<u8>,
    moov: Vec<u8>,
    has_audio: bool,
    is_done: bool,
    /// `None` where it stands before the audio too: whoever redacts comes to it in time.
    found: Option<Index>,
}

impl Search {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Header,
            header: Vec::new(),
            moov: Vec::new(),
            has_audio: false,
            is_done: false,
            found: None,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.is_done
    }

    pub(crate) fn push(&mut self, mut part: &[u8]) -> Result<(), RedactionError> {
        while !part.is_empty() && !self.is_done {
            match self.state {
                State::Header => {
                    let missing = header_length(&self.header).saturating_sub(self.header.len());
                    self.header
                        .extend_from_slice(take(&mut part, Some(missing as u64)));
                    if self.header.len() == header_length(&self.header) {
                        let header = header(&self.header)?;
                        self.header.clear();
                        self.enter(header);
                    }
                }
                State::Other { left } | State::Audio { left } => {
                    let taken = take(&mut part, left);
                    self.state = State::Other {
                        left: rest(left, taken),
                    };
                }
                State::Index { left } => {
                    let taken = take(&mut part, Some(left));
                    self.moov.extend_from_slice(taken);
                    self.state = State::Index {
                        left: left.saturating_sub(taken.len() as u64),
                    };
                }
            }
            self.leave()?;
        }
        Ok(())
    }

    fn enter(&mut self, header: Header) {
        self.has_audio |= header.name == *b"mdat";
        self.state = match &header.name {
            b"moov" if self.has_audio => State::Index {
                left: header.content.unwrap_or_default(),
            },
            b"moov" => {
                self.is_done = true;
                return;
            }
            _ => State::Other {
                left: header.content,
            },
        };
    }

    fn leave(&mut self) -> Result<(), RedactionError> {
        match self.state {
            State::Index { left: 0 } => {
                self.found = Some(Index::new(&std::mem::take(&mut self.moov))?);
                self.is_done = true;
            }
            State::Other { left: Some(0) } => self.state = State::Header,
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<Option<Index>, RedactionError> {
        if !self.is_done {
            return Err(RedactionError::Damaged("an M4A with no index"));
        }
        Ok(self.found)
    }
}
