//! How fast copies of recordings flow through the redactor, in MB/s, beside plain copying in the same run:
//! `cargo bench -p ringfence-audio`.
//!
//! WAV is made here: two hours of 8 kHz and sixteen bits. The other formats are the samples of the tests, over
//! and over, as whole files: their start is part of it. Parts of 64 KiB, best of five; a span a minute, or one in
//! each sample. `times real time` says how many seconds of audio go by in one.

#![allow(clippy::cast_precision_loss, reason = "rates to read, not to count on")]
#![allow(missing_docs, reason = "a program")]

use std::{hint::black_box, path::Path, time::Instant};

use ringfence_audio::{AudioFormat, Redactor, Replacement, Span, Spans, Survey};

const PART: usize = 64 * 1024;

fn redact(file: &[u8], format: AudioFormat, spans: &Spans, replacement: Replacement) -> u64 {
    let mut survey = Survey::new(format);
    for part in file.chunks(PART) {
        if survey.is_done() {
            break;
        }
        survey.push(part).unwrap();
    }
    let surveyed = survey.finish().unwrap();
    let mut redactor = Redactor::with_survey(format, spans.clone(), replacement, surveyed).unwrap();
    for part in file.chunks(PART) {
        // A copy of its own for each, as it goes out.
        let mut copy = Vec::with_capacity(part.len());
        redactor.push(part, &mut copy).unwrap();
        black_box(&copy);
    }
    let mut copy = Vec::new();
    redactor.finish(&mut copy).unwrap().duration_ms
}

/// The best rate of five runs, bytes a second; and the audio of one run, ms.
fn best(bytes: usize, mut run: impl FnMut() -> u64) -> (f64, u64) {
    let mut best = (0.0_f64, 0);
    for _ in 0..5 {
        let began = Instant::now();
        let audio = run();
        let rate = bytes as f64 / began.elapsed().as_secs_f64();
        if rate > best.0 {
            best = (rate, audio);
        }
    }
    best
}

fn print(name: &str, bytes: usize, (rate, audio_ms): (f64, u64)) {
    let real_time = audio_ms as f64 / 1_000.0 * rate / bytes as f64;
    println!(
        "{name:34} {:8.0} MB/s {real_time:12.0} times real time",
        rate / 1e6
    );
}

fn wav(seconds: u32) -> Vec<u8> {
    let length = seconds * 16_000;
    let mut file = b"RIFF".to_vec();
    file.extend((length + 36).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data");
    file.extend(length.to_le_bytes());
    file.extend((0..length).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8));
    file
}

fn main() {
    let file = wav(7_200);
    let copying = best(file.len(), || {
        for part in file.chunks(PART) {
            black_box(part.to_vec());
        }
        7_200_000
    });
    print("copying, no more", file.len(), copying);
    let span = |start_ms: u64, length: u64| Span {
        start_ms,
        end_ms: start_ms + length,
    };
    let sparse = Spans::new((0..120).map(|n| span(n * 60_000 + 10_000, 5_000)).collect()).unwrap();
    let whole = Spans::new(vec![span(0, 7_200_000)]).unwrap();
    for (name, spans, replacement) in [
        ("WAV, 5 s a minute silent", &sparse, Replacement::Silence),
        ("WAV, 5 s a minute a tone", &sparse, Replacement::Tone),
        ("WAV, all of it a tone", &whole, Replacement::Tone),
    ] {
        let rate = best(file.len(), || {
            redact(&file, AudioFormat::Wav, spans, replacement)
        });
        print(name, file.len(), rate);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    for (name, format) in [
        ("mono-8.mp3", AudioFormat::Mp3),
        ("stereo-44.mp3", AudioFormat::Mp3),
        ("speech_fec.opus", AudioFormat::Ogg),
        ("mono-8.flac", AudioFormat::Flac),
        ("mono.m4a", AudioFormat::M4a),
    ] {
        let sample = std::fs::read(folder.join(name)).unwrap();
        let spans = Spans::new(vec![span(100, 100)]).unwrap();
        let times = 20_000_000 / sample.len();
        let bytes = sample.len() * times;
        let rate = best(bytes, || {
            (0..times)
                .map(|_| redact(&sample, format, &spans, Replacement::Silence))
                .sum()
        });
        print(name, bytes, rate);
    }
}
