//! Spans of MPEG-4 files with AAC are gone from what a decoder hears, and nothing else is.

mod decoded;

use decoded::Decoded;
use ringfence_audio::{
    AudioFormat, Redacted, RedactionError, Redactor, Replacement, Span, Spans, Survey, Surveyed,
};

/// With its index behind the audio, and before it.
const SAMPLES: [(&str, &[u8]); 2] = [
    ("mono", include_bytes!("samples/mono.m4a")),
    ("stereo", include_bytes!("samples/stereo.m4a")),
];

/// Samples of an access unit, and what the encoder puts in front, which the files say to leave out.
const UNIT: usize = 1_024;

fn survey(file: &[u8], part: usize) -> Result<(Surveyed, usize), RedactionError> {
    let mut survey = Survey::new(AudioFormat::M4a);
    let mut read = 0;
    for part in file.chunks(part) {
        if survey.is_done() {
            break;
        }
        survey.push(part)?;
        read += part.len();
    }
    Ok((survey.finish()?, read))
}

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
    let (surveyed, _) = survey(file, part)?;
    let replacement = Replacement::Silence;
    let mut redactor = Redactor::with_survey(AudioFormat::M4a, spans, replacement, surveyed)?;
    let mut copy = Vec::new();
    for part in file.chunks(part) {
        redactor.push(part, &mut copy)?;
    }
    let redacted = redactor.finish(&mut copy)?;
    Ok((copy, redacted))
}

#[test]
fn spans_are_gone_and_the_rest_is_as_it_was() {
    for (name, file) in SAMPLES {
        for spans in [
            vec![(0, 300)],
            vec![(700, 701)],
            vec![(555, 900), (1_900, 2_050)],
            vec![(2_200, 60_000)],
        ] {
            let (copy, redacted) = redact(file, &spans, 4_096).unwrap();
            assert_eq!(copy.len(), file.len());
            let (before, after) = (Decoded::new(file), Decoded::new(&copy));
            assert_eq!(before.len(), after.len());
            let at = |ms: u64| usize::try_from(ms * u64::from(before.rate) / 1_000).unwrap();
            let loudest = |all: &[f32]| all.iter().fold(0_f32, |most, next| most.max(next.abs()));
            let (mut kept, mut silent) = (0, 0);
            for (start, end) in &spans {
                // With and without what the encoder has put in front.
                let heard = at(*start)..at(*end).min(before.len() - UNIT) + UNIT;
                assert!(loudest(before.between(heard.clone())) > 0.01, "{name}");
                let left = loudest(after.between(heard.clone()));
                assert_eq!(left.to_bits(), 0, "{name} {spans:?}");
                // A unit with which the span's first one is heard, one more, and what of that is heard late.
                let from = heard.start.saturating_sub(3 * UNIT).max(kept);
                assert_eq!(
                    before.between(kept..from),
                    after.between(kept..from),
                    "{name}"
                );
                kept = (heard.end + 4 * UNIT).min(before.len());
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
            // A unit is 128 ms at 8 kHz.
            let most = silent + 700 * spans.len() as u64;
            assert!(redacted.silenced_ms <= most, "{name} {redacted:?}");
        }
    }
}

#[test]
fn the_copy_does_not_depend_on_the_parts() {
    for (_, file) in SAMPLES {
        let spans = [(300, 401), (2_500, 9_000)];
        let whole = redact(file, &spans, file.len());
        assert!(whole.is_ok());
        for part in [1, 7, 4_096] {
            assert_eq!(redact(file, &spans, part), whole);
        }
    }
}

#[test]
fn a_survey_reads_no_more_than_it_must() {
    let [(_, behind), (_, before)] = SAMPLES;
    assert_eq!(
        survey(behind, 100).unwrap().1.div_ceil(100),
        behind.len().div_ceil(100)
    );
    assert!(survey(before, 100).unwrap().1 <= 100);
    for format in [
        AudioFormat::Wav,
        AudioFormat::Mp3,
        AudioFormat::Ogg,
        AudioFormat::Flac,
    ] {
        assert!(Survey::new(format).is_done());
    }
    // Before there is no index, nothing of the audio goes through.
    let spans = Spans::new(vec![Span {
        start_ms: 0,
        end_ms: 9,
    }])
    .unwrap();
    let mut redactor = Redactor::new(AudioFormat::M4a, spans, Replacement::Silence).unwrap();
    let mut copy = Vec::new();
    assert_eq!(
        redactor.push(behind, &mut copy),
        Err(RedactionError::NotSurveyed)
    );
    assert!(copy.len() < 100);
    // The survey of another file.
    let spans = Spans::new(vec![Span {
        start_ms: 0,
        end_ms: 9,
    }])
    .unwrap();
    let (other, _) = survey(behind, 100).unwrap();
    let mut redactor =
        Redactor::with_survey(AudioFormat::M4a, spans, Replacement::Silence, other).unwrap();
    assert!(matches!(
        redactor.push(before, &mut copy),
        Err(RedactionError::Damaged(_))
    ));
}

#[test]
fn spans_past_the_end_are_told() {
    for (_, file) in SAMPLES {
        assert_eq!(
            redact(file, &[(0, 100), (3_001, 3_100)], 999).unwrap_err(),
            RedactionError::PastEnd { duration_ms: 3_000 }
        );
    }
}

/// The file, whose index stands at its end, with a box in front of what stands in the box `within`, and with other
/// bytes in the end.
fn with_box(within: &[&[u8; 4]], added: &[u8]) -> Vec<u8> {
    let mut file = SAMPLES[0].1.to_vec();
    let mut at = 0;
    for name in within {
        at += file[at..]
            .windows(4)
            .position(|found| found == *name)
            .unwrap();
        let length = u32::from_be_bytes(file[at - 4..at].try_into().unwrap());
        let more = length + u32::try_from(added.len()).unwrap();
        file[at - 4..at].copy_from_slice(&more.to_be_bytes());
        at += 4;
    }
    file.splice(at..at, added.iter().copied());
    file
}

fn boxed(name: [u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 8).unwrap();
    [&length.to_be_bytes(), &name[..], content].concat()
}

#[test]
fn what_players_would_find_another_index_in_is_refused() {
    let file = SAMPLES[0].1;
    let spans = [(500, 900)];
    let content = |name: &[u8; 4]| {
        let at = file.windows(4).position(|found| found == name).unwrap();
        let length = u32::from_be_bytes(file[at - 4..at].try_into().unwrap());
        file[at + 4..at - 4 + usize::try_from(length).unwrap()].to_vec()
    };
    let stbl: &[&[u8; 4]] = &[b"moov", b"trak", b"mdia", b"minf", b"stbl"];
    let harmless = with_box(stbl, &boxed(*b"free", b"trak"));
    assert!(redact(&harmless, &spans, 999).is_ok());
    // Of two tables of a kind some take the first, some the last.
    for name in [b"stsz", b"stts", b"stsc", b"stco", b"stsd"] {
        let twice = with_box(stbl, &boxed(*name, &content(name)));
        assert!(redact(&twice, &spans, 999).is_err());
    }
    // Access units that are heard at another time; a box in which there is who knows what.
    for name in [b"ctts", b"wave"] {
        let other = with_box(stbl, &boxed(*name, &[0; 16]));
        assert!(redact(&other, &spans, 999).is_err());
    }
    // A track among notes, and beside the index; and one that is sound, but does not say so.
    let track = boxed(*b"trak", &content(b"trak"));
    let among_notes = with_box(&[b"moov", b"udta"], &track);
    assert!(redact(&among_notes, &spans, 999).is_err());
    assert!(redact(&[file, &track].concat(), &spans, 999).is_err());
    let mut quiet = track.clone();
    let at = quiet.windows(4).position(|name| name == b"soun").unwrap();
    quiet[at..at + 4].copy_from_slice(b"text");
    let hidden = with_box(&[b"moov"], &quiet);
    assert!(redact(&hidden, &spans, 999).is_err());
    // Captions tell what was said, a time code does not.
    let at = quiet.windows(4).position(|name| name == b"mp4a").unwrap();
    for (coding, is_taken) in [(b"text", false), (b"tx3g", false), (b"tmcd", true)] {
        quiet[at..at + 4].copy_from_slice(coding);
        let copy = redact(&with_box(&[b"moov"], &quiet), &spans, 999);
        assert_eq!(copy.is_ok(), is_taken, "{coding:?}");
    }
}

#[test]
fn half_a_file_is_refused() {
    for (name, file) in SAMPLES {
        for length in (0..file.len()).step_by(97) {
            assert!(
                redact(&file[..length], &[(0, 100)], 999).is_err(),
                "{name} {length}"
            );
        }
    }
}

/// Numbers that look random, the same in every run (xorshift).
fn numbers(mut state: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below.max(1) as u64).unwrap()
    }
}

#[test]
fn hostile_files_are_no_trouble() {
    let mut below = numbers(0x9e37_79b9_7f4a_7c15);
    for case in 0..4_000 {
        let (_, file) = SAMPLES[case % 2];
        let mut file = file.to_vec();
        let moov = file.windows(4).position(|name| name == b"moov").unwrap();
        for _ in 0..=below(4) {
            // Mostly in the index.
            let at = match below(4) {
                0 => below(file.len()),
                _ => (moov + below(1_600)).min(file.len() - 1),
            };
            match below(6) {
                0 => file[at] ^= 1 << below(8),
                1 => file[at] = 0xff,
                2 => file[at] = 0,
                3 if case % 4 == 0 => file.truncate(at.max(moov + 1)),
                _ => file[at] = u8::try_from(below(256)).unwrap(),
            }
        }
        let length = file.len();
        if let Ok((copy, redacted)) = redact(&file, &[(100, 300), (700, 750)], 2_000) {
            assert_eq!(copy.len(), length);
            assert!(redacted.silenced_ms >= 250);
        }
    }
}
