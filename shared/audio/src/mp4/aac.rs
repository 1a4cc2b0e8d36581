//! Access units of AAC (ISO/IEC 14496-3, subpart 4): what a decoder is told of them, and silent ones.

use crate::{
    RedactionError,
    bits::{BitReader, BitWriter},
};

/// The object type of AAC-LC.
const LOW_COMPLEXITY: u32 = 2;
/// Those of what is added to it: spectral band replication, parametric stereo.
const SPECTRAL_BANDS: u32 = 5;
const PARAMETRIC_STEREO: u32 = 29;

/// Syntactic elements (table 4.85).
const SINGLE_CHANNEL: u32 = 0;
const CHANNEL_PAIR: u32 = 1;
const DATA_STREAM: u32 = 4;
const PROGRAM_CONFIG: u32 = 5;
const FILL: u32 = 6;
const END: u32 = 7;

/// What a decoder is told before the first access unit (`AudioSpecificConfig`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Config {
    /// Hz.
    pub(super) rate: u32,
    /// Samples of an access unit.
    pub(super) frame: u32,
    is_stereo: bool,
}

impl Config {
    /// From its bytes (ISO/IEC 14496-3, 1.6.2.1).
    pub(super) fn new(bytes: &[u8]) -> Result<Self, RedactionError> {
        let damaged = RedactionError::Damaged("an M4A whose decoder settings are cut short");
        let bits = &mut BitReader::new(bytes);
        let object = object_type(bits).ok_or(damaged)?;
        let rate = rate(bits).ok_or(damaged)?;
        let channels = bits.read(4).ok_or(damaged)?;
        if matches!(object, SPECTRAL_BANDS | PARAMETRIC_STEREO) {
            return Err(RedactionError::Unsupported("HE-AAC"));
        }
        if object != LOW_COMPLEXITY {
            return Err(RedactionError::Unsupported(
                "AAC of another kind than AAC-LC",
            ));
        }
        let is_short = bits.flag().ok_or(damaged)?;
        // A coder below, of which AAC-LC has none: some encoders name one all the same, even without the delay
        // that must follow, and decoders go on. Then a flag for an extension, of which it has none either.
        if bits.flag().ok_or(damaged)? {
            bits.skip(14).unwrap_or_default();
        }
        bits.skip(1).unwrap_or_default();
        let is_stereo = match channels {
            1 => false,
            2 => true,
            0 => {
                return Err(RedactionError::Unsupported(
                    "AAC with its own order of channels",
                ));
            }
            _ => return Err(RedactionError::Unsupported("AAC of more than two channels")),
        };
        // What decoders that know no more than AAC-LC pass over.
        if bits.read(11) == Some(0x2b7)
            && object_type(bits) == Some(SPECTRAL_BANDS)
            && bits.flag() == Some(true)
        {
            return Err(RedactionError::Unsupported("HE-AAC"));
        }
        if rate == 0 {
            return Err(RedactionError::Damaged("an M4A with no sample rate"));
        }
        Ok(Self {
            rate,
            frame: if is_short { 960 } else { 1_024 },
            is_stereo,
        })
    }

    /// An access unit that is as long in bytes as `unit`, which it replaces, and silent.
    pub(super) fn silence(self, unit: &[u8]) -> Result<Vec<u8>, RedactionError> {
        let element = if self.is_stereo {
            CHANNEL_PAIR
        } else {
            SINGLE_CHANNEL
        };
        // A decoder may know the element by its tag alone.
        let tag = tag(unit, element)?;
        let mut bits = BitWriter::new();
        let mut length = 0;
        let mut write = |value: u32, count: usize| {
            bits.write(value, u32::try_from(count).unwrap_or_default());
            length += count;
        };
        write(element, 3);
        write(tag, 4);
        if self.is_stereo {
            // Both channels have one window: a long one, with no bands; nothing is predicted.
            write(1, 1);
            write(0, 11);
            // Neither are they sum and difference.
            write(0, 2);
        }
        for _ in 0..=usize::from(self.is_stereo) {
            // The gain of what is not there.
            write(0, 8);
            if !self.is_stereo {
                write(0, 11);
            }
            // No pulses, no noise shaping, no gain control.
            write(0, 3);
        }
        let mut left = (unit.len() * 8)
            .checked_sub(length + 3)
            .ok_or(RedactionError::Damaged(
                "an access unit of AAC too short for sound",
            ))?;
        let mut write = |value: usize, count: u32| {
            bits.write(u32::try_from(value).unwrap_or_default(), count);
        };
        while left >= 8 {
            write(6, 3);
            // Behind a count of 15 or more there is another byte of it.
            let short = (left - 7) / 8;
            let bytes = if short < 15 {
                write(short, 4);
                left -= 7;
                short
            } else {
                let long = ((left - 15) / 8).min(269);
                // 14 fit behind the long count, and so they do behind a short one.
                if long < 15 {
                    write(long, 4);
                    left -= 7;
                } else {
                    write(15, 4);
                    write(long - 14, 8);
                    left -= 15;
                }
                long
            };
            // Fill bytes, the kind 0.
            for _ in 0..bytes {
                write(0, 8);
            }
            left -= bytes * 8;
        }
        write(7, 3);
        let mut silence = bits.into_bytes();
        silence.resize(unit.len(), 0);
        Ok(silence)
    }
}

fn object_type(bits: &mut BitReader<'_>) -> Option<u32> {
    match bits.read(5)? {
        31 => Some(32 + bits.read(6)?),
        object => Some(object),
    }
}

fn rate(bits: &mut BitReader<'_>) -> Option<u32> {
    const RATES: [u32; 13] = [
        96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025,
        8_000, 7_350,
    ];
    match bits.read(4)? {
        15 => bits.read(24),
        index => RATES.get(usize::try_from(index).ok()?).copied(),
    }
}

/// The tag of a unit's first element of sound, which must be the one that is expected.
fn tag(unit: &[u8], expected: u32) -> Result<u32, RedactionError> {
    let damaged = RedactionError::Damaged("an access unit of AAC with no sound");
    let bits = &mut BitReader::new(unit);
    loop {
        match bits.read(3).ok_or(damaged)? {
            element if element == expected => return bits.read(4).ok_or(damaged),
            FILL => {
                let count = match bits.read(4).ok_or(damaged)? {
                    15 => 14 + bits.read(8).ok_or(damaged)?,
                    count => count,
                };
                skip_bytes(bits, count).ok_or(damaged)?;
            }
            DATA_STREAM => {
                bits.skip(4).ok_or(damaged)?;
                let is_aligned = bits.flag().ok_or(damaged)?;
                let count = match bits.read(8).ok_or(damaged)? {
                    255 => 255 + bits.read(8).ok_or(damaged)?,
                    count => count,
                };
                if is_aligned {
                    let into = bits.position() % 8;
                    bits.skip((8 - into) % 8).ok_or(damaged)?;
                }
                skip_bytes(bits, count).ok_or(damaged)?;
            }
            PROGRAM_CONFIG => {
                return Err(RedactionError::Unsupported(
                    "AAC with its own order of channels",
                ));
            }
            END => return Err(damaged),
            _ => {
                return Err(RedactionError::Damaged(
                    "AAC with other channels than its header says",
                ));
            }
        }
    }
}

fn skip_bytes(bits: &mut BitReader<'_>, count: u32) -> Option<()> {
    bits.skip(usize::try_from(count).ok()? * 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONO: [u8; 2] = [0x15, 0x88];
    const STEREO: [u8; 2] = [0x11, 0x90];

    /// Reads a silent unit as the standard has it; gives the tag of its element.
    fn read(unit: &[u8], is_stereo: bool) -> u32 {
        let bits = &mut BitReader::new(unit);
        let mut next = |count| bits.read(count).unwrap();
        assert_eq!(next(3), u32::from(is_stereo));
        let tag = next(4);
        if is_stereo {
            assert_eq!(next(1), 1, "one window for both");
            assert_eq!(next(11), 0, "a long window, no bands, no prediction");
            assert_eq!(next(2), 0, "no sum and difference");
        }
        for _ in 0..=u32::from(is_stereo) {
            next(8);
            if !is_stereo {
                assert_eq!(next(11), 0);
            }
            assert_eq!(next(3), 0, "no pulses, noise shaping, gain control");
        }
        loop {
            match next(3) {
                END => break,
                FILL => {
                    let count = match next(4) {
                        15 => 14 + next(8),
                        count => count,
                    };
                    for _ in 0..count {
                        assert_eq!(next(8), 0);
                    }
                }
                other => panic!("an element {other}"),
            }
        }
        assert!(bits.left() < 8, "only what fills a byte follows");
        tag
    }

    #[test]
    fn silence_of_any_length_is_an_access_unit() {
        for (config, is_stereo, least) in [(MONO, false, 4), (STEREO, true, 6)] {
            let config = Config::new(&config).unwrap();
            for length in 1..1_600 {
                // The element, tag 5, and whatever.
                let mut unit = vec![0xab; length];
                unit[0] = (u8::from(is_stereo) << 5) | (5 << 1) | 1;
                let silence = config.silence(&unit);
                if length < least {
                    assert!(matches!(silence, Err(RedactionError::Damaged(_))));
                    continue;
                }
                let silence = silence.unwrap();
                assert_eq!(silence.len(), length);
                assert_eq!(read(&silence, is_stereo), 5, "{length}");
            }
        }
    }

    #[test]
    fn what_stands_before_the_sound_is_passed_over() {
        // Of no sound but the element's start: its tag is 9.
        let unit = |before: &[(u32, u32)]| {
            let mut bits = BitWriter::new();
            for (value, count) in before {
                bits.write(*value, *count);
            }
            bits.write(SINGLE_CHANNEL, 3);
            bits.write(9, 4);
            let mut unit = bits.into_bytes();
            unit.resize(40, 0xab);
            unit
        };
        let config = Config::new(&MONO).unwrap();
        let text = [(0x4c61_7663, 32)];
        for before in [
            vec![],
            [[(FILL, 3), (4, 4)].as_slice(), &text].concat(),
            [
                [(FILL, 3), (15, 4), (2, 8)].as_slice(),
                &text,
                &text,
                &text,
                &text,
            ]
            .concat(),
            [[(DATA_STREAM, 3), (1, 4), (0, 1), (4, 8)].as_slice(), &text].concat(),
            // Behind three and four, one and eight bits there are none to a whole byte.
            [[(DATA_STREAM, 3), (1, 4), (1, 1), (4, 8)].as_slice(), &text].concat(),
            [
                [
                    (FILL, 3),
                    (0, 4),
                    (DATA_STREAM, 3),
                    (1, 4),
                    (1, 1),
                    (4, 8),
                    (0, 1),
                ]
                .as_slice(),
                &text,
            ]
            .concat(),
        ] {
            assert_eq!(read(&config.silence(&unit(&before)).unwrap(), false), 9);
        }
        for bad in [
            &[(END, 3)][..],
            &[(CHANNEL_PAIR, 3)],
            &[(3, 3)],
            &[(PROGRAM_CONFIG, 3)],
        ] {
            assert!(config.silence(&unit(bad)).is_err());
        }
        assert!(config.silence(&[0xc0]).is_err());
        assert!(config.silence(&[0xdf, 0xff, 0xff]).is_err());
    }

    #[test]
    fn settings_tell_rate_and_channels() {
        let config = Config::new(&STEREO).unwrap();
        assert_eq!(
            (config.rate, config.frame, config.is_stereo),
            (48_000, 1_024, true)
        );
        // As an old ffmpeg wrote it.
        let config = Config::new(&[0x12, 0x12]).unwrap();
        assert_eq!((config.rate, config.is_stereo), (44_100, true));
        // A rate of its own, in 24 bits, and short units.
        let mut bits = BitWriter::new();
        for (value, count) in [(2, 5), (15, 4), (12_345, 24), (1, 4), (0b100, 3)] {
            bits.write(value, count);
        }
        let config = Config::new(&bits.into_bytes()).unwrap();
        assert_eq!(
            (config.rate, config.frame, config.is_stereo),
            (12_345, 960, false)
        );
    }
}
