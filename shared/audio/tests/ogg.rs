//! Spans of Ogg files are gone from what a decoder hears, and nothing else is. Of Opus there is no decoder here:
//! its packets are looked at where the module is.

mod decoded;

use decoded::Decoded;
use ringfence_audio::{AudioFormat, Redacted, RedactionError, Redactor, Replacement, Span, Spans};

/// A sample; what this decoder gives before its first moment, half of the first block, which no other does; and
/// how many moments may fall silent beside a span: those of two long blocks of Vorbis, or of a frame.
const SAMPLES: [(&str, &[u8], usize, usize); 3] = [
    ("mono.ogg", include_bytes!("samples/mono.ogg"), 256, 2 * 512),
    (
        "stereo.ogg",
        include_bytes!("samples/stereo.ogg"),
        128,
        2 * 2_048,
    ),
    ("mono.oga", include_bytes!("samples/mono.oga"), 0, 1_152),
];

fn redact(
    file: &[u8],
    spans: &[(u64, u64)],
    part: usize,
) -> Result<(Vec<u8>, Redacted), RedactionError> {
    let spans = spans.iter().map(|(start_ms, end_ms)| Span {
        start_ms: *start_ms,
        end_ms: *end_ms,
    });
    let spans = Spans::new(spans.collect()).unwrap();
    let mut redactor = Redactor::new(AudioFormat::Ogg, spans, Replacement::Silence)?;
    let mut copy = Vec::new();
    for part in file.chunks(part) {
        redactor.push(part, &mut copy)?;
    }
    let redacted = redactor.finish(&mut copy)?;
    Ok((copy, redacted))
}

#[test]
fn spans_are_gone_and_the_rest_is_as_it_was() {
    for (name, file, lead, reach) in SAMPLES {
        for spans in [
            vec![(0, 300)],
            vec![(700, 701)],
            vec![(555, 900), (1_900, 2_050)],
            vec![(2_200, 60_000)],
        ] {
            let (copy, redacted) = redact(file, &spans, 4_096).unwrap();
            assert!(copy.len() < file.len());
            let (before, after) = (Decoded::new(file), Decoded::new(&copy));
            assert_ne!(before.samples, after.samples);
            let rate = u64::from(before.rate);
            let at = |ms: u64| usize::try_from(ms * rate / 1_000).unwrap() + lead;
            let loudest = |all: &[f32]| all.iter().fold(0_f32, |most, next| most.max(next.abs()));
            let (mut kept, mut silent) = (0, 0);
            for (start, end) in &spans {
                let heard = at(*start)..at(*end).min(before.len());
                if *end - start > 1 {
                    assert!(loudest(before.between(heard.clone())) > 0.01, "{name}");
                }
                let left = loudest(after.between(heard.clone()));
                assert_eq!(left.to_bits(), 0, "{name} {spans:?}");
                let from = heard.start.saturating_sub(reach).max(kept);
                assert_eq!(
                    before.between(kept..from),
                    after.between(kept..from),
                    "{name}"
                );
                kept = (heard.end + reach).min(before.len());
                silent += end.min(&redacted.duration_ms) - start;
            }
            let end = before.len();
            assert_eq!(
                before.between(kept..end),
                after.between(kept..end),
                "{name}"
            );
            assert_eq!(redacted.duration_ms, 3_000, "{name}");
            assert!(redacted.silenced_ms >= silent, "{name} {redacted:?}");
            let most = silent + 300 * spans.len() as u64;
            assert!(redacted.silenced_ms <= most, "{name} {redacted:?}");
        }
    }
}

#[test]
fn the_copy_does_not_depend_on_the_parts() {
    for (_, file, _, _) in SAMPLES {
        let spans = [(300, 401), (2_500, 9_000)];
        let whole = redact(file, &spans, file.len());
        assert!(whole.is_ok());
        for part in [1, 7, 4_096] {
            assert_eq!(redact(file, &spans, part), whole);
        }
    }
}

#[test]
fn spans_past_the_end_are_told() {
    for (_, file, _, _) in SAMPLES {
        assert_eq!(
            redact(file, &[(0, 100), (3_001, 3_100)], 999).unwrap_err(),
            RedactionError::PastEnd { duration_ms: 3_000 }
        );
    }
}

#[test]
fn flac_says_nothing_that_is_no_longer_so() {
    let (_, file, _, _) = SAMPLES[2];
    let (copy, _) = redact(file, &[(300, 401)], 4_096).unwrap();
    // The checksum of all samples, the last bytes of the first packet.
    let start = 28 + 51;
    assert_ne!(file[start - 16..start], [0; 16]);
    assert_eq!(copy[start - 16..start], [0; 16]);
    // The page of the seek table: padding now, as long, and of zeros.
    let table = |file: &[u8]| {
        let pages = file.windows(5).enumerate();
        let starts = pages.filter(|(_, bytes)| *bytes == b"OggS\0");
        let mut blocks = starts.map(|(at, _)| at + 27 + usize::from(file[at + 26]));
        blocks.find(|at| file[*at] & 0x7f == 3)
    };
    let at = table(file).expect("a seek table");
    assert_eq!(table(&copy), None);
    assert_eq!(copy[at] & 0x7f, 1);
    assert_eq!(copy[at + 1..at + 4], file[at + 1..at + 4]);
    assert!(copy[at + 4..at + 22].iter().all(|byte| *byte == 0));
}
