//! Speex in Ogg (The Speex Codec Manual, version 1.2, sections 7 and 8; RFC 5574): packets of as many frames as
//! the header says.

use super::Packet;
use crate::{RedactionError, bits::BitWriter};

/// Frames of 20 ms whose silence fits into one segment of a page: 255 bytes less one.
const MAX_FRAMES: u32 = 6;

/// A frame in the narrow band with submode 5 has so many bits (section 9.3).
const SILENT_BITS: u32 = 300;

#[derive(Debug)]
pub(super) struct Speex {
    /// Hz.
    pub(super) rate: u32,
    /// Samples of a frame.
    frame: u32,
    /// Frames of a packet.
    frames: u32,
    /// Headers that are to come.
    headers_left: u32,
}

impl Speex {
    /// From the first header.
    pub(super) fn new(packet: &[u8]) -> Result<Self, RedactionError> {
        let damaged = RedactionError::Damaged("a Speex header that is broken");
        let field = |at: usize| {
            let bytes = packet.get(at..at + 4)?.try_into().ok()?;
            Some(u32::from_le_bytes(bytes))
        };
        let rate = field(36).ok_or(damaged)?;
        let mode = field(40).ok_or(damaged)?;
        let bitstream = field(44).ok_or(damaged)?;
        let frame = field(56).ok_or(damaged)?;
        let frames = field(64).ok_or(damaged)?.max(1);
        let extra = field(68).ok_or(damaged)?;
        // 20 ms of the narrow band, and twice as many samples with each band more.
        if mode > 2 || bitstream != 4 || frame != 160 << mode {
            return Err(RedactionError::Unsupported(
                "Speex of another version than 1",
            ));
        }
        if !(4_000..=192_000).contains(&rate) || extra > 16 {
            return Err(damaged);
        }
        if frames > MAX_FRAMES {
            return Err(RedactionError::Unsupported(
                "Speex with more than six frames in a packet",
            ));
        }
        Ok(Self {
            rate,
            frame,
            frames,
            headers_left: extra + 1,
        })
    }

    /// A header behind the first one; whether it is the last.
    pub(super) fn header(&mut self) -> bool {
        self.headers_left = self.headers_left.saturating_sub(1);
        self.headers_left == 0
    }

    pub(super) fn packet(&self, bytes: &[u8]) -> Result<Packet, RedactionError> {
        if bytes.is_empty() {
            return Err(RedactionError::Damaged("a Speex packet with no frames"));
        }
        let samples = u64::from(self.frame * self.frames);
        Ok(Packet {
            padding: 0,
            advance: samples,
            // The encoder looks ahead for less than a frame, and each begins with what is left of the one before.
            before: samples + u64::from(self.frame),
            after: u64::from(self.frame),
            is_empty: false,
            silence: self.silence(),
        })
    }

    /// Frames that add nothing to nothing: of submode 5 with all numbers zero, which is no pitch, and an innovation
    /// of the smallest gain, 0.06 of the smallest number that a sample can be. Higher bands are left out.
    fn silence(&self) -> Vec<u8> {
        let mut bits = BitWriter::new();
        for _ in 0..self.frames {
            // Not a higher band; the submode.
            bits.write(5, 5);
            for _ in 5..SILENT_BITS {
                bits.write(0, 1);
            }
        }
        // What fills a byte is a zero and ones: there, a frame would be one that ends all.
        let filled = self.frames * SILENT_BITS % 8;
        if filled > 0 {
            bits.write(0x7f >> filled, 8 - filled);
        }
        bits.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(mode: u32, rate: u32, frames: u32, extra: u32) -> Vec<u8> {
        let mut header = b"Speex   1.2.1".to_vec();
        header.resize(28, 0);
        let fields = [
            1,
            80,
            rate,
            mode,
            4,
            1,
            u32::MAX,
            160 << mode,
            0,
            frames,
            extra,
            0,
            0,
        ];
        header.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
        header
    }

    #[test]
    fn a_packet_is_silent_for_as_many_frames() {
        for (mode, rate) in [(0, 8_000), (1, 16_000), (2, 32_000)] {
            for frames in 1..=MAX_FRAMES {
                let mut speex = Speex::new(&header(mode, rate, frames, 1)).unwrap();
                assert!(!speex.header());
                assert!(speex.header());
                let packet = speex.packet(&[1, 2, 3]).unwrap();
                assert_eq!(packet.advance, u64::from(rate / 50 * frames));
                assert!(packet.silence.len() < 255);
                assert_eq!(packet.silence[0], 5 << 3);
            }
        }
        let speex = Speex::new(&header(0, 8_000, 1, 0)).unwrap();
        let silence = speex.packet(&[1]).unwrap().silence;
        assert_eq!(silence.len(), 38);
        assert_eq!(silence[37], 0b0000_0111);
    }

    #[test]
    fn other_headers_are_refused() {
        for bad in [
            header(3, 8_000, 1, 0),
            header(0, 8_000, 7, 0),
            header(0, 0, 1, 0),
            header(0, 8_000, 1, 17),
            header(0, 8_000, 1, 0)[..71].to_vec(),
        ] {
            assert!(Speex::new(&bad).is_err());
        }
    }
}
