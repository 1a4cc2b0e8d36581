//! Ogg (RFC 3533) with one stream of Opus (RFC 7845), Vorbis (Vorbis I), Speex or FLAC (RFC 9639). Packets that are heard
//! in a span are replaced by silent ones as long; pages keep their places, numbers and granule positions, and get smaller.
//!
//! Where a packet lies in time is counted from the start of the audio, by the lengths of the packets before. Players that
//! go by the granule positions come to the same, but where packets were lost or the positions are wrong, and then some go
//! by the position before a packet, others by the one behind: it is silenced if it lies in a span by any reckoning. So it
//! is too with what a player is to leave out at the start (the pre-skip), since some do not.

mod flac;
mod opus;
mod page;
mod speex;
#[cfg(test)]
mod tests;
mod vorbis;

use crate::{
    Redacted, RedactionError,
    span::{Samples, Spans},
};
use page::Page;
use std::collections::VecDeque;

/// The pages that one packet may lie on, bytes. Opus has at most 61 KB in a packet, and nobody makes more of
/// the others.
const MAX_HELD: usize = 1024 * 1024;

/// What is kept of a header that goes through, bytes: pictures may be in it.
const MAGIC: usize = 8;

#[derive(Debug)]
pub(crate) struct Ogg {
    spans: Spans,
    /// The page that is coming.
    coming: Vec<u8>,
    stream: Option<Stream>,
    phase: Phase,
    /// Pages on which a packet lies that has not ended; the last of them ends within it.
    held: VecDeque<Page>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Headers,
    Audio,
    /// The last page was there.
    Ended,
}

#[derive(Debug)]
struct Stream {
    serial: u32,
    /// The number of the page that came last.
    sequence: u32,
    codec: Codec,
    /// The header packet that is coming.
    header: Vec<u8>,
    has_all_headers: bool,
    time: Time,
    /// Whether the packet behind those that were silenced is still to be.
    is_owed: bool,
}

#[derive(Debug)]
enum Codec {
    Opus,
    Vorbis(vorbis::Vorbis),
    Speex(speex::Speex),
    Flac(flac::Flac),
}

/// A packet of audio.
#[derive(Debug)]
struct Packet {
    /// How many samples further its end is than that of the one before.
    advance: u64,
    /// How far before its end it begins to be heard, samples.
    before: u64,
    /// How far behind its end it is still heard, samples.
    after: u64,
    /// Whether nothing was sent in it.
    is_empty: bool,
    /// Bytes at its end that are no sound, and may tell of what came before.
    padding: usize,
    /// What to put in its place: as long, and silent.
    silence: Vec<u8>,
}

/// Where packets lie. Positions count samples from the first packet's start.
#[derive(Debug)]
struct Time {
    rate: u32,
    /// Where the spans lie.
    ranges: Samples,
    /// What a player leaves out at the start.
    skip: u64,
    /// The end of the last packet.
    at: u64,
    /// What is to be added to granule positions; known from the first one on.
    base: Option<i128>,
    /// The end that the last granule position says.
    stamped: u64,
    /// Whether less is heard than counted, as the last page says.
    is_cut: bool,
    silenced: u64,
}

/// How much later the packets of a page lie by granule positions than they are counted, samples: gone on with from
/// the last position, and gone back from the next. Where some were lost on the way, they lie anywhere between.
#[derive(Clone, Copy, Debug, Default)]
struct Drift {
    least: i128,
    most: i128,
}

impl Ogg {
    pub(crate) fn new(spans: Spans) -> Self {
        Self {
            spans,
            coming: Vec::new(),
            stream: None,
            phase: Phase::Headers,
            held: VecDeque::new(),
        }
    }

    pub(crate) fn push(
        &mut self,
        mut part: &[u8],
        copy: &mut Vec<u8>,
    ) -> Result<(), RedactionError> {
        while !part.is_empty() {
            let needed = page::needed(&self.coming)?;
            let (taken, rest) =
                part.split_at(needed.saturating_sub(self.coming.len()).min(part.len()));
            self.coming.extend_from_slice(taken);
            part = rest;
            if self.coming.len() == needed && page::needed(&self.coming)? == needed {
                let raw = std::mem::take(&mut self.coming);
                self.page(Page::new(raw)?, copy)?;
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self, _copy: &mut Vec<u8>) -> Result<Redacted, RedactionError> {
        if !self.coming.is_empty() || !self.held.is_empty() {
            return Err(RedactionError::Damaged(
                "an Ogg file that ends within a packet",
            ));
        }
        match (self.phase, &self.stream) {
            (Phase::Audio | Phase::Ended, Some(stream)) => stream.time.redacted(&self.spans),
            _ => Err(RedactionError::Damaged(
                "an Ogg file that ends before its audio",
            )),
        }
    }

    fn page(&mut self, page: Page, copy: &mut Vec<u8>) -> Result<(), RedactionError> {
        let Some(stream) = &mut self.stream else {
            let mut page = page;
            self.stream = Some(Stream::new(&mut page, &self.spans)?);
            return page.write(copy);
        };
        if page.is_first() {
            return Err(RedactionError::Unsupported(match self.phase {
                Phase::Headers => "Ogg with more than one stream",
                Phase::Audio | Phase::Ended => "Ogg with one stream after the other",
            }));
        }
        if page.serial() != stream.serial {
            return Err(RedactionError::Damaged(
                "an Ogg page of a stream that never began",
            ));
        }
        if self.phase == Phase::Ended {
            return Err(RedactionError::Damaged(
                "an Ogg file with more behind its end",
            ));
        }
        let is_next = page.sequence() == stream.sequence.wrapping_add(1);
        stream.sequence = page.sequence();
        let is_last = page.is_last();
        if self.phase == Phase::Headers {
            if page.is_continued() == stream.header.is_empty() || !is_next {
                return Err(RedactionError::Damaged(
                    "an Ogg file whose headers are in pieces",
                ));
            }
            let mut page = page;
            if stream.headers(&mut page)? {
                self.phase = Phase::Audio;
            }
            page.write(copy)?;
        } else {
            let is_amid = page.is_continued() && is_next && !page.pieces.is_empty();
            if page.is_continued() != is_amid || is_amid == self.held.is_empty() {
                return Err(RedactionError::Damaged(
                    "an Ogg page that goes on with a packet that never began",
                ));
            }
            self.audio(page, copy)?;
        }
        if is_last {
            if self.phase == Phase::Headers || !self.held.is_empty() {
                return Err(RedactionError::Damaged(
                    "an Ogg stream that ends within a packet",
                ));
            }
            self.phase = Phase::Ended;
        }
        Ok(())
    }

    /// A page of audio: what ends on it is known now.
    fn audio(&mut self, mut page: Page, copy: &mut Vec<u8>) -> Result<(), RedactionError> {
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        let mut ends = Vec::new();
        for (at, piece) in page.pieces.iter().enumerate() {
            if !piece.ends {
                continue;
            }
            let packet = if at == 0 && !self.held.is_empty() {
                let mut whole = Vec::new();
                for held in &self.held {
                    whole.extend_from_slice(held.piece(held.pieces.len().saturating_sub(1)));
                }
                whole.extend_from_slice(page.piece(at));
                stream.codec.packet(&whole)?
            } else {
                stream.codec.packet(page.piece(at))?
            };
            ends.push((at, packet));
        }
        let drift = if ends.is_empty() {
            Drift::default()
        } else {
            let advance = ends.iter().map(|(_, packet)| packet.advance).sum();
            stream.time.stamp(advance, page.granule(), page.is_last())?
        };
        for (at, packet) in ends {
            if !stream.is_silenced(&packet, drift) {
                // What goes through behind a span is not to tell of it.
                if stream.time.silenced > 0 {
                    let mut left = page.clear_end(at, packet.padding);
                    let before = if at == 0 { self.held.len() } else { 0 };
                    for held in self.held.iter_mut().take(before).rev() {
                        left = held.clear_end(held.pieces.len().saturating_sub(1), left);
                    }
                }
                continue;
            }
            if packet.silence.is_empty() {
                continue;
            }
            page.replace(at, packet.silence);
            if at == 0 {
                for held in &mut self.held {
                    held.drop_piece(held.pieces.len().saturating_sub(1));
                }
            }
        }
        // A packet that lies on all of it, and on the pages before, goes on.
        if !(page.is_continued() && page.is_unfinished() && page.pieces.len() == 1) {
            for held in self.held.drain(..) {
                held.write(copy)?;
            }
        }
        if page.is_unfinished() {
            self.held.push_back(page);
            if self.held.iter().map(Page::weight).sum::<usize>() > MAX_HELD {
                return Err(RedactionError::Unsupported(
                    "an Ogg packet longer than a megabyte",
                ));
            }
            return Ok(());
        }
        page.write(copy)
    }

    /// Bytes that are held back.
    #[cfg(test)]
    fn held(&self) -> usize {
        self.coming.capacity() + self.held.iter().map(Page::weight).sum::<usize>()
    }
}

impl Packet {
    /// One of no bytes.
    fn nothing() -> Self {
        Self {
            advance: 0,
            before: 0,
            after: 0,
            is_empty: true,
            padding: 0,
            silence: Vec::new(),
        }
    }
}

impl Stream {
    /// Of the first page, on which the first packet lies alone.
    fn new(page: &mut Page, spans: &Spans) -> Result<Self, RedactionError> {
        let is_alone = matches!(page.pieces.as_slice(), [piece] if piece.ends);
        if !is_alone || !page.is_first() || page.is_continued() || page.is_last() {
            return Err(RedactionError::Damaged(
                "an Ogg file whose first page is not its header",
            ));
        }
        let packet = page.piece(0);
        let (codec, rate, skip) = if packet.starts_with(b"OpusHead") {
            (Codec::Opus, opus::RATE, opus::head(packet)?)
        } else if packet.starts_with(b"\x01vorbis") {
            let vorbis = vorbis::Vorbis::new(packet)?;
            let rate = vorbis.rate;
            (Codec::Vorbis(vorbis), rate, 0)
        } else if packet.starts_with(b"\x7fFLAC") {
            let (flac, packet) = flac::Flac::new(packet)?;
            page.overwrite(0, &packet);
            let rate = flac.rate();
            (Codec::Flac(flac), rate, 0)
        } else if packet.starts_with(b"Speex   ") {
            let speex = speex::Speex::new(packet)?;
            let rate = speex.rate;
            (Codec::Speex(speex), rate, 0)
        } else {
            return Err(RedactionError::Unsupported(
                "Ogg of another codec than Opus, Vorbis, Speex and FLAC",
            ));
        };
        Ok(Self {
            serial: page.serial(),
            sequence: page.sequence(),
            codec,
            header: Vec::new(),
            has_all_headers: false,
            time: Time::new(spans, rate, skip),
            is_owed: false,
        })
    }

    /// A page of headers; whether they end with it.
    fn headers(&mut self, page: &mut Page) -> Result<bool, RedactionError> {
        for at in 0..page.pieces.len() {
            if self.has_all_headers {
                return Err(RedactionError::Damaged(
                    "an Ogg file whose audio begins among its headers",
                ));
            }
            let piece = page.piece(at);
            let known = self.header.len();
            self.codec.read_on(&mut self.header, piece)?;
            if matches!(self.codec, Codec::Flac(_))
                && let Some(cleared) = flac::Flac::cleared(&self.header, piece, known)
            {
                page.overwrite(at, &cleared);
            }
            if page.pieces.get(at).is_some_and(|piece| piece.ends) {
                self.has_all_headers = self.codec.header(&self.header)?;
                self.header.clear();
            }
        }
        Ok(self.has_all_headers)
    }

    /// Whether to silence the packet that comes next, so much off by its page's granule position.
    fn is_silenced(&mut self, packet: &Packet, drift: Drift) -> bool {
        let is_heard = self.time.is_heard(packet, drift);
        let is_silenced = is_heard || self.is_owed;
        // Only Opus has of a packet in the next.
        let can_owe = matches!(self.codec, Codec::Opus);
        self.is_owed = can_owe && (is_heard || (self.is_owed && packet.is_empty));
        self.time.at = self.time.at.saturating_add(packet.advance);
        if is_silenced {
            self.time.silenced = self.time.silenced.saturating_add(packet.advance);
        }
        is_silenced
    }
}

impl Codec {
    /// Adds to a header what is needed of it.
    fn read_on(&self, header: &mut Vec<u8>, piece: &[u8]) -> Result<(), RedactionError> {
        let is_read = |start: &[u8]| start.starts_with(b"\x05vorbis");
        let mut piece = piece.iter();
        let missing = MAGIC.saturating_sub(header.len());
        header.extend(piece.by_ref().take(missing));
        if matches!(self, Self::Vorbis(_)) && is_read(header) {
            header.extend(piece);
        }
        if header.len() > vorbis::MAX_SETUP {
            return Err(RedactionError::Unsupported("Vorbis with a very long setup"));
        }
        Ok(())
    }

    /// A header behind the first one, or its start; whether it is the last.
    fn header(&mut self, packet: &[u8]) -> Result<bool, RedactionError> {
        match self {
            Self::Opus if packet.starts_with(b"OpusTags") => Ok(true),
            Self::Opus => Err(RedactionError::Damaged("Opus without its second header")),
            Self::Vorbis(vorbis) => vorbis.header(packet),
            Self::Speex(speex) => Ok(speex.header()),
            Self::Flac(_) => flac::Flac::header(packet),
        }
    }

    fn packet(&mut self, bytes: &[u8]) -> Result<Packet, RedactionError> {
        match self {
            Self::Opus => opus::packet(bytes),
            Self::Vorbis(vorbis) => vorbis.packet(bytes),
            Self::Speex(speex) => speex.packet(bytes),
            Self::Flac(flac) => flac.packet(bytes),
        }
    }
}

impl Time {
    fn new(spans: &Spans, rate: u32, skip: u64) -> Self {
        Self {
            rate,
            ranges: spans.in_samples(rate),
            skip,
            at: 0,
            base: None,
            stamped: 0,
            is_cut: false,
            silenced: 0,
        }
    }

    /// Takes the granule position of a page whose packets last `advance`; gives how much later they lie than
    /// counted: by the page before it, and by it.
    fn stamp(
        &mut self,
        advance: u64,
        granule: i64,
        is_last: bool,
    ) -> Result<Drift, RedactionError> {
        if granule < 0 {
            return Err(RedactionError::Damaged("an Ogg page with no position"));
        }
        let end = i128::from(self.at.saturating_add(advance));
        let granule = i128::from(granule);
        let base = *self.base.get_or_insert_with(|| match end - granule {
            // One page, and the end of it is cut off.
            more if is_last && more > 0 => 0,
            // The recording begins in the middle of a stream, or so much of it is left out at its start.
            base => {
                self.skip = self.skip.saturating_add(u64::try_from(base).unwrap_or(0));
                base
            }
        });
        let stamped = u64::try_from(granule + base).unwrap_or_default();
        let before = std::mem::replace(&mut self.stamped, stamped);
        if stamped < before {
            return Err(RedactionError::Damaged(
                "an Ogg file whose positions go back",
            ));
        }
        let before = i128::from(before) - i128::from(self.at);
        let drift = i128::from(stamped) - end;
        // The last packets are longer than what is heard of them.
        self.is_cut = is_last && drift < before;
        let drift = if self.is_cut { before } else { drift };
        Ok(Drift {
            least: drift.min(before),
            most: drift.max(before),
        })
    }

    fn is_heard(&self, packet: &Packet, drift: Drift) -> bool {
        let end = self.at.saturating_add(packet.advance);
        let is_heard = |drift: Drift| {
            let moved = |by| u64::try_from(i128::from(end).saturating_add(by)).unwrap_or(0);
            let start = moved(drift.least).saturating_sub(packet.before.saturating_add(self.skip));
            let end = moved(drift.most).saturating_add(packet.after);
            self.ranges.touch(start, end)
        };
        is_heard(Drift::default()) || is_heard(drift)
    }

    fn redacted(&self, spans: &Spans) -> Result<Redacted, RedactionError> {
        let end = if self.is_cut {
            self.stamped
        } else {
            self.stamped.max(self.at)
        };
        let length = end.saturating_sub(self.skip);
        let rate = u64::from(self.rate).max(1);
        let duration_ms = length.saturating_mul(1_000) / rate;
        if spans.in_samples(self.rate).last_start() >= length {
            return Err(RedactionError::PastEnd { duration_ms });
        }
        let silenced = self.silenced.min(length);
        Ok(Redacted {
            duration_ms,
            silenced_ms: silenced.saturating_mul(1_000).div_ceil(rate),
        })
    }
}
