//! Vorbis (Vorbis I specification): the lengths of packets follow from the modes, which stand at the end of the
//! setup header, so all of that is read.

use super::Packet;
use crate::RedactionError;

const DAMAGED: RedactionError = RedactionError::Damaged("a Vorbis setup header that is broken");

/// The longest setup header that is taken, bytes. libvorbis writes four to eight thousand.
pub(super) const MAX_SETUP: usize = 256 * 1024;

/// Bits from the least significant one of the first byte on (section 2.1).
#[derive(Debug)]
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// The next ones, at most 32, as a number; `None` if there are fewer.
    fn read(&mut self, count: u32) -> Option<u32> {
        let end = self.at.checked_add(usize::try_from(count).ok()?)?;
        if end > self.bytes.len().saturating_mul(8) {
            return None;
        }
        // 32 bits lie in five bytes at most.
        let window = self.bytes.iter().skip(self.at / 8).take(5);
        let window = window
            .rev()
            .fold(0_u64, |all, byte| (all << 8) | u64::from(*byte));
        let value = (window >> (self.at % 8)) & ((1_u64 << count.min(32)) - 1);
        self.at = end;
        u32::try_from(value).ok()
    }

    fn flag(&mut self) -> Option<bool> {
        Some(self.read(1)? == 1)
    }

    fn skip(&mut self, count: u64) -> Option<()> {
        let end = self.at.checked_add(usize::try_from(count).ok()?)?;
        if end > self.bytes.len().saturating_mul(8) {
            return None;
        }
        self.at = end;
        Some(())
    }
}

/// How many bits a number has (section 9.2.1).
fn ilog(number: u32) -> u32 {
    32 - number.leading_zeros()
}

#[derive(Debug)]
pub(super) struct Vorbis {
    /// Hz.
    pub(super) rate: u32,
    channels: u8,
    /// Samples of a short block and of a long one.
    blocks: [u64; 2],
    /// Of each mode, whether its blocks are long.
    modes: Vec<bool>,
    /// The length of the block before.
    before: Option<u64>,
}

impl Vorbis {
    /// From the identification header (section 4.2.2).
    pub(super) fn new(packet: &[u8]) -> Result<Self, RedactionError> {
        let damaged = RedactionError::Damaged("a Vorbis header that is broken");
        let bits = &mut Bits {
            bytes: packet,
            at: 7 * 8,
        };
        if bits.read(32).ok_or(damaged)? != 0 {
            return Err(RedactionError::Unsupported(
                "Vorbis of another version than I",
            ));
        }
        let channels = u8::try_from(bits.read(8).ok_or(damaged)?).unwrap_or_default();
        let rate = bits.read(32).ok_or(damaged)?;
        bits.skip(3 * 32).ok_or(damaged)?;
        let short = bits.read(4).ok_or(damaged)?;
        let long = bits.read(4).ok_or(damaged)?;
        let is_framed = bits.flag().ok_or(damaged)?;
        if channels == 0
            || rate == 0
            || !(6..=13).contains(&short)
            || !(short..=13).contains(&long)
            || !is_framed
        {
            return Err(damaged);
        }
        Ok(Self {
            rate,
            channels,
            blocks: [1 << short, 1 << long],
            modes: Vec::new(),
            before: None,
        })
    }

    /// Reads a header behind the first, or the start of one; whether it is the last.
    pub(super) fn header(&mut self, packet: &[u8]) -> Result<bool, RedactionError> {
        if packet.starts_with(b"\x03vorbis") && self.modes.is_empty() {
            return Ok(false);
        }
        let setup = packet.strip_prefix(b"\x05vorbis").ok_or(DAMAGED)?;
        self.modes = modes(
            &mut Bits {
                bytes: setup,
                at: 0,
            },
            self.channels,
        )
        .ok_or(DAMAGED)?;
        Ok(true)
    }

    /// What a packet is (section 4.3).
    pub(super) fn packet(&mut self, bytes: &[u8]) -> Result<Packet, RedactionError> {
        let damaged = RedactionError::Damaged("a Vorbis packet that is no audio");
        // Decoders take one of no bytes for nothing at all.
        if bytes.is_empty() {
            return Ok(Packet::nothing());
        }
        let bits = &mut Bits { bytes, at: 0 };
        if bits.flag().ok_or(damaged)? {
            return Err(damaged);
        }
        let most = u32::try_from(self.modes.len().saturating_sub(1)).unwrap_or_default();
        let mode = bits.read(ilog(most)).ok_or(damaged)?;
        let mode = usize::try_from(mode)
            .ok()
            .and_then(|mode| self.modes.get(mode));
        let is_long = *mode.ok_or(damaged)?;
        if is_long {
            // The windows of the blocks before and behind.
            bits.skip(2).ok_or(damaged)?;
        }
        let [short, long] = self.blocks;
        let block = if is_long { long } else { short };
        let advance = self.before.map_or(0, |before| before / 4 + block / 4);
        self.before = Some(block);
        Ok(Packet {
            padding: 0,
            advance,
            // A granule position is that of the block's middle; it is heard as far as its window reaches.
            before: block / 2,
            after: block / 2,
            is_empty: false,
            silence: silence(bytes, bits.at, self.channels),
        })
    }
}

/// A packet with the same first bits, so that its neighbours' windows fit, and no sound in any channel: a bit of
/// zero for each (section 7.2.3; of floor 0, 6.2.2, an amplitude of zero, which the packet's end too stands for).
fn silence(packet: &[u8], first: usize, channels: u8) -> Vec<u8> {
    let length = (first + usize::from(channels)).div_ceil(8);
    let mut silence: Vec<u8> = packet.iter().take(first.div_ceil(8)).copied().collect();
    if let Some(last) = silence.last_mut() {
        let stays = u32::try_from((first + 7) % 8 + 1).unwrap_or_default();
        *last &= u8::MAX >> (8 - stays);
    }
    silence.resize(length, 0);
    silence
}

/// Reads the setup header through (section 4.2.4); gives of each mode whether its blocks are long.
fn modes(bits: &mut Bits<'_>, channels: u8) -> Option<Vec<bool>> {
    for _ in 0..=bits.read(8)? {
        codebook(bits)?;
    }
    for _ in 0..=bits.read(6)? {
        // A place that is kept for what never came.
        if bits.read(16)? != 0 {
            return None;
        }
    }
    for _ in 0..=bits.read(6)? {
        floor(bits)?;
    }
    for _ in 0..=bits.read(6)? {
        residue(bits)?;
    }
    for _ in 0..=bits.read(6)? {
        mapping(bits, channels)?;
    }
    let mut modes = Vec::new();
    for _ in 0..=bits.read(6)? {
        modes.push(bits.flag()?);
        // The window and the transform, of which there is one each.
        if bits.read(32)? != 0 {
            return None;
        }
        bits.skip(8)?;
    }
    bits.flag()?.then_some(modes)
}

/// Section 3.2.1.
fn codebook(bits: &mut Bits<'_>) -> Option<()> {
    if bits.read(24)? != 0x56_4342 {
        return None;
    }
    let dimensions = bits.read(16)?;
    let entries = bits.read(24)?;
    let is_ordered = bits.flag()?;
    if is_ordered {
        // By length, how many there are of it.
        bits.skip(5)?;
        let mut entry = 0;
        while entry < entries {
            entry += bits.read(ilog(entries - entry))?;
        }
        if entry > entries {
            return None;
        }
    } else {
        let is_sparse = bits.flag()?;
        for _ in 0..entries {
            if !is_sparse || bits.flag()? {
                bits.skip(5)?;
            }
        }
    }
    let lookup = bits.read(4)?;
    if lookup == 0 {
        return Some(());
    }
    bits.skip(64)?;
    let width = u64::from(bits.read(4)? + 1);
    bits.skip(1)?;
    let values = match lookup {
        1 => root(entries, dimensions)?,
        2 => u64::from(entries) * u64::from(dimensions),
        _ => return None,
    };
    bits.skip(values.checked_mul(width)?)
}

/// The largest number whose power is no more than `entries` (section 9.2.3).
fn root(entries: u32, dimensions: u32) -> Option<u64> {
    if dimensions == 0 {
        return None;
    }
    let (mut low, mut high) = (0, u64::from(entries) + 1);
    while high - low > 1 {
        let middle = u64::midpoint(low, high);
        if middle.saturating_pow(dimensions) <= u64::from(entries) {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(low)
}

/// Sections 6.2.1 and 7.2.2.
fn floor(bits: &mut Bits<'_>) -> Option<()> {
    match bits.read(16)? {
        0 => {
            bits.skip(8 + 16 + 16 + 6 + 8)?;
            let books = bits.read(4)? + 1;
            bits.skip(u64::from(books) * 8)
        }
        1 => {
            let mut partitions = Vec::new();
            for _ in 0..bits.read(5)? {
                partitions.push(bits.read(4)?);
            }
            let mut dimensions = Vec::new();
            let classes = partitions.iter().max().map_or(0, |last| last + 1);
            for _ in 0..classes {
                dimensions.push(bits.read(3)? + 1);
                let subclasses = bits.read(2)?;
                if subclasses > 0 {
                    bits.skip(8)?;
                }
                bits.skip(8 << subclasses)?;
            }
            bits.skip(2)?;
            let range = bits.read(4)?;
            for class in partitions {
                let dimensions = dimensions.get(usize::try_from(class).ok()?)?;
                bits.skip(u64::from(dimensions * range))?;
            }
            Some(())
        }
        _ => None,
    }
}

/// Section 8.6.1.
fn residue(bits: &mut Bits<'_>) -> Option<()> {
    if bits.read(16)? > 2 {
        return None;
    }
    bits.skip(3 * 24)?;
    let classifications = bits.read(6)? + 1;
    bits.skip(8)?;
    let mut books = 0;
    for _ in 0..classifications {
        books += bits.read(3)?.count_ones();
        if bits.flag()? {
            books += bits.read(5)?.count_ones();
        }
    }
    bits.skip(u64::from(books) * 8)
}

/// Section 4.2.4, step 5.
fn mapping(bits: &mut Bits<'_>, channels: u8) -> Option<()> {
    if bits.read(16)? != 0 {
        return None;
    }
    let submaps = if bits.flag()? { bits.read(4)? + 1 } else { 1 };
    if bits.flag()? {
        let steps = bits.read(8)? + 1;
        let width = ilog(u32::from(channels).saturating_sub(1));
        bits.skip(u64::from(steps * width) * 2)?;
    }
    if bits.read(2)? != 0 {
        return None;
    }
    if submaps > 1 {
        bits.skip(u64::from(channels) * 4)?;
    }
    bits.skip(u64::from(submaps) * 24)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_read_from_the_least_significant_on() {
        let mut bits = Bits {
            bytes: &[0b1010_0101, 0xff, 0x01],
            at: 0,
        };
        assert_eq!(bits.flag(), Some(true));
        assert_eq!(bits.read(3), Some(0b010));
        assert_eq!(bits.read(12), Some(0b1111_1111_1010));
        assert_eq!(bits.read(9), None);
        assert_eq!(bits.skip(9), None);
        assert_eq!(bits.read(0), Some(0));
        assert_eq!(bits.read(8), Some(1));
        assert_eq!(bits.read(1), None);
    }

    #[test]
    fn roots_are_those_of_the_specification() {
        for (entries, dimensions, expected) in [
            (0, 3, 0),
            (1, 9, 1),
            (7, 3, 1),
            (8, 3, 2),
            (81, 4, 3),
            (80, 4, 2),
            (625, 2, 25),
            (99, 1, 99),
        ] {
            assert_eq!(root(entries, dimensions), Some(expected));
        }
        assert_eq!(root(9, 0), None);
        assert_eq!(root(0xff_ffff, 1), Some(0xff_ffff));
    }

    #[test]
    fn silence_begins_as_the_packet_did() {
        assert_eq!(silence(&[0b1111_1110, 0xff], 2, 1), [0b10]);
        assert_eq!(silence(&[0b1111_1110, 0xff], 4, 2), [0b1110]);
        assert_eq!(silence(&[0b1111_1110, 0xff, 0xff], 9, 2), [0xfe, 1]);
        assert_eq!(silence(&[0b1111_1110, 0xff], 8, 1), [0xfe, 0]);
        assert_eq!(silence(&[0xfe], 4, 8), [0b1110, 0]);
    }
}
