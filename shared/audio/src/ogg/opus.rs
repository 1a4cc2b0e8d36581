//! Opus in Ogg (RFC 7845): packets whose first byte tells how long they sound (RFC 6716, section 3).

use super::Packet;
use crate::RedactionError;

/// Granule positions, pre-skip and all times below count samples at this rate, Hz, whatever was recorded.
pub(super) const RATE: u32 = 48_000;

/// The longest packet, samples: 120 ms (RFC 6716, section 3.2.5).
const MAX_SAMPLES: u64 = 5_760;

/// What a packet may hold of sound that comes after its own, samples: 10 ms. The window of CELT reaches 2.5 ms
/// on (RFC 6716, section 4.3.7), the frame that makes a change of mode smooth 5 ms (section 4.5.1).
const AHEAD: u64 = 480;

/// A CELT frame of nothing: its first symbol says that it is silent (RFC 6716, section 4.3.3).
const SILENT_FRAME: [u8; 2] = [0xff, 0xfe];

/// Reads the identification header (RFC 7845, section 5.1); gives the pre-skip.
pub(super) fn head(packet: &[u8]) -> Result<u64, RedactionError> {
    let damaged = RedactionError::Damaged("an Opus header that is cut short");
    let fields = packet.strip_prefix(b"OpusHead").ok_or(damaged)?;
    let [
        version,
        channels,
        skip_low,
        skip_high,
        _,
        _,
        _,
        _,
        _,
        _,
        family,
        mapping @ ..,
    ] = fields
    else {
        return Err(damaged);
    };
    if version >> 4 != 0 {
        return Err(RedactionError::Unsupported(
            "Opus of another version than 1",
        ));
    }
    match (family, channels) {
        (0, 1 | 2) => {}
        (0, _) | (_, 0) => {
            return Err(RedactionError::Damaged(
                "an Opus header with impossible channels",
            ));
        }
        // A stream, two channels of it or one.
        (1, _) if mapping.first().ok_or(damaged)? == &1 => {}
        _ => return Err(RedactionError::Unsupported("Opus of more than one stream")),
    }
    Ok(u64::from(u16::from_le_bytes([*skip_low, *skip_high])))
}

/// What a packet is, by its first bytes.
pub(super) fn packet(bytes: &[u8]) -> Result<Packet, RedactionError> {
    let damaged = RedactionError::Damaged("an Opus packet with no frames");
    let (toc, rest) = bytes.split_first().ok_or(damaged)?;
    let (frames, is_empty) = match toc & 3 {
        0 => (1, rest.len() <= 1),
        1 => {
            if rest.len() % 2 != 0 {
                return Err(RedactionError::Damaged(
                    "an Opus packet whose frames differ and must not",
                ));
            }
            (2, rest.len() <= 2)
        }
        // Lengths are one byte or two: an empty packet has a length of 0 or 1, and no more than a byte.
        2 => (2, rest.len() <= 2),
        // Behind the count there may be lengths and padding: whatever that is counts as sound.
        _ => {
            let count = u64::from(*rest.first().ok_or(damaged)? & 0x3f);
            (count, rest.len() as u64 <= 1 + count)
        }
    };
    let samples = frames * frame_samples(toc >> 3);
    if frames == 0 || samples > MAX_SAMPLES {
        return Err(RedactionError::Damaged("an Opus packet longer than 120 ms"));
    }
    Ok(Packet {
        advance: samples,
        before: samples,
        after: AHEAD,
        is_empty,
        padding: padding(bytes),
        silence: silence(samples, toc & 4),
    })
}

/// How many bytes at the end of a packet are padding (RFC 6716, section 3.2.5). No decoder of that must look at them,
/// and newer encoders put there what was heard up to a second before (deep redundancy).
fn padding(packet: &[u8]) -> usize {
    let [toc, count, rest @ ..] = packet else {
        return 0;
    };
    if toc & 3 != 3 || count & 0x40 == 0 {
        return 0;
    }
    let mut padding = 0;
    for (at, byte) in rest.iter().enumerate() {
        if *byte == 255 {
            padding += 254;
        } else {
            padding += usize::from(*byte);
            return padding.min(rest.len() - at - 1);
        }
    }
    0
}

/// Of a frame, by the configuration (RFC 6716, section 3.1, table 2).
fn frame_samples(config: u8) -> u64 {
    match (config, config & 3) {
        (0..12, 0) | (12..16, 0 | 2) => 480,
        (0..12, 1) | (12..16, _) => 960,
        (0..12, 2) => 1_920,
        (0..12, _) => 2_880,
        (_, 0) => 120,
        (_, 1) => 240,
        (_, 2) => 480,
        (_, _) => 960,
    }
}

/// A packet of silence of this length, which is one of a packet: full-band CELT frames, with the bit for
/// stereo as it was.
fn silence(samples: u64, stereo: u8) -> Vec<u8> {
    let (config, frame): (u8, u64) = match samples {
        samples if samples.is_multiple_of(960) => (31, 960),
        samples if samples.is_multiple_of(480) => (30, 480),
        samples if samples.is_multiple_of(240) => (29, 240),
        _ => (28, 120),
    };
    let toc = (config << 3) | stereo;
    // 48 at most.
    let frames = u8::try_from(samples / frame).unwrap_or(1);
    let mut packet = match frames {
        1 => vec![toc],
        // All of a length, no padding.
        frames => vec![toc | 3, frames],
    };
    for _ in 0..frames {
        packet.extend(SILENT_FRAME);
    }
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_has_a_silence_as_long() {
        for units in 1..=48 {
            for stereo in [0, 4] {
                let silence = silence(units * 120, stereo);
                let read = packet(&silence).unwrap();
                assert_eq!(read.advance, units * 120);
                assert_eq!(read.silence, silence);
                assert_eq!(silence[0] & 4, stereo);
                assert!(!read.is_empty);
                // One segment of a page, always.
                assert!(silence.len() < 255);
            }
        }
        assert_eq!(silence(960, 0), [0xf8, 0xff, 0xfe]);
        assert_eq!(
            silence(2_880, 4),
            [0xff, 3, 0xff, 0xfe, 0xff, 0xfe, 0xff, 0xfe]
        );
    }

    #[test]
    fn the_first_byte_tells_the_length() {
        // Tenths of ms by configuration, RFC 6716, table 2.
        let silk = [100, 200, 400, 600];
        let celt = [25, 50, 100, 200];
        let table = [
            silk,
            silk,
            silk,
            [100, 200, 100, 200],
            celt,
            celt,
            celt,
            celt,
        ];
        for (config, tenths) in table.concat().into_iter().enumerate() {
            let toc = u8::try_from(config << 3).unwrap();
            let samples = |bytes: &[u8]| packet(bytes).map(|packet| packet.advance);
            let frame = tenths * 48 / 10;
            assert_eq!(samples(&[toc]), Ok(frame));
            assert_eq!(samples(&[toc | 1]), Ok(frame * 2));
            assert_eq!(samples(&[toc | 2, 0]), Ok(frame * 2));
            let most = u8::try_from(5_760 / frame).unwrap();
            assert_eq!(samples(&[toc | 3, most]), Ok(frame * u64::from(most)));
            for bad in [most + 1, 0x3f, 0] {
                assert!(samples(&[toc | 3, bad]).is_err());
            }
        }
        assert!(packet(&[]).is_err());
        assert!(packet(&[3]).is_err());
    }

    #[test]
    fn packets_in_which_nothing_was_sent_are_known() {
        for empty in [&[0x48][..], &[0x48, 0], &[0x49], &[0x4a, 0], &[0x4b, 3]] {
            assert!(packet(empty).unwrap().is_empty, "{empty:?}");
        }
        for full in [
            &[0x48, 1, 2][..],
            &[0x49, 1, 2, 3, 4],
            &[0x4b, 3, 1, 2, 3, 4, 5, 6],
        ] {
            assert!(!packet(full).unwrap().is_empty, "{full:?}");
        }
    }

    #[test]
    fn streams_of_one_voice_or_two_are_taken() {
        let head = |fields: &[u8]| super::head(&[b"OpusHead".as_slice(), fields].concat());
        let family = |channels: u8, family: u8, mapping: &[u8]| {
            head(&[&[1, channels, 0x38, 1, 0, 0, 0, 0, 0, 0, family], mapping].concat())
        };
        assert_eq!(family(1, 0, &[]), Ok(312));
        assert_eq!(family(2, 0, &[]), Ok(312));
        assert_eq!(family(2, 1, &[1, 1, 0, 1]), Ok(312));
        for (channels, mapping_family, mapping) in [
            (3, 1, &[2, 1, 0, 2, 1][..]),
            (4, 2, &[4, 0, 0, 1, 2, 3]),
            (2, 255, &[2, 0, 0, 1]),
        ] {
            assert!(matches!(
                family(channels, mapping_family, mapping),
                Err(RedactionError::Unsupported(_))
            ));
        }
        assert!(matches!(family(3, 0, &[]), Err(RedactionError::Damaged(_))));
        assert!(matches!(family(1, 1, &[]), Err(RedactionError::Damaged(_))));
        assert!(head(&[0x10; 11]).is_err());
        assert!(head(&[1, 2]).is_err());
    }
}
