//! WAV of every coding that is taken, cut into parts of every size.

use proptest::prelude::*;
use ringfence_audio::{AudioFormat, Redacted, RedactionError, Redactor, Replacement, Span, Spans};

fn spans(spans: &[(u64, u64)]) -> Spans {
    let span = |&(start_ms, end_ms): &(u64, u64)| Span { start_ms, end_ms };
    Spans::new(spans.iter().map(span).collect()).unwrap()
}

fn redact(
    file: &[u8],
    part: usize,
    spans: &Spans,
    replacement: Replacement,
) -> Result<(Vec<u8>, Redacted), RedactionError> {
    let mut redactor = Redactor::new(AudioFormat::Wav, spans.clone(), replacement)?;
    let mut copy = Vec::new();
    for part in file.chunks(part) {
        redactor.push(part, &mut copy)?;
    }
    let redacted = redactor.finish(&mut copy)?;
    Ok((copy, redacted))
}

#[derive(Clone, Copy, Debug)]
struct Kind {
    tag: u16,
    bits: u16,
    channels: u16,
    rate: u32,
}

impl Kind {
    fn frame(self) -> usize {
        usize::from(self.bits / 8 * self.channels)
    }

    fn silence(self) -> u8 {
        match (self.tag, self.bits) {
            (1, 8) => 0x80,
            (1, _) => 0,
            (6, _) => 0xd5,
            _ => 0xff,
        }
    }

    fn format(self) -> Vec<u8> {
        let frame = u16::try_from(self.frame()).unwrap();
        let mut format = self.tag.to_le_bytes().to_vec();
        format.extend(self.channels.to_le_bytes());
        format.extend(self.rate.to_le_bytes());
        format.extend((self.rate * u32::from(frame)).to_le_bytes());
        format.extend(frame.to_le_bytes());
        format.extend(self.bits.to_le_bytes());
        format
    }
}

const TELEPHONE: Kind = Kind {
    tag: 1,
    bits: 16,
    channels: 1,
    rate: 8_000,
};

fn chunk(name: [u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap();
    let padding = &[0][..content.len() % 2];
    [name.as_slice(), &length.to_le_bytes(), content, padding].concat()
}

fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    [b"RIFF\xff\xff\xff\xffWAVE".as_slice(), &chunks.concat()].concat()
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    (0..length).map(|_| next()).collect()
}

fn file(kind: Kind, samples: &[u8]) -> Vec<u8> {
    riff(&[
        chunk(*b"JUNK", b"odd"),
        chunk(*b"fmt ", &kind.format()),
        chunk(*b"data", samples),
        chunk(*b"LIST", b"INFOISFT\x04\0\0\0us!\0"),
    ])
}

fn kinds() -> impl Strategy<Value = Kind> {
    let coding = prop_oneof![
        Just((1, 8)),
        Just((1, 16)),
        Just((1, 24)),
        Just((1, 32)),
        Just((6, 8)),
        Just((7, 8)),
    ];
    (coding, 1_u16..4, prop_oneof![Just(8_000), Just(11_025)]).prop_map(
        |((tag, bits), channels, rate)| Kind {
            tag,
            bits,
            channels,
            rate,
        },
    )
}

proptest! {
    #[test]
    fn samples_in_a_span_are_gone_and_all_else_is_as_it_was(
        kind in kinds(),
        moments in 50_usize..400,
        from in 0_u64..4,
        length in 1_u64..30,
        part in 1_usize..300,
    ) {
        let samples = noise(moments * kind.frame());
        let (copy, redacted) = redact(
            &file(kind, &samples), part, &spans(&[(from, from + length)]), Replacement::Silence,
        ).unwrap();
        let rate = u64::from(kind.rate);
        let mut expected = samples;
        let mut silenced = 0_u64;
        for (moment, frame) in expected.chunks_mut(kind.frame()).enumerate() {
            // In microseconds: whether the moment, as long as it lasts, meets the span.
            let moment = moment as u64;
            let (begins, ends) = (moment * 1_000, (moment + 1) * 1_000);
            if ends > from * rate && begins < (from + length) * rate {
                frame.fill(kind.silence());
                silenced += 1;
            }
        }
        prop_assert!(copy == file(kind, &expected));
        prop_assert_eq!(redacted.duration_ms, moments as u64 * 1_000 / rate);
        prop_assert_eq!(redacted.silenced_ms, (silenced * 1_000).div_ceil(rate));
    }

    #[test]
    fn damage_is_an_error_or_a_file_of_the_same_length_and_no_panic(
        cut in 0_usize..900,
        flips in prop::collection::vec((0_usize..120, any::<u8>()), 0..4),
        part in 1_usize..64,
    ) {
        let mut bytes = file(TELEPHONE, &noise(800));
        bytes.truncate(cut);
        for (at, value) in flips {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        for replacement in [Replacement::Silence, Replacement::Tone] {
            if let Ok((copy, _)) = redact(&bytes, part, &spans(&[(2, 5)]), replacement) {
                prop_assert_eq!(copy.len(), bytes.len());
            }
        }
    }
}

#[test]
fn the_tone_is_low_quiet_and_there() {
    for (tag, bits) in [(1, 8), (1, 16), (1, 24), (1, 32), (6, 8), (7, 8)] {
        let kind = Kind {
            tag,
            bits,
            channels: 2,
            ..TELEPHONE
        };
        let samples = noise(8_000 * kind.frame());
        let whole = file(kind, &samples);
        let cut = |part| {
            let span = spans(&[(100, 600)]);
            redact(&whole, part, &span, Replacement::Tone).unwrap().0
        };
        let copy = cut(65_536);
        assert_eq!(copy, cut(7), "however it is cut");
        let start = 12 + 12 + 8 + kind.format().len() + 8;
        let kept = |file: &[u8], from: usize, to: usize| {
            file[start + from * kind.frame()..start + to * kind.frame()].to_vec()
        };
        assert_eq!(kept(&copy, 0, 800), kept(&whole, 0, 800));
        assert_eq!(kept(&copy, 4_800, 8_000), kept(&whole, 4_800, 8_000));
        let tone = kept(&copy, 800, 4_800);
        let left: Vec<i64> = tone
            .chunks(kind.frame())
            .map(|frame| {
                let (left, right) = frame.split_at(kind.frame() / 2);
                assert_eq!(left, right, "both hear the same");
                linear(kind, left)
            })
            .collect();
        let peak = left.iter().map(|sample| sample.abs()).max().unwrap();
        // 5 % of full scale, as finely as the coding has it.
        assert!((1_300..1_900).contains(&peak), "{tag}/{bits}: {peak}");
        // 220 Hz for half a second: it rises through half its height 110 times.
        let half = peak / 2;
        let rises = left
            .windows(2)
            .filter(|pair| pair[0] < half && pair[1] >= half)
            .count();
        assert!((109..=111).contains(&rises), "{tag}/{bits}: {rises}");
    }
}

/// A sample as sixteen bits.
fn linear(kind: Kind, sample: &[u8]) -> i64 {
    let law = |byte: u8, exponent: u8| {
        let (exponent_of, mantissa) = ((byte >> 4) & 7, i64::from(byte & 15));
        (mantissa, exponent_of, exponent)
    };
    match (kind.tag, kind.bits) {
        (7, _) => {
            let byte = !sample[0];
            let (mantissa, exponent, _) = law(byte, 0);
            let value = (((mantissa << 3) + 0x84) << exponent) - 0x84;
            if byte & 0x80 == 0 { value } else { -value }
        }
        (6, _) => {
            let byte = sample[0] ^ 0x55;
            let (mantissa, exponent, _) = law(byte, 0);
            let value = match exponent {
                0 => (mantissa << 4) + 8,
                exponent => ((mantissa << 4) + 0x108) << (exponent - 1),
            };
            if byte & 0x80 == 0 { -value } else { value }
        }
        (_, 8) => (i64::from(sample[0]) - 128) << 8,
        (_, bits) => {
            let mut bytes = [0; 8];
            let width = usize::from(bits / 8);
            bytes[8 - width..].copy_from_slice(sample);
            i64::from_le_bytes(bytes) >> 48
        }
    }
}

#[test]
fn whoever_writes_as_it_comes_does_not_know_the_length() {
    let samples = noise(1_600);
    for length in [0, u32::MAX] {
        let mut bytes = riff(&[chunk(*b"fmt ", &TELEPHONE.format())]);
        bytes.extend(b"data");
        bytes.extend(length.to_le_bytes());
        let start = bytes.len();
        bytes.extend(&samples);
        let (copy, redacted) =
            redact(&bytes, 100, &spans(&[(50, 9_000)]), Replacement::Silence).unwrap();
        assert_eq!(copy[..start + 800], bytes[..start + 800]);
        assert_eq!(copy[start + 800..], [0; 800]);
        assert_eq!(
            redacted,
            Redacted {
                duration_ms: 100,
                silenced_ms: 50
            }
        );
    }
}

#[test]
fn files_of_over_four_gigabytes_tell_their_length_elsewhere() {
    let samples = noise(1_600);
    let mut lengths = 5_000_000_000_u64.to_le_bytes().to_vec();
    lengths.extend(1_600_u64.to_le_bytes());
    lengths.extend([0; 12]);
    let mut bytes = b"RF64\xff\xff\xff\xffWAVE".to_vec();
    bytes.extend(chunk(*b"ds64", &lengths));
    bytes.extend(chunk(*b"fmt ", &TELEPHONE.format()));
    bytes.extend(b"data\xff\xff\xff\xff");
    let start = bytes.len();
    bytes.extend(&samples);
    // As if it were audio, were the length not known.
    bytes.extend(chunk(*b"LIST", b"\x01\x02\x03\x04"));
    let (copy, _) = redact(&bytes, 9, &spans(&[(0, 9_000)]), Replacement::Silence).unwrap();
    assert_eq!(copy[start..start + 1_600], [0; 1_600]);
    assert_eq!(copy[start + 1_600..], bytes[start + 1_600..]);
}

#[test]
fn audio_that_one_of_two_lengths_leaves_out_is_refused() {
    let samples = noise(1_600);
    let format = chunk(*b"fmt ", &TELEPHONE.format());
    let lengths = |data: u64| [&[0; 8], &data.to_le_bytes()[..], &[0; 12]].concat();
    let rf64 = |chunks: &[Vec<u8>]| [&b"RF64\xff\xff\xff\xffWAVE"[..], &chunks.concat()].concat();
    let long = chunk(*b"ds64", &lengths(1_608 + 200));
    let data = chunk(*b"data", &samples[..200]);
    let rest = chunk(*b"JUNK", &samples[200..]);
    let again = chunk(*b"ds64", &lengths(200));
    // Whoever wrote it did not come to write how long it is in the end.
    let cut = [&b"data\xc8\0\0\0"[..], &samples].concat();
    for bytes in [
        rf64(&[long.clone(), format.clone(), data.clone(), rest.clone()]),
        rf64(&[long, again, format.clone(), data, rest]),
        riff(&[format, cut]),
    ] {
        let refused = redact(&bytes, 64, &spans(&[(0, 90)]), Replacement::Silence);
        assert!(
            matches!(refused, Err(RedactionError::Damaged(_))),
            "{refused:?}"
        );
    }
    // Room that was left at the end is no audio.
    let mut bytes = file(TELEPHONE, &samples);
    bytes.resize(bytes.len() + 4_096, 0);
    assert!(redact(&bytes, 64, &spans(&[(0, 90)]), Replacement::Silence).is_ok());
}

#[test]
fn what_is_not_understood_whole_is_refused() {
    let format = chunk(*b"fmt ", &TELEPHONE.format());
    let data = chunk(*b"data", &noise(1_600));
    let adpcm = Kind {
        tag: 2,
        ..TELEPHONE
    };
    let mut contradiction = TELEPHONE.format();
    contradiction[12] = 3;
    let whole = spans(&[(0, 50)]);
    for (bytes, is_damaged) in [
        (
            riff(&[chunk(*b"fmt ", &adpcm.format()), data.clone()]),
            false,
        ),
        (riff(&[format.clone(), data.clone(), data.clone()]), false),
        (
            riff(&[format.clone(), chunk(*b"wavl", b"data"), data.clone()]),
            false,
        ),
        (riff(&[chunk(*b"fmt ", &contradiction), data.clone()]), true),
        (riff(&[data.clone(), format.clone()]), true),
        (riff(&[chunk(*b"fmt ", b"\x01\0"), data.clone()]), true),
        (riff(std::slice::from_ref(&format)), true),
        (b"RIFF\0\0\0\0AVI LIST".to_vec(), true),
        (Vec::new(), true),
    ] {
        let refused = redact(&bytes, 64, &whole, Replacement::Silence).unwrap_err();
        assert_eq!(
            matches!(refused, RedactionError::Damaged(_)),
            is_damaged,
            "{refused}"
        );
    }
    let bytes = riff(&[format, data]);
    assert_eq!(
        redact(&bytes, 64, &spans(&[(99, 150)]), Replacement::Silence)
            .map(|(_, redacted)| redacted.silenced_ms),
        Ok(1)
    );
    assert_eq!(
        redact(
            &bytes,
            64,
            &spans(&[(0, 1), (100, 150)]),
            Replacement::Silence
        ),
        Err(RedactionError::PastEnd { duration_ms: 100 })
    );
}
