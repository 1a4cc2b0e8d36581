use super::*;
use crate::{AudioFormat, Redactor, Replacement, Span};

const MONO: &[u8] = include_bytes!("../../tests/samples/speech_fec.opus");
const STEREO: &[u8] = include_bytes!("../../tests/samples/stereo.opus");
const VORBIS: &[u8] = include_bytes!("../../tests/samples/mono.ogg");
const SPEEX: &[u8] = include_bytes!("../../tests/samples/mono.spx");
const FLAC: &[u8] = include_bytes!("../../tests/samples/mono.oga");

const SOUND: [u8; 4] = [0xf8, 1, 2, 3];
const SILENCE: [u8; 3] = [0xf8, 0xff, 0xfe];

fn spans(times: &[(u64, u64)]) -> Spans {
    let span = |(start_ms, end_ms): &(u64, u64)| Span {
        start_ms: *start_ms,
        end_ms: *end_ms,
    };
    Spans::new(times.iter().map(span).collect()).unwrap()
}

fn redact(
    file: &[u8],
    times: &[(u64, u64)],
    part: usize,
) -> Result<(Vec<u8>, Redacted), RedactionError> {
    let mut redactor = Redactor::new(AudioFormat::Ogg, spans(times), Replacement::Silence)?;
    let mut copy = Vec::new();
    for part in file.chunks(part) {
        redactor.push(part, &mut copy)?;
    }
    let redacted = redactor.finish(&mut copy)?;
    Ok((copy, redacted))
}

fn refused(file: &[u8], times: &[(u64, u64)]) -> RedactionError {
    redact(file, times, 4_096).unwrap_err()
}

/// A page as a reader that knows nothing of the above sees it.
#[derive(Debug, PartialEq)]
struct Seen {
    flags: u8,
    granule: i64,
    serial: u32,
    sequence: u32,
    segments: Vec<Vec<u8>>,
}

fn pages(file: &[u8]) -> Vec<Seen> {
    let mut rest = file;
    let mut pages = Vec::new();
    while !rest.is_empty() {
        assert_eq!(&rest[..5], b"OggS\0");
        let count = usize::from(rest[26]);
        let mut at = 27 + count;
        let mut segments = Vec::new();
        for length in &rest[27..27 + count] {
            segments.push(rest[at..at + usize::from(*length)].to_vec());
            at += usize::from(*length);
        }
        let mut sealed = rest[..at].to_vec();
        page::seal(&mut sealed);
        assert_eq!(sealed, rest[..at], "the checksum");
        pages.push(Seen {
            flags: rest[5],
            granule: i64::from_le_bytes(rest[6..14].try_into().unwrap()),
            serial: u32::from_le_bytes(rest[14..18].try_into().unwrap()),
            sequence: u32::from_le_bytes(rest[18..22].try_into().unwrap()),
            segments,
        });
        rest = &rest[at..];
    }
    pages
}

fn packets(pages: &[Seen]) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    let mut packet = Vec::new();
    for page in pages {
        assert_eq!(page.flags & 1 == 1, !packet.is_empty(), "a continued page");
        for segment in &page.segments {
            packet.extend(segment);
            if segment.len() < 255 {
                packets.push(std::mem::take(&mut packet));
            }
        }
    }
    assert!(packet.is_empty());
    packets
}

/// A page of the stream 7.
fn page(flags: u8, granule: i64, sequence: u32, table: &[u8], body: &[u8]) -> Vec<u8> {
    assert_eq!(
        body.len(),
        table.iter().map(|length| usize::from(*length)).sum()
    );
    let mut page = b"OggS\0".to_vec();
    page.push(flags);
    page.extend(granule.to_le_bytes());
    page.extend(7_u32.to_le_bytes());
    page.extend(sequence.to_le_bytes());
    page.extend([0; 4]);
    page.push(u8::try_from(table.len()).unwrap());
    page.extend(table);
    page.extend(body);
    page::seal(&mut page);
    page
}

fn headers(skip: u16) -> Vec<u8> {
    let mut head = b"OpusHead\x01\x01".to_vec();
    head.extend(skip.to_le_bytes());
    head.extend([0; 7]);
    let tags = b"OpusTags\x04\0\0\0test\0\0\0\0";
    [page(2, 0, 0, &[19], &head), page(0, 0, 1, &[20], tags)].concat()
}

/// A page of whole packets, none of them long.
fn whole(flags: u8, granule: i64, sequence: u32, packets: &[&[u8]]) -> Vec<u8> {
    let table: Vec<u8> = packets
        .iter()
        .map(|packet| u8::try_from(packet.len()).unwrap())
        .collect();
    page(flags, granule, sequence, &table, &packets.concat())
}

/// Pages of ten packets of 20 ms.
fn plain(count: u32, skip: u16, first: i64) -> Vec<u8> {
    let mut file = headers(skip);
    for at in 0..count {
        let granule = first + i64::from(at + 1) * 9_600;
        let flags = if at + 1 == count { 4 } else { 0 };
        file.extend(whole(flags, granule, at + 2, &[&SOUND[..]; 10]));
    }
    file
}

/// Which packets of audio are silent.
fn silent(copy: &[u8]) -> Vec<usize> {
    let packets = packets(&pages(copy));
    let audio = packets.iter().skip(2).enumerate();
    audio
        .filter(|(_, packet)| packet.ends_with(&[0xff, 0xfe]))
        .map(|(at, _)| at)
        .collect()
}

#[test]
fn packets_heard_in_a_span_are_silent_and_the_rest_is_as_it_was() {
    for (file, stereo) in [(MONO, 0), (STEREO, 4)] {
        let times = [(500, 900), (2_000, 2_203)];
        let (copy, redacted) = redact(file, &times, 4_096).unwrap();
        let (before, after) = (pages(file), pages(&copy));
        assert_eq!(before.len(), after.len());
        for (before, after) in before.iter().zip(&after) {
            let fields = |page: &Seen| (page.granule, page.serial, page.sequence, page.flags & 6);
            assert_eq!(fields(before), fields(after));
        }
        let (before, after) = (packets(&before), packets(&after));
        assert_eq!(before.len(), after.len());
        assert_eq!(before[..2], after[..2]);
        let mut silenced = 0;
        for (at, (before, after)) in before.iter().zip(&after).skip(2).enumerate() {
            // Packets of 20 ms, begun 6.5 ms before the recording; one more on either side.
            let (start, end) = (at * 20, at * 20 + 20);
            let near = |before: usize, behind: usize| {
                times.iter().any(|(from, to)| {
                    let (from, to) = (usize::try_from(*from), usize::try_from(*to));
                    start < to.unwrap() + behind && end + before > from.unwrap()
                })
            };
            if near(0, 20) {
                assert_eq!(after[..], [0xf8 | stereo, 0xff, 0xfe], "{at}");
            }
            if !near(20, 40) {
                assert_eq!(before, after, "{at}");
            }
            silenced += u64::from(before != after) * 20;
        }
        assert_eq!(redacted.silenced_ms, silenced);
        assert_eq!(redacted.duration_ms, 3_000);
        assert!(copy.len() < file.len());
    }
}

#[test]
fn packets_of_speex_are_silent_for_as_long() {
    let times = [(500, 900)];
    let (copy, redacted) = redact(SPEEX, &times, 4_096).unwrap();
    let (before, after) = (packets(&pages(SPEEX)), packets(&pages(&copy)));
    assert_eq!(before.len(), after.len());
    // Of 40 ms; those are replaced too that come within 20 ms of the span.
    let changed = before.iter().zip(&after).skip(2).enumerate();
    let changed = changed.filter(|(_, (before, after))| before != after);
    let changed: Vec<_> = changed.map(|(at, (_, after))| (at, after)).collect();
    let places: Vec<_> = changed.iter().map(|(at, _)| *at).collect();
    assert_eq!(places, (12..=22).collect::<Vec<_>>());
    for (_, packet) in changed {
        assert_eq!(packet.len(), 75);
        assert_eq!(packet[0], 5 << 3);
        assert_eq!(packet[1..37], [0; 36]);
    }
    assert_eq!((redacted.duration_ms, redacted.silenced_ms), (3_000, 440));
}

#[test]
fn the_copy_does_not_depend_on_the_parts() {
    for file in [MONO, STEREO, SPEEX] {
        let whole = redact(file, &[(500, 900), (2_500, 9_000)], file.len());
        for part in [1, 7, 26, 28, 4_096] {
            assert_eq!(redact(file, &[(500, 900), (2_500, 9_000)], part), whole);
        }
    }
}

#[test]
fn a_packet_is_silent_by_either_reading_of_what_is_skipped() {
    // 50 packets of 20 ms, 80 ms of which are skipped: packet 9 is heard from 180 ms on, or from 100.
    let (copy, redacted) = redact(&plain(5, 3_840, 0), &[(100, 180)], 512).unwrap();
    // From 100 ms in the packets, and what looks ahead into it, to 180 skipped, and one for what looks back.
    assert_eq!(silent(&copy), (4..=13).collect::<Vec<_>>());
    assert_eq!(
        redacted,
        Redacted {
            duration_ms: 920,
            silenced_ms: 200
        }
    );
}

#[test]
fn what_was_cut_out_of_a_longer_stream_begins_with_its_first_packet() {
    for first in [0, 48_000 * 3_600, -1_000] {
        let (copy, redacted) = redact(&plain(5, 0, first), &[(400, 500)], 512).unwrap();
        assert!(silent(&copy).starts_with(&[19, 20]), "{first}");
        assert_eq!(redacted.duration_ms, if first < 0 { 979 } else { 1_000 });
    }
}

#[test]
fn where_packets_were_lost_all_reckonings_are_silenced() {
    let mut file = headers(0);
    file.extend(whole(0, 9_600, 2, &[&SOUND[..]; 10]));
    // A second is missing, somewhere on the page.
    file.extend(whole(0, 9_600 + 57_600, 9, &[&SOUND[..]; 10]));
    file.extend(whole(0, 9_600 + 67_200, 10, &[&SOUND[..]; 10]));
    file.extend(whole(4, 9_600 + 76_700, 11, &[&SOUND[..]; 10]));
    let silent = |times| silent(&redact(&file, times, 512).unwrap().0);
    // By their number, 14 to 16; but one more cannot be told of the page.
    assert_eq!(silent(&[(305, 309)]), (10..=16).collect::<Vec<_>>());
    assert_eq!(silent(&[(1_305, 1_309)]), (14..=20).collect::<Vec<_>>());
    // Behind it, those by their number; and all that may lie there, with one more.
    let near = (10..=20).chain(25..=26);
    assert_eq!(silent(&[(512, 514)]), near.collect::<Vec<_>>());
    assert_eq!(silent(&[(1_512, 1_514)]), [25, 26]);
    let (_, redacted) = redact(&file, &[(305, 309)], 512).unwrap();
    assert_eq!(redacted.duration_ms, 1_797);
}

#[test]
fn where_packets_were_lost_twice_those_go_too_that_follow_on_the_page_before() {
    let mut file = headers(0);
    file.extend(whole(0, 9_600, 2, &[&SOUND[..]; 10]));
    // A second is missing, twice.
    file.extend(whole(0, 9_600 + 57_600, 9, &[&SOUND[..]; 10]));
    file.extend(whole(0, 9_600 + 2 * 57_600, 16, &[&SOUND[..]; 10]));
    // ffmpeg puts the third page's packets at 1.4 seconds, where the second page ends.
    let (copy, _) = redact(&file, &[(1_450, 1_470)], 512).unwrap();
    // Others at where the third page ends, less what it holds: two more.
    assert_eq!(silent(&copy), [20, 21, 22, 23, 24]);
}

#[test]
fn of_packets_in_which_nothing_was_sent_one_more_is_not_enough() {
    let mut file = headers(0);
    let nothing: &[u8] = &[0x48];
    let sound: &[u8] = &[0x48, 1, 2, 3];
    let all = [sound, sound, sound, nothing, nothing, sound, sound, sound];
    file.extend(whole(4, 8 * 960, 2, &all));
    let (copy, _) = redact(&file, &[(55, 58)], 512).unwrap();
    // The one that is heard, those that say nothing, and the one that may tell of the first.
    assert_eq!(silent(&copy), [2, 3, 4, 5]);
}

#[test]
fn what_stands_in_the_padding_behind_a_span_is_cleared() {
    // Two frames of 20 ms, and four bytes of padding: as encoders have in them what was heard a second before.
    let padded: &[u8] = &[0xfb, 0xc2, 4, 2, 1, 2, 3, 4, 7, 7, 7, 7];
    let cleared: &[u8] = &[0xfb, 0xc2, 4, 2, 1, 2, 3, 4, 0, 0, 0, 0];
    // Longer than a page has room for: 254 bytes of it are counted by a byte of 255.
    let long = [&[0xfb, 0xc2, 255, 46, 2, 1, 2, 3, 4][..], &[7; 300]].concat();
    let mut file = headers(0);
    file.extend(whole(0, 4 * 1_920, 2, &[padded; 4]));
    file.extend(page(0, -1, 3, &[255], &long[..255]));
    file.extend(page(5, 5 * 1_920, 4, &[54], &long[255..]));
    let (copy, _) = redact(&file, &[(50, 60)], 512).unwrap();
    let after = packets(&pages(&copy));
    assert_eq!(after[2], padded);
    assert_eq!(silent(&copy), [1, 2]);
    assert_eq!(after[5], cleared);
    assert_eq!(after[6][..9], long[..9]);
    assert_eq!(after[6][9..], [0; 300]);
}

#[test]
fn a_packet_on_several_pages_is_silent_on_the_last() {
    // Of 600 bytes on three pages; another before it and one behind.
    let long = [vec![0xf8], vec![9; 599]].concat();
    let mut file = headers(0);
    let start = [&SOUND, &long[..255]].concat();
    file.extend(page(0, 960, 2, &[4, 255], &start));
    file.extend(page(1, -1, 3, &[255], &long[255..510]));
    let end = [&long[510..], &SOUND].concat();
    file.extend(page(1, 960 * 3, 4, &[90, 4], &end));
    file.extend(whole(4, 960 * 4, 5, &[&SOUND]));
    assert_eq!(packets(&pages(&file)).len(), 6);
    let (copy, redacted) = redact(&file, &[(30, 31)], 512).unwrap();
    let seen = pages(&copy);
    assert_eq!(
        packets(&seen)[2..],
        [&SOUND[..], &SILENCE, &SILENCE, &SOUND]
    );
    let places: Vec<_> = seen.iter().map(|page| (page.flags, page.granule)).collect();
    let places: Vec<_> = places.into_iter().skip(2).collect();
    assert_eq!(places, [(0, 960), (0, -1), (0, 2_880), (4, 3_840)]);
    assert!(!copy.windows(8).any(|window| window == [9; 8]));
    assert_eq!(redacted.silenced_ms, 40);
    // And as it came where it is not heard.
    let (copy, _) = redact(&file, &[(70, 80)], 512).unwrap();
    assert!(copy.windows(64).any(|window| window == [9; 64]));
}

#[test]
fn what_is_not_understood_is_refused() {
    use RedactionError::{Damaged, PastEnd, Unsupported};
    let plain = plain(5, 0, 0);
    let head = headers(0);
    let at = [(100, 200)];
    assert_eq!(
        refused(&plain, &[(100, 200), (1_000, 1_100)]),
        PastEnd { duration_ms: 1_000 }
    );
    assert!(redact(&plain, &[(999, 99_000)], 64).is_ok());
    // Cut short, anywhere but where a page of audio ends.
    for length in (0..plain.len()).filter(|length| !plain[*length..].starts_with(b"OggS")) {
        assert!(matches!(refused(&plain[..length], &at), Damaged(_)));
    }
    assert_eq!(refused(&head, &at), PastEnd { duration_ms: 0 });
    assert!(matches!(refused(&head[..47], &at), Damaged(_)));
    // A bit of any page.
    for bit in 0..plain.len() * 8 {
        let mut bad = plain.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(refused(&bad, &at), Damaged(_)), "{bit}");
    }
    // A stream behind the first, and one among it.
    let twice = [plain.clone(), plain.clone()].concat();
    assert!(matches!(refused(&twice, &at), Unsupported(_)));
    let mut other = page(2, 0, 0, &[19], &head[28..47]);
    assert!(matches!(
        refused(&[&head[..47], &other, &head[47..]].concat(), &at),
        Unsupported(_)
    ));
    other[5] = 0;
    other[14] = 8;
    page::seal(&mut other);
    assert!(matches!(
        refused(&[&head[..], &other].concat(), &at),
        Damaged(_)
    ));
    for codec in [&b"\x80theora"[..], b"fishead\0", b"BBCD\0"] {
        let length = u8::try_from(codec.len()).unwrap();
        let file = page(2, 0, 0, &[length], codec);
        assert!(matches!(refused(&file, &at), Unsupported(_)), "{codec:?}");
    }
    for bad in [
        // More behind the end.
        [plain.clone(), whole(0, 60_000, 7, &[&SOUND])].concat(),
        // No position; one that goes back.
        [head.clone(), whole(0, -1, 2, &[&SOUND])].concat(),
        [
            head.clone(),
            whole(0, 9_600, 2, &[&SOUND]),
            whole(0, 4_800, 3, &[&SOUND]),
        ]
        .concat(),
        // A packet that goes on and never began; one that began and does not go on; with a page missing.
        [head.clone(), whole(1, 960, 2, &[&SOUND])].concat(),
        [
            head.clone(),
            page(0, -1, 2, &[255], &[0xf8; 255]),
            whole(0, 960, 3, &[&SOUND]),
        ]
        .concat(),
        [
            head.clone(),
            page(0, -1, 2, &[255], &[0xf8; 255]),
            whole(1, 960, 4, &[&SOUND]),
        ]
        .concat(),
        // No such packet.
        [head.clone(), whole(4, 960, 2, &[&[]])].concat(),
        [head.clone(), whole(4, 960, 2, &[&[0xfb, 0x3f, 0]])].concat(),
    ] {
        assert!(matches!(refused(&bad, &at), Damaged(_)));
    }
}

#[test]
fn a_packet_without_end_is_not_held() {
    let mut file = headers(0);
    for at in 0..100_u32 {
        let flags = u8::from(at > 0);
        file.extend(page(flags, -1, at + 2, &[255; 255], &vec![0xf8; 65_025]));
    }
    assert!(matches!(
        refused(&file, &[(0, 10)]),
        RedactionError::Unsupported(_)
    ));
}

#[test]
fn a_long_recording_is_not_held() {
    let mut ogg = Ogg::new(spans(&[(5_000, 6_000), (1_000_000, 2_000_000)]));
    let packet = [vec![0xf8], vec![9; 199]].concat();
    let packets: Vec<&[u8]> = vec![&packet; 50];
    let (mut copy, mut length) = (Vec::new(), 0);
    ogg.push(&headers(0), &mut copy).unwrap();
    for at in 0..2_000_u32 {
        let page = whole(0, i64::from(at + 1) * 48_000, at + 2, &packets);
        length += page.len();
        ogg.push(&page, &mut copy).unwrap();
        assert!(ogg.held() < 70_000);
        copy.clear();
    }
    assert!(length > 20_000_000);
    let redacted = ogg.finish(&mut copy).unwrap();
    assert_eq!(redacted.duration_ms, 2_000_000);
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

/// Sets the checksums of what still has the shape of pages.
fn seal_all(file: &mut [u8]) {
    let mut rest = file;
    while let Some(segments) = rest.get(26).map(|count| usize::from(*count)) {
        let Some(table) = rest.get(27..27 + segments) else {
            return;
        };
        let length = 27 + segments + table.iter().map(|n| usize::from(*n)).sum::<usize>();
        if length > rest.len() {
            return;
        }
        let (page, behind) = rest.split_at_mut(length);
        page::seal(page);
        rest = behind;
    }
}

#[test]
fn hostile_files_are_no_trouble() {
    let mut below = numbers(0x9e37_79b9_7f4a_7c15);
    let small = plain(5, 312, 0);
    for case in 0..6_000 {
        let mut file = [MONO, STEREO, VORBIS, SPEEX, FLAC, &small][case % 6].to_vec();
        file.truncate(file.len().min(8_000));
        for _ in 0..=below(8) {
            let at = below(file.len());
            match below(4) {
                0 => file[at] = u8::try_from(below(256)).unwrap(),
                1 => file[at] ^= 1 << below(8),
                2 => file[at] = 0xff,
                _ if case % 7 == 0 => file.truncate(at.max(1)),
                _ => file[at] = 0,
            }
        }
        // Half of them with checksums that are right, for what lies behind.
        if case % 2 == 0 {
            seal_all(&mut file);
        }
        let mut ogg = Ogg::new(spans(&[(100, 300), (700, 750)]));
        let mut copy = Vec::new();
        let done = file
            .chunks(999)
            .try_for_each(|part| ogg.push(part, &mut copy));
        // A packet of a byte becomes one of three.
        assert!(copy.len() <= file.len() + 1_024);
        if done.is_ok() {
            let _ = ogg.finish(&mut copy);
        }
    }
}
