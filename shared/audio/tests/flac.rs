//! Spans of FLAC files are gone from what a decoder hears, and nothing else is.

mod decoded;

use decoded::Decoded;
use ringfence_audio::{AudioFormat, Redacted, RedactionError, Redactor, Replacement, Span, Spans};

/// A sample, and how many samples of one channel a frame of it has.
const SAMPLES: [(&str, &[u8], usize); 3] = [
    ("mono-8", include_bytes!("samples/mono-8.flac"), 4_096),
    ("stereo-44", include_bytes!("samples/stereo-44.flac"), 1_152),
    (
        "stereo-16-24bit",
        include_bytes!("samples/stereo-16-24bit.flac"),
        1_152,
    ),
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
    let mut redactor = Redactor::new(AudioFormat::Flac, spans, Replacement::Silence)?;
    let mut copy = Vec::new();
    for part in file.chunks(part) {
        redactor.push(part, &mut copy)?;
    }
    let redacted = redactor.finish(&mut copy)?;
    Ok((copy, redacted))
}

#[test]
fn spans_are_gone_and_the_rest_is_as_it_was() {
    for (name, file, frame) in SAMPLES {
        for spans in [
            vec![(0, 40)],
            vec![(100, 101)],
            vec![(30, 60), (150, 160)],
            vec![(200, 60_000)],
        ] {
            let (copy, redacted) = redact(file, &spans, 4_096).unwrap();
            let (before, after) = (Decoded::new(file), Decoded::new(&copy));
            assert_eq!(before.len(), after.len(), "{name}");
            assert_eq!(
                redacted.duration_ms,
                after.len() as u64 * 1_000 / u64::from(after.rate),
                "{name}"
            );
            let is_heard = |at: &usize| {
                let ms = at * 1_000_000 / usize::try_from(before.rate).unwrap();
                let us = |ms: u64| usize::try_from(ms * 1_000).unwrap();
                !spans
                    .iter()
                    .any(|(start, end)| us(*start) <= ms && ms < us(*end))
            };
            for begin in (0..before.len()).step_by(frame) {
                let all = begin..(begin + frame).min(before.len());
                if all.clone().all(|at| is_heard(&at)) {
                    assert_eq!(before.between(all.clone()), after.between(all), "{name}");
                } else {
                    let silence = after.between(all);
                    assert!(silence.iter().all(|sample| *sample == 0.0), "{name}");
                }
            }
            assert_ne!(before.samples, after.samples, "{name}");
        }
    }
}

#[test]
fn spans_past_the_end_are_refused() {
    for (name, file, _) in SAMPLES {
        let (_, Redacted { duration_ms, .. }) = redact(file, &[(100, 200)], 1_000).unwrap();
        assert_eq!(
            redact(
                file,
                &[(100, 200), (duration_ms + 1, duration_ms + 2)],
                1_000
            )
            .unwrap_err(),
            RedactionError::PastEnd { duration_ms },
            "{name}"
        );
    }
}

#[test]
fn parts_of_any_size_give_the_same() {
    for (name, file, _) in SAMPLES {
        let spans = [(30, 60), (150, 160)];
        let whole = redact(file, &spans, file.len()).unwrap();
        for part in [1, 7, 4_096] {
            let parts = redact(file, &spans, part).unwrap();
            assert!(whole == parts, "{name} in parts of {part}");
        }
        // Nothing is left to be taken away.
        let again = redact(&whole.0, &spans, 4_096).unwrap();
        assert!(whole == again, "{name} once more");
        // A tag behind the last frame goes through.
        let mut tag = b"TAG".to_vec();
        tag.resize(128, b'x');
        for part in [1, 7, 4_096] {
            let (copy, redacted) = redact(&[file, &tag].concat(), &spans, part).unwrap();
            assert!(copy == [whole.0.as_slice(), &tag].concat(), "{name}");
            assert_eq!(redacted, whole.1, "{name}");
        }
    }
}

#[test]
fn damage_is_no_trouble() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random >> 16).unwrap() % below
    };
    let (mut refused, mut taken) = (0, 0);
    for (_, file, _) in SAMPLES {
        for _ in 0..700 {
            let mut file = file.to_vec();
            for _ in 0..=next(2) {
                // Half of it in the metadata, where there is no check.
                let below = if next(2) == 0 { 200 } else { file.len() };
                let at = next(below.min(file.len()));
                match next(4) {
                    0 => file.truncate(at.max(1)),
                    1 => file[at] = u8::try_from(next(256)).unwrap(),
                    2 => file[at] ^= 1 << next(8),
                    _ => {
                        let end = (at + next(600)).min(file.len());
                        file.drain(at..end);
                        if file.is_empty() {
                            file.push(0);
                        }
                    }
                }
            }
            match redact(&file, &[(0, 40), (100, 150)], 1 + next(5_000)) {
                Ok((copy, _)) => {
                    taken += 1;
                    assert!(copy.len() <= file.len());
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 500 && taken > 100, "{refused} and {taken}");
}
