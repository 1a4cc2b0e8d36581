//! Spans of MP3 files are gone from what a decoder hears, and nothing else is.

mod decoded;

use decoded::Decoded;
use ringfence_audio::{AudioFormat, Redacted, RedactionError, Redactor, Replacement, Span, Spans};

/// A sample, and how many samples of one channel a frame of it has.
const SAMPLES: [(&str, &[u8], usize); 4] = [
    ("mono-8", include_bytes!("samples/mono-8.mp3"), 576),
    ("stereo-22", include_bytes!("samples/stereo-22.mp3"), 576),
    ("stereo-44", include_bytes!("samples/stereo-44.mp3"), 1_152),
    ("mono-44", include_bytes!("samples/mono-44.mp3"), 1_152),
];

/// What LAME's encoding and any decoding delay, samples.
const DELAY: usize = 576 + 529;
/// How far a frame is heard past its own samples.
const REACH: usize = 576 + 480;

fn redact(
    file: &[u8],
    spans: &[(u64, u64)],
    part: usize,
) -> Result<(Vec<u8>, Redacted), RedactionError> {
    let spans = spans
        .iter()
        .map(|(start_ms, end_ms)| Span {
            start_ms: *start_ms,
            end_ms: *end_ms,
        })
        .collect();
    let spans = Spans::new(spans).unwrap();
    let mut redactor = Redactor::new(AudioFormat::Mp3, spans, Replacement::Silence)?;
    let mut copy = Vec::new();
    for part in file.chunks(part) {
        redactor.push(part, &mut copy)?;
    }
    let redacted = redactor.finish(&mut copy)?;
    Ok((copy, redacted))
}

/// Asserts that of the moments that are heard within the spans none is left, and that nothing else is
/// changed but for frames next to them. Frames that some players drop come before the spans by `dropped`.
fn assert_silent(
    name: &str,
    file: &[u8],
    copy: &[u8],
    spans: &[(u64, u64)],
    frame: usize,
    dropped: usize,
) {
    let (before, after) = (Decoded::new(file), Decoded::new(copy));
    assert_eq!(file.len(), copy.len(), "{name}");
    let mut kept = 0;
    let at = |ms: u64| usize::try_from(ms * u64::from(before.rate) / 1_000).unwrap();
    for (start, end) in spans {
        // By whichever reading of where the audio begins.
        let heard = at(*start)..(at(*end) + DELAY).min(after.len());
        let loudest = |all: &Decoded| {
            all.between(heard.clone())
                .iter()
                .fold(0_f32, |a, b| a.max(b.abs()))
        };
        assert!(
            loudest(&before) > 0.01,
            "{name}: there is something to silence"
        );
        assert_eq!(loudest(&after).to_bits(), 0, "{name}: {start} to {end}");
        // Before and after, all is as it was: what is cut off at most is the frames that reach in.
        let from = at(*start).saturating_sub(REACH + (dropped + 2) * frame);
        let to = (heard.end + (dropped + 1) * frame + REACH).min(after.len());
        assert_eq!(
            before.between(kept..from.max(kept)),
            after.between(kept..from.max(kept)),
            "{name}"
        );
        kept = to;
    }
    let end = after.len();
    assert_eq!(
        before.between(kept..end),
        after.between(kept..end),
        "{name}"
    );
}

#[test]
fn spans_are_gone_and_the_rest_is_as_it_was() {
    for (name, file, frame) in SAMPLES {
        for spans in [
            vec![(0, 300)],
            vec![(700, 701)],
            vec![(555, 900), (1_200, 1_300)],
            vec![(1_500, 60_000)],
        ] {
            let (copy, redacted) = redact(file, &spans, file.len()).unwrap();
            assert_silent(name, file, &copy, &spans, frame, 1);
            let length: u64 = spans
                .iter()
                .map(|(start, end)| end.min(&redacted.duration_ms) - start)
                .sum();
            assert!(redacted.silenced_ms >= length, "{name}: {redacted:?}");
            // A frame is 72 ms at 8 kHz.
            let most = length + 500 * spans.len() as u64;
            assert!(redacted.silenced_ms <= most, "{name}: {redacted:?}");
        }
    }
}

#[test]
fn how_long_it_lasts_is_what_a_decoder_says() {
    for (name, file, _) in SAMPLES {
        let (_, redacted) = redact(file, &[(100, 200)], 1_000).unwrap();
        let decoded = Decoded::new(file);
        let expected = decoded.len() as u64 * 1_000 / u64::from(decoded.rate);
        assert_eq!(redacted.duration_ms, expected, "{name}");
        assert_eq!(
            redact(file, &[(100, 200), (expected + 1, expected + 2)], 1_000).unwrap_err(),
            RedactionError::PastEnd {
                duration_ms: expected
            },
            "{name}"
        );
    }
}

#[test]
fn parts_of_any_size_give_the_same() {
    for (name, file, _) in SAMPLES {
        let whole = redact(file, &[(300, 700), (1_000, 1_001)], file.len()).unwrap();
        for part in [1, 7, 4_096] {
            let parts = redact(file, &[(300, 700), (1_000, 1_001)], part).unwrap();
            assert!(whole == parts, "{name} in parts of {part}");
        }
        // Nothing is left to be taken away.
        let again = redact(&whole.0, &[(300, 700), (1_000, 1_001)], 4_096).unwrap();
        assert!(whole == again, "{name} once more");
    }
}

#[test]
fn what_was_cut_from_a_longer_file_loses_its_spans_too() {
    for (name, file, frame) in SAMPLES {
        for skipped in [10, 15, 21] {
            let cut = &file[frames(file)[skipped]..];
            for spans in [vec![(0, 200)], vec![(400, 600)]] {
                let (copy, _) = redact(cut, &spans, 4_096).unwrap();
                assert_silent(name, cut, &copy, &spans, frame, 10);
            }
            // And the other end.
            let cut = &cut[..cut.len() / 2];
            let (copy, _) = redact(cut, &[(0, 60_000)], 4_096).unwrap();
            assert!(
                Decoded::new(&copy)
                    .samples
                    .iter()
                    .all(|sample| *sample == 0.0),
                "{name}"
            );
        }
    }
}

#[test]
fn files_that_were_joined_lose_their_spans_too() {
    let (name, file, frame) = SAMPLES[2];
    let places = frames(file);
    let joined = [&file[places[0]..places[40]], &file[places[70]..places[110]]].concat();
    for start in (600..1_400).step_by(20) {
        let spans = [(start, start + 50)];
        let (copy, _) = redact(&joined, &spans, 4_096).unwrap();
        assert_silent(name, &joined, &copy, &spans, frame, 2);
    }
}

#[test]
fn tags_may_stand_between_frames() {
    let mut tag = b"ID3\x04\0\0\0\0\x01\x00".to_vec();
    tag.resize(10 + 128, b'x');
    for (name, file, frame) in SAMPLES {
        let places = frames(file);
        let tagged = [&file[..places[20]], &tag, &[0; 20], &file[places[20]..]].concat();
        let spans = [(100, 900)];
        let (copy, _) = redact(&tagged, &spans, 4_096).unwrap();
        assert_silent(name, &tagged, &copy, &spans, frame, 1);
        assert!(
            copy.windows(tag.len()).any(|window| window == tag),
            "{name}"
        );
        let (plain, _) = redact(file, &spans, 4_096).unwrap();
        let removed = [&copy[..places[20]], &copy[places[20] + tag.len() + 20..]].concat();
        assert!(removed == plain, "{name}");
    }
    // What is behind a tag that is too long to be held may have its audio in front of it.
    let (_, file, _) = SAMPLES[2];
    let places = frames(file);
    let mut tag = b"ID3\x04\0\0\0\x02\0\0".to_vec();
    tag.resize(10 + 2 * 128 * 128, b'x');
    let tagged = [&file[..places[40]], &tag, &file[places[40]..]].concat();
    assert_eq!(
        redact(&tagged, &[(900, 1_200)], 4_096).unwrap_err(),
        RedactionError::Unsupported("an MP3 with a long tag within its audio")
    );
    // At the end, it is behind all audio.
    let tagged = [file, &tag].concat();
    let (copy, _) = redact(&tagged, &[(900, 1_200)], 4_096).unwrap();
    assert!(copy.ends_with(&tag));
    // APEv2, with header and footer.
    let mut tag = b"APETAGEX\xd0\x07\0\0\x40\0\0\0\x01\0\0\0\0\0\0\xa0\0\0\0\0\0\0\0\0".to_vec();
    tag.resize(32 + 64, b'x');
    let tagged = [file, &tag].concat();
    let (copy, _) = redact(&tagged, &[(900, 1_200)], 4_096).unwrap();
    assert!(copy.ends_with(&tag));
}

#[test]
fn frames_that_players_would_find_in_a_tag_are_refused() {
    for (name, file, _) in SAMPLES {
        let places = frames(file);
        let hidden = &file[places[20]..places[24]];
        let length = u8::try_from(hidden.len() / 128).unwrap();
        let rest = u8::try_from(hidden.len() % 128).unwrap();
        let tag = [b"ID3\x04\0\0\0\0", &[length, rest][..], hidden].concat();
        let among = [&file[..places[20]], &tag, &file[places[20]..]].concat();
        for part in [1, 4_096] {
            assert_eq!(
                redact(&among, &[(100, 900)], part).unwrap_err(),
                RedactionError::Unsupported("an MP3 with what may be a frame in a tag"),
                "{name}"
            );
        }
        // In front of the audio every player passes over it; but not over others.
        let in_front = [&tag[..], file].concat();
        assert!(redact(&in_front, &[(100, 900)], 4_096).is_ok(), "{name}");
        let in_front = [b"TAG", &[0; 125][..], file].concat();
        assert!(redact(&in_front, &[(100, 900)], 4_096).is_err(), "{name}");
    }
}

#[test]
fn what_is_not_understood_is_refused() {
    let (_, file, _) = SAMPLES[3];
    let (_, other, _) = SAMPLES[2];
    let places = frames(file);
    let changed = |at: usize, byte: u8| {
        let mut file = file.to_vec();
        file[places[5] + at] = byte;
        file
    };
    let junk = RedactionError::Damaged("an MP3 with something between its frames that is no frame");
    for (file, error) in [
        (changed(0, 0xfe), junk),
        (
            changed(2, 0x00),
            RedactionError::Unsupported("free-format MP3"),
        ),
        (
            changed(1, 0xfd),
            RedactionError::Unsupported("MPEG audio of another layer than III"),
        ),
        (
            [file, &other[frames(other)[3]..]].concat(),
            RedactionError::Unsupported("an MP3 whose sampling rate or channels change"),
        ),
        ([file, b"Content-Type: text/html"].concat(), junk),
        (vec![], RedactionError::Damaged("an MP3 without audio")),
        (
            vec![0; 500],
            RedactionError::Damaged("an MP3 without audio"),
        ),
    ] {
        assert_eq!(redact(&file, &[(100, 200)], 4_096).unwrap_err(), error);
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
    let mut refused = 0;
    for (_, file, _) in SAMPLES {
        for _ in 0..500 {
            let mut file = file.to_vec();
            for _ in 0..=next(4) {
                let at = next(file.len());
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
            match redact(&file, &[(200, 400), (900, 1_500)], 1 + next(5_000)) {
                Ok((copy, _)) => assert_eq!(copy.len(), file.len()),
                Err(_) => refused += 1,
            }
        }
    }
    assert!((100..2_000).contains(&refused), "{refused}");
}

/// Where frames begin.
fn frames(file: &[u8]) -> Vec<usize> {
    let mut places = Vec::new();
    let is_tagged = file.starts_with(b"ID3");
    let mut at = if is_tagged {
        10 + usize::from(file[8]) * 128 + usize::from(file[9])
    } else {
        0
    };
    while let Some([0xff, second, third, _]) = file.get(at..at + 4) {
        places.push(at);
        let index = usize::from(third >> 4);
        let is_first = second & 8 != 0;
        let rate = [44_100, 48_000, 32_000][usize::from(third >> 2 & 3)];
        let (kbit, rate) = match (is_first, second >> 3 & 3) {
            (true, _) => {
                let all = [
                    0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
                ];
                (all[index] * 2, rate)
            }
            (false, version) => {
                let all = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
                (all[index], if version == 2 { rate / 2 } else { rate / 4 })
            }
        };
        at += 72_000 * kbit / rate + usize::from(third >> 1 & 1);
    }
    places
}
