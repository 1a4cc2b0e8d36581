//! Bits, most significant first: as MPEG audio and FLAC have them.

/// Reads bits from bytes, from the first byte's most significant one on.
#[derive(Clone, Debug)]
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    /// Bits that were read.
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next `count` bits, at most 32, as a number; `None` if there are fewer, and none is taken then.
    pub(crate) fn read(&mut self, count: u32) -> Option<u32> {
        let length = usize::try_from(count.min(32)).ok()?;
        if length > self.left() {
            return None;
        }
        // 32 bits lie in five bytes at most.
        let mut window = 0_u64;
        for byte in self.bytes.iter().skip(self.at / 8).take(5) {
            window = (window << 8) | u64::from(*byte);
        }
        let present = (self.bytes.len() - self.at / 8).min(5) * 8;
        let below = present - self.at % 8 - length;
        let mask = (1_u64 << length) - 1;
        self.at += length;
        u32::try_from((window >> below) & mask).ok()
    }

    /// One bit.
    pub(crate) fn flag(&mut self) -> Option<bool> {
        Some(self.read(1)? == 1)
    }

    /// Passes over bits; `None` if there are fewer.
    pub(crate) fn skip(&mut self, count: usize) -> Option<()> {
        if count > self.left() {
            return None;
        }
        self.at += count;
        Some(())
    }

    /// How many zeros stand before the next one, which is taken too; `None` if there is none.
    pub(crate) fn unary(&mut self) -> Option<u32> {
        let mut zeros = 0;
        loop {
            let byte = *self.bytes.get(self.at / 8)?;
            let skip = u32::try_from(self.at % 8).ok()?;
            let leading = (byte << skip).leading_zeros();
            if leading < 8 {
                self.at += usize::try_from(leading).ok()? + 1;
                return Some(zeros + leading);
            }
            zeros += 8 - skip;
            self.at += 8 - self.at % 8;
        }
    }

    /// How many bits were read.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// How many bits are left.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len() * 8 - self.at
    }
}

/// Puts bits together to bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits of the last byte that are not written yet.
    free: u32,
}

impl BitWriter {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The `count` least significant bits of `value`, at most 32.
    pub(crate) fn write(&mut self, value: u32, count: u32) {
        for bit in (0..count.min(32)).rev() {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            self.free -= 1;
            if let Some(last) = self.bytes.last_mut() {
                *last |= u8::from((value >> bit) & 1 == 1) << self.free;
            }
        }
    }

    /// What was written, with zeros up to a whole byte.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Sets the bits `from..to` of `bytes` to zero, as far as there are any.
pub(crate) fn clear(bytes: &mut [u8], from: usize, to: usize) {
    let to = to.min(bytes.len() * 8);
    if from >= to {
        return;
    }
    let (first, last) = (from / 8, (to - 1) / 8);
    // Bits that stay: of the first byte those before `from`, of the last those from `to` on.
    let before = !(0xff_u8 >> (from % 8));
    let after = 0x7f_u8 >> ((to - 1) % 8);
    for at in first..=last {
        if let Some(byte) = bytes.get_mut(at) {
            let stays = if at == first { before } else { 0 } | if at == last { after } else { 0 };
            *byte &= stays;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bits_are_read_from_the_most_significant_on() {
        let mut bits = BitReader::new(&[0b1010_0101, 0xff, 0x01]);
        assert_eq!(bits.flag(), Some(true));
        assert_eq!(bits.read(3), Some(0b010));
        assert_eq!(bits.read(12), Some(0b0101_1111_1111));
        assert_eq!((bits.position(), bits.left()), (16, 8));
        assert_eq!(bits.read(9), None);
        assert_eq!(bits.skip(9), None);
        assert_eq!(bits.skip(7), Some(()));
        assert_eq!(bits.read(1), Some(1));
        assert_eq!(bits.read(0), Some(0));
        assert_eq!(bits.read(1), None);
    }

    #[test]
    fn zeros_are_counted_to_the_next_one() {
        let mut bits = BitReader::new(&[0b1010_0000, 0, 0b0001_0110, 0]);
        for zeros in [0, 1, 16, 1, 0] {
            assert_eq!(bits.unary(), Some(zeros));
        }
        assert_eq!(bits.unary(), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            values in prop::collection::vec((any::<u32>(), 0_u32..=32), 0..40)
        ) {
            let mut bits = BitWriter::new();
            for (value, count) in &values {
                bits.write(*value, *count);
            }
            let bytes = bits.into_bytes();
            let mut bits = BitReader::new(&bytes);
            for (value, count) in &values {
                let mask = u32::try_from((1_u64 << count) - 1).unwrap();
                prop_assert_eq!(bits.read(*count), Some(value & mask));
            }
            prop_assert!(bits.left() < 8);
        }

        #[test]
        fn exactly_the_bits_between_are_cleared(from in 0_usize..50, to in 0_usize..50) {
            let mut bytes = [0xff; 5];
            clear(&mut bytes, from, to);
            let mut bits = BitReader::new(&bytes);
            for at in 0..40 {
                prop_assert_eq!(bits.flag(), Some(!(from..to).contains(&at)));
            }
        }
    }
}
