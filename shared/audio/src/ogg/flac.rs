//! FLAC in Ogg (RFC 9639, section 10.1): a packet for each metadata block, and one for each frame.

use super::Packet;
use crate::{
    RedactionError,
    flac::{Begins, FrameHeader, STREAM_INFO_BYTES, StreamInfo, forget_frames},
};

/// Where STREAMINFO begins in the first packet, behind the mapping's fields and its own header.
const STREAM_INFO: usize = 17;

/// Kinds of metadata blocks, and the length of their headers (section 8.1).
const PADDING: u8 = 1;
const SEEK_TABLE: u8 = 3;
const HEADER: usize = 4;

#[derive(Debug)]
pub(super) struct Flac {
    info: StreamInfo,
}

impl Flac {
    /// From the first packet; gives what it must be in the copy too, where what is said of all frames is no
    /// longer so.
    pub(super) fn new(packet: &[u8]) -> Result<(Self, Vec<u8>), RedactionError> {
        let damaged = RedactionError::Damaged("FLAC in Ogg with a header that is broken");
        let mut packet = packet.to_vec();
        let (mapping, info) = packet.split_at_mut_checked(STREAM_INFO).ok_or(damaged)?;
        let [
            _,
            b'F',
            b'L',
            b'A',
            b'C',
            1,
            _,
            _,
            _,
            b'f',
            b'L',
            b'a',
            b'C',
            0,
            0,
            0,
            34,
        ] = mapping
        else {
            return Err(damaged);
        };
        if info.len() != STREAM_INFO_BYTES {
            return Err(damaged);
        }
        let flac = Self {
            info: StreamInfo::of(info)?,
        };
        forget_frames(info);
        Ok((flac, packet))
    }

    pub(super) fn rate(&self) -> u32 {
        self.info.rate
    }

    /// A metadata block behind the first, or its start; whether it is the last.
    pub(super) fn header(packet: &[u8]) -> Result<bool, RedactionError> {
        let damaged = RedactionError::Damaged("FLAC in Ogg with no metadata");
        let kind = *packet.first().ok_or(damaged)?;
        match kind & 0x7f {
            0 | 0x7f => Err(damaged),
            _ => Ok(kind & 0x80 != 0),
        }
    }

    /// What a piece of a metadata block must be in the copy, if it is to be another: of the block `start` is
    /// known, of which `piece` has what comes behind `at`.
    pub(super) fn cleared(start: &[u8], piece: &[u8], at: usize) -> Option<Vec<u8>> {
        let kind = *start.first()?;
        // It would point to where frames were.
        if kind & 0x7f != SEEK_TABLE {
            return None;
        }
        let mut cleared = vec![0; piece.len()];
        let (header, kept) = (
            start.get(at..HEADER).unwrap_or_default(),
            cleared.iter_mut(),
        );
        for (byte, kept) in header.iter().zip(kept) {
            *kept = *byte;
        }
        if let (0, Some(first)) = (at, cleared.first_mut()) {
            *first = kind & 0x80 | PADDING;
        }
        Some(cleared)
    }

    /// A frame.
    pub(super) fn packet(&self, bytes: &[u8]) -> Result<Packet, RedactionError> {
        let damaged = RedactionError::Damaged("FLAC in Ogg with a packet that is no frame");
        // ffmpeg puts one of no bytes at the end, and decoders take it for nothing at all.
        if bytes.is_empty() {
            return Ok(Packet::nothing());
        }
        let Begins::Frame(header) = FrameHeader::of(bytes) else {
            return Err(damaged);
        };
        if !header.is_of(&self.info) {
            return Err(RedactionError::Unsupported(
                "a FLAC whose sampling rate, channels or bits change",
            ));
        }
        if header.end(bytes, &self.info) != Some(bytes.len()) {
            return Err(damaged);
        }
        let samples = u64::from(header.block_size);
        Ok(Packet {
            padding: 0,
            advance: samples,
            before: samples,
            after: 0,
            is_empty: false,
            silence: header.silence(bytes, &self.info).ok_or(damaged)?,
        })
    }
}
