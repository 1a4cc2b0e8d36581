use super::*;
use crate::{AudioFormat, Redactor, Replacement, Span, Survey};

fn boxed(name: &str, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 8).unwrap();
    [&length.to_be_bytes(), name.as_bytes(), content].concat()
}

/// Version and flags, and numbers of 32 bits.
fn table(name: &str, numbers: &[u32]) -> Vec<u8> {
    let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_be_bytes()).collect();
    boxed(name, &[&[0; 4], bytes.as_slice()].concat())
}

/// A file with 1,000 units of time a second and access units of 1,024 samples at 8 kHz, 128 ms each.
struct File {
    /// Of each chunk, its access units' lengths in bytes.
    chunks: Vec<Vec<u32>>,
    /// Bytes between chunks.
    gap: usize,
    /// How many access units last how long.
    lengths: Vec<u32>,
    codec: &'static str,
    /// Rate and channels as the decoder is told.
    config: Vec<u8>,
    /// In the track, and in the index.
    edits: Vec<u8>,
    more: Vec<u8>,
    /// In place of the usual tables.
    sizes: Option<Vec<u8>>,
    is_wide: bool,
    is_behind: bool,
}

const MONO: [u8; 2] = [0x15, 0x88];

impl File {
    fn new(chunks: &[&[u32]]) -> Self {
        let chunks: Vec<Vec<u32>> = chunks.iter().map(|chunk| chunk.to_vec()).collect();
        let count = chunks.iter().map(Vec::len).sum::<usize>();
        Self {
            chunks,
            gap: 0,
            lengths: vec![u32::try_from(count).unwrap(), 128],
            codec: "mp4a",
            config: MONO.to_vec(),
            edits: Vec::new(),
            more: Vec::new(),
            sizes: None,
            is_wide: false,
            is_behind: false,
        }
    }

    /// Ten units, in chunks of four, three and three.
    fn ten() -> Self {
        Self::new(&[&[20, 30, 40, 50], &[21, 31, 41], &[22, 32, 42]])
    }

    fn moov(&self, start: u64) -> Vec<u8> {
        let settings = [
            &[5, u8::try_from(self.config.len()).unwrap()],
            self.config.as_slice(),
        ];
        let settings = settings.concat();
        let mut decoder = vec![4, u8::try_from(13 + settings.len()).unwrap(), 0x40, 0x15];
        decoder.extend([0; 11]);
        decoder.extend(settings);
        let mut stream = vec![3, u8::try_from(3 + decoder.len()).unwrap(), 0, 0, 0];
        stream.extend(decoder);
        let esds = boxed("esds", &[&[0; 4], stream.as_slice()].concat());
        let entry = boxed(self.codec, &[&[0; 28], esds.as_slice()].concat());
        let kinds = boxed(
            "stsd",
            &[&[0, 0, 0, 0, 0, 0, 0, 1], entry.as_slice()].concat(),
        );
        let all: Vec<u32> = self.chunks.concat();
        let count = u32::try_from(all.len()).unwrap();
        let sizes = [&[0, count], all.as_slice()].concat();
        let sizes = self.sizes.clone().unwrap_or_else(|| table("stsz", &sizes));
        let count = u32::try_from(self.lengths.len() / 2).unwrap();
        let durations = table("stts", &[&[count], self.lengths.as_slice()].concat());
        let mut rows = vec![u32::try_from(self.chunks.len()).unwrap()];
        let mut offsets = rows.clone();
        let mut at = start;
        for (number, chunk) in self.chunks.iter().enumerate() {
            rows.extend([
                u32::try_from(number + 1).unwrap(),
                u32::try_from(chunk.len()).unwrap(),
                1,
            ]);
            at += self.gap as u64;
            if self.is_wide {
                offsets.push(0);
            }
            offsets.push(u32::try_from(at).unwrap());
            at += u64::from(chunk.iter().sum::<u32>());
        }
        let rows = table("stsc", &rows);
        let offsets = table(if self.is_wide { "co64" } else { "stco" }, &offsets);
        let tables = boxed("stbl", &[kinds, durations, rows, sizes, offsets].concat());
        let handler = boxed("hdlr", &[&[0; 8], b"soun".as_slice(), &[0; 13]].concat());
        let head = table("mdhd", &[0, 0, 1_000, 0, 0]);
        let media = boxed("mdia", &[head, handler, boxed("minf", &tables)].concat());
        let track = boxed("trak", &[self.edits.clone(), media].concat());
        let movie = table("mvhd", &[0, 0, 600, 0]);
        boxed("moov", &[movie, track, self.more.clone()].concat())
    }

    fn audio(&self) -> Vec<u8> {
        let mut audio = Vec::new();
        for (number, size) in self.chunks.concat().into_iter().enumerate() {
            let starts = self.chunks.iter().scan(0, |at, chunk| {
                let start = *at;
                *at += chunk.len();
                Some(start)
            });
            if starts.into_iter().any(|start| start == number) {
                audio.extend(vec![0xee; self.gap]);
            }
            audio.push(0);
            audio.extend(vec![0x99; usize::try_from(size).unwrap() - 1]);
        }
        audio
    }

    fn bytes(&self) -> Vec<u8> {
        let ftyp = boxed("ftyp", b"M4A \0\0\0\0");
        let mdat = boxed("mdat", &self.audio());
        if self.is_behind {
            let moov = self.moov(ftyp.len() as u64 + 8);
            return [ftyp, mdat, moov].concat();
        }
        let length = self.moov(0).len() + ftyp.len() + 8;
        [ftyp, self.moov(length as u64), mdat].concat()
    }

    /// Which access units are silent after this.
    fn silent(&self, times: &[(u64, u64)]) -> Vec<usize> {
        let file = self.bytes();
        let (copy, _) = redact(&file, times).unwrap();
        assert_eq!(copy.len(), file.len());
        let start = file.windows(4).position(|name| name == b"mdat").unwrap() + 4;
        let mut at = start;
        let mut silent = Vec::new();
        let mut number = 0;
        for chunk in &self.chunks {
            at += self.gap;
            for size in chunk {
                let end = at + usize::try_from(*size).unwrap();
                if copy[at..end] != file[at..end] {
                    assert!(!copy[at..end].contains(&0x99), "nothing of it is left");
                    silent.push(number);
                }
                number += 1;
                at = end;
            }
        }
        assert_eq!(copy[..start], file[..start]);
        assert_eq!(copy[at..], file[at..]);
        silent
    }
}

fn spans(times: &[(u64, u64)]) -> Spans {
    let span = |(start_ms, end_ms): &(u64, u64)| Span {
        start_ms: *start_ms,
        end_ms: *end_ms,
    };
    Spans::new(times.iter().map(span).collect()).unwrap()
}

fn redact(file: &[u8], times: &[(u64, u64)]) -> Result<(Vec<u8>, Redacted), RedactionError> {
    let mut survey = Survey::new(AudioFormat::M4a);
    for part in file.chunks(100) {
        survey.push(part)?;
    }
    let mut redactor = Redactor::with_survey(
        AudioFormat::M4a,
        spans(times),
        Replacement::Silence,
        survey.finish()?,
    )?;
    let mut copy = Vec::new();
    for part in file.chunks(100) {
        redactor.push(part, &mut copy)?;
    }
    let redacted = redactor.finish(&mut copy)?;
    Ok((copy, redacted))
}

fn refused(file: &[u8]) -> RedactionError {
    redact(file, &[(0, 10)]).unwrap_err()
}

#[test]
fn a_unit_that_is_heard_is_silent_and_its_neighbours() {
    let file = File::ten();
    // The fifth lasts from 512 to 640 ms.
    assert_eq!(file.silent(&[(520, 530)]), [3, 4, 5]);
    assert_eq!(file.silent(&[(511, 530)]), [2, 3, 4, 5]);
    assert_eq!(file.silent(&[(520, 641)]), [3, 4, 5, 6]);
    assert_eq!(file.silent(&[(0, 1), (1_279, 9_000)]), [0, 1, 8, 9]);
    let (_, redacted) = redact(&file.bytes(), &[(520, 530)]).unwrap();
    assert_eq!(
        redacted,
        Redacted {
            duration_ms: 1_280,
            silenced_ms: 3 * 128
        }
    );
}

#[test]
fn tables_have_several_forms() {
    let expected = File::ten().silent(&[(520, 530), (900, 901)]);
    let count = 10_u32.to_be_bytes();
    let sizes = [20_u8, 30, 40, 50, 21, 31, 41, 22, 32, 42];
    let small = [&[0, 0, 0, 0, 0, 0, 0, 8], count.as_slice(), &sizes].concat();
    let wide: Vec<u8> = sizes.iter().flat_map(|size| [0, *size]).collect();
    let middle = [&[0, 0, 0, 0, 0, 0, 0, 16], count.as_slice(), &wide].concat();
    for (sizes, is_wide, is_behind) in [
        (Some(boxed("stz2", &small)), false, false),
        (Some(boxed("stz2", &middle)), true, false),
        (None, true, true),
        (None, false, true),
    ] {
        let mut file = File::ten();
        (file.sizes, file.is_wide, file.is_behind) = (sizes, is_wide, is_behind);
        assert_eq!(file.silent(&[(520, 530), (900, 901)]), expected);
    }
    let mut same = File::new(&[&[9, 9, 9], &[9, 9, 9, 9]]);
    same.sizes = Some(table("stsz", &[9, 7]));
    assert_eq!(same.silent(&[(300, 310)]), [1, 2, 3]);
    let mut tiny = File::new(&[&[9, 5, 6], &[7, 8]]);
    tiny.sizes = Some(boxed(
        "stz2",
        &[0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 5, 0x95, 0x67, 0x80],
    ));
    assert_eq!(tiny.silent(&[(300, 310)]), [1, 2, 3]);
    // The audio's length in eight bytes, or to the end of the file.
    let file = File::ten().bytes();
    let (start, audio) = file.split_at(file.len() - 329);
    let (start, header) = start.split_at(start.len() - 8);
    let long = File::ten();
    let moov = long.moov(16 + 16 + long.moov(0).len() as u64);
    let length = (audio.len() as u64 + 16).to_be_bytes();
    let wide = [&start[..16], &moov, &[0, 0, 0, 1], b"mdat", &length, audio].concat();
    let (copy, _) = redact(&wide, &[(520, 530)]).unwrap();
    let (plain, _) = redact(&file, &[(520, 530)]).unwrap();
    assert!(copy.ends_with(&plain[plain.len() - 329..]));
    let open = [start, &[0; 4], &header[4..], audio].concat();
    let (copy, _) = redact(&open, &[(520, 530)]).unwrap();
    assert!(copy.ends_with(&plain[plain.len() - 329..]));
}

fn edits(rows: &[[u32; 3]]) -> Vec<u8> {
    let count = u32::try_from(rows.len()).unwrap();
    let list = table("elst", &[&[count], rows.concat().as_slice()].concat());
    boxed("edts", &list)
}

#[test]
fn what_players_may_leave_out_is_silent_by_either_reading() {
    const RATE: u32 = 0x1_0000;
    let mut file = File::ten();
    // 300 ms are left out.
    file.edits = edits(&[[500, 300, RATE]]);
    assert_eq!(file.silent(&[(140, 150)]), [0, 1, 2, 3, 4]);
    assert_eq!(file.silent(&[(800, 810)]), [5, 6, 7, 8, 9]);
    let duration = |file: &File| redact(&file.bytes(), &[(0, 1)]).unwrap().1.duration_ms;
    // 500 of the movie's units, of which 600 are a second.
    assert_eq!(duration(&file), 833);
    // Nothing is heard for 256 ms before.
    file.edits = edits(&[[154, u32::MAX, RATE], [0, 0, RATE]]);
    assert_eq!(file.silent(&[(400, 410)]), [0, 1, 2, 3, 4]);
    assert_eq!(duration(&file), 1_280 + 256);
    for pieces in [
        edits(&[[100, 0, RATE], [100, 500, RATE]]),
        edits(&[[100, 0, RATE / 2]]),
        edits(&[[100, 0, RATE], [100, u32::MAX, RATE]]),
    ] {
        file.edits = pieces;
        assert!(matches!(
            refused(&file.bytes()),
            RedactionError::Unsupported(_)
        ));
    }
    // What iTunes notes: 1,024 samples and the decoder's.
    let mut file = File::ten();
    let note = b"iTunSMPB\0\0\0\x84data\0\0\0\x01\0\0\0\0 00000000 00000840 000001C4";
    file.more = boxed("udta", note);
    assert_eq!(file.silent(&[(400, 410)]), [2, 3, 4, 5, 6]);
}

#[test]
fn where_times_have_gaps_both_reckonings_are_silent() {
    let mut file = File::ten();
    // Five that are heard at once, and five from 1,000 ms on.
    file.lengths = vec![4, 128, 1, 488, 5, 128];
    assert_eq!(file.silent(&[(1_010, 1_020)]), [4, 5, 6, 7, 8]);
}

#[test]
fn what_lies_between_is_of_nobody_or_of_another_track() {
    let mut file = File::ten();
    file.gap = 100;
    let (copy, _) = redact(&file.bytes(), &[(520, 530)]).unwrap();
    assert!(!copy.contains(&0xee));
    let handler = boxed("hdlr", &[&[0; 8], b"vide".as_slice(), &[0; 13]].concat());
    file.more = boxed("trak", &boxed("mdia", &handler));
    let (copy, _) = redact(&file.bytes(), &[(520, 530)]).unwrap();
    assert_eq!(copy.split(|byte| *byte == 0xee).count(), 301);
    assert_eq!(file.silent(&[(520, 530)]), [3, 4, 5]);
    // One of packets for streaming may have copies.
    let handler = boxed("hdlr", &[&[0; 8], b"hint".as_slice(), &[0; 13]].concat());
    file.more = boxed("trak", &boxed("mdia", &handler));
    assert!(matches!(
        refused(&file.bytes()),
        RedactionError::Unsupported(_)
    ));
}

#[test]
fn what_is_not_understood_is_refused() {
    use RedactionError::{Damaged, Unsupported};
    let with = |change: fn(&mut File)| {
        let mut file = File::ten();
        change(&mut file);
        refused(&file.bytes())
    };
    // AAC of other kinds: Main, HE, HE with stereo, what hints of HE, of no and of six channels.
    for config in [
        vec![0x0d, 0x88],
        vec![0x2d, 0x88, 0x08],
        vec![0xed, 0x88, 0x08],
        vec![0x15, 0x88, 0x56, 0xe5, 0x80],
        vec![0x15, 0x80],
        vec![0x15, 0xb0],
    ] {
        let mut file = File::ten();
        file.config = config;
        assert!(
            matches!(refused(&file.bytes()), Unsupported(_)),
            "{:?}",
            file.config
        );
    }
    let others: [fn(&mut File); 9] = [
        |file| file.codec = "alac",
        |file| file.codec = "Opus",
        |file| file.codec = "fLaC",
        |file| file.codec = ".mp3",
        |file| file.codec = "enca",
        |file| file.codec = "samr",
        |file| file.more = boxed("mvex", &[]),
        |file| file.more = File::ten().moov(0)[8 + 28..].to_vec(),
        // Twice as long as its samples: what nothing tells of is HE.
        |file| file.lengths = vec![10, 256],
    ];
    for change in others {
        assert!(matches!(with(change), Unsupported(_)));
    }
    let broken: [fn(&mut File); 7] = [
        |file| file.lengths = vec![9, 128],
        |file| file.lengths = vec![],
        |file| file.sizes = Some(table("stsz", &[20, 9])),
        |file| file.sizes = Some(table("stsz", &[20, u32::MAX])),
        |file| file.sizes = Some(table("stsz", &[0, u32::MAX])),
        |file| file.config = vec![0x15],
        |file| file.more = vec![0, 0, 0, 3],
    ];
    for change in broken {
        assert!(matches!(with(change), Damaged(_)));
    }
    let file = File::ten().bytes();
    let (start, audio) = file.split_at(file.len() - 337);
    assert_eq!(&audio[4..8], b"mdat");
    // Fragments; two indexes; audio that ends too early, or lies somewhere else.
    let fragment = [start, &boxed("moof", &[]), audio].concat();
    assert!(matches!(refused(&fragment), Unsupported(_)));
    for bad in [
        [start, &start[16..], audio].concat(),
        [start, &audio[..300]].concat(),
        [start, &boxed("mdat", &audio[8..300])].concat(),
        [start, &boxed("free", &[]), audio].concat(),
        [start, &[0, 0, 0, 7], b"mdat"].concat(),
        start.to_vec(),
        [&start[..16], audio].concat(),
    ] {
        assert!(matches!(refused(&bad), Damaged(_)));
    }
    // Chunks in another order.
    let mut file = File::ten().bytes();
    let at = file.windows(4).position(|name| name == b"stco").unwrap() + 12;
    let (first, second) = file[at..at + 8].split_at_mut(4);
    first.swap_with_slice(second);
    let refused = redact(&file, &[(1_200, 1_210)]).unwrap_err();
    assert!(matches!(refused, Unsupported(_)));
    // An index that is too long to be held.
    let long = [&start[..16], &[1, 0, 0, 9], b"moov"].concat();
    let mut redactor = M4a::new(spans(&[(0, 1)]), None).unwrap();
    assert!(matches!(
        redactor.push(&long, &mut Vec::new()),
        Err(Unsupported(_))
    ));
}

#[test]
fn a_long_recording_is_not_held() {
    let count = 100_000;
    let mut file = File::new(&[&vec![200; count]]);
    file.sizes = Some(table("stsz", &[200, u32::try_from(count).unwrap()]));
    let bytes = file.bytes();
    assert!(bytes.len() > 20_000_000);
    let mut m4a = M4a::new(spans(&[(5_000, 6_000), (1_000_000, 9_000_000)]), None).unwrap();
    let mut copy = Vec::new();
    let mut out = 0;
    for (number, part) in bytes.chunks(65_536).enumerate() {
        m4a.push(part, &mut copy).unwrap();
        out += copy.len();
        copy.clear();
        assert!(m4a.held() < 2_048);
        // All but an access unit.
        assert!((number + 1) * 65_536 - out.min((number + 1) * 65_536) < 66_000);
    }
    assert_eq!(m4a.finish(&mut copy).unwrap().duration_ms, 12_800_000);
    assert_eq!(out, bytes.len());
}

/// With its index before the audio, which is the last box.
const STEREO: &[u8] = include_bytes!("../../tests/samples/stereo.m4a");

#[test]
fn what_belongs_to_no_access_unit_is_not_told() {
    const MORE: usize = 20_000_000;
    let mdat = STEREO.windows(4).rposition(|name| name == b"mdat").unwrap();
    let mut file = STEREO.to_vec();
    let length = u32::try_from(file.len() - mdat + 4 + MORE).unwrap();
    file[mdat - 4..mdat].copy_from_slice(&length.to_be_bytes());
    let span = Span {
        start_ms: 500,
        end_ms: 90_000,
    };
    let mut m4a = M4a::new(Spans::new(vec![span]).unwrap(), None).unwrap();
    let (mut copy, mut came) = (Vec::new(), 0);
    let more = vec![7; 50_000];
    for part in file
        .chunks(50)
        .chain(std::iter::repeat_n(&more[..], MORE / more.len()))
    {
        m4a.push(part, &mut copy).unwrap();
        came += part.len();
        // The index, and then an access unit.
        assert!(m4a.held() < if came < mdat { 8_192 } else { 4_096 });
        // What belongs to no access unit nobody hears: it is not told either.
        assert!(came <= file.len() || copy.iter().all(|byte| *byte == 0));
        copy.clear();
    }
    assert_eq!(came, file.len() + MORE);
    assert_eq!(m4a.finish(&mut copy).unwrap().duration_ms, 3_000);
}
