//! MPEG-4 files (ISO/IEC 14496-12): a row of boxes, each a length, a name and what is in it.

use super::Look;

/// A box that begins at the start of `bytes`: its name, its content as far as it is there, and its whole
/// length, which may lie beyond.
pub(crate) struct Found<'a> {
    pub(crate) name: [u8; 4],
    pub(crate) content: &'a [u8],
    length: u64,
    is_whole: bool,
}

fn found(bytes: &[u8]) -> Option<Found<'_>> {
    let short = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?);
    let name = bytes.get(4..8)?.try_into().ok()?;
    let (header, length) = match short {
        // To the end of the file.
        0 => (8, u64::MAX),
        1 => {
            let long = bytes.get(8..16)?.try_into().ok()?;
            (16, u64::from_be_bytes(long))
        }
        short => (8, u64::from(short)),
    };
    if length < header {
        return None;
    }
    let end = usize::try_from(length).unwrap_or(usize::MAX);
    let start = usize::try_from(header).ok()?;
    Some(Found {
        name,
        content: bytes.get(start..end.min(bytes.len()))?,
        length,
        is_whole: end <= bytes.len(),
    })
}

/// The boxes that `bytes` are, all of them whole; one that is not ends the row with `None`.
pub(crate) fn boxes(bytes: &[u8]) -> impl Iterator<Item = Option<Found<'_>>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let next = found(rest).and_then(|found| {
            let behind = rest.get(usize::try_from(found.length).ok()?..)?;
            Some((found, behind))
        });
        rest = next.as_ref().map_or(&[], |(_, behind)| *behind);
        Some(next.map(|(found, _)| found))
    })
}

/// The content of the first box of that name.
pub(crate) fn child(bytes: &[u8], name: [u8; 4]) -> Option<&[u8]> {
    boxes(bytes)
        .map_while(|found| found)
        .find(|found| found.name == name)
        .map(|found| found.content)
}

/// What a file is that begins with `head`. Files that say to be audio (the brands `M4A ` and `M4B `) are; of
/// others the tracks are looked at, which stand in the box `moov`: where that stands behind the audio, it is
/// not looked for.
pub(super) fn look(head: &[u8]) -> Look {
    let Some(first) = found(head).filter(|first| first.name == *b"ftyp") else {
        return Look::Other;
    };
    let brands = first.content.chunks_exact(4).enumerate();
    // The second field is the minor version, no brand.
    let mut brands = brands.filter(|(at, _)| *at != 1).map(|(_, brand)| brand);
    if matches!(brands.next(), Some(b"M4A " | b"M4B ")) {
        return Look::Audio;
    }
    let (mut is_audio, mut is_video) = (false, false);
    for brand in brands {
        is_audio |= matches!(brand, b"M4A " | b"M4B ");
        is_video |= matches!(brand, b"M4V " | b"M4VH" | b"M4VP");
    }
    let mut at = first.length;
    loop {
        let next = usize::try_from(at).ok().and_then(|at| head.get(at..));
        let Some(next) = next.and_then(found) else {
            // It goes on behind what there is.
            return Look::More;
        };
        match &next.name {
            b"moov" if !next.is_whole => return Look::More,
            b"moov" if is_audio_alone(next.content) => return Look::Audio,
            b"mdat" if is_audio && !is_video => return Look::Audio,
            b"moov" | b"mdat" => return Look::Other,
            _ => at = at.saturating_add(next.length),
        }
    }
}

/// Whether a `moov` has a track of sound that browsers play, and none of pictures.
fn is_audio_alone(moov: &[u8]) -> bool {
    let mut has_sound = false;
    for found in boxes(moov) {
        let Some(found) = found else {
            return false;
        };
        if found.name != *b"trak" {
            continue;
        }
        let media = child(found.content, *b"mdia");
        // Behind version, flags and a field that is nought.
        let kind = media
            .and_then(|media| child(media, *b"hdlr"))
            .and_then(|handler| handler.get(8..12));
        match kind {
            Some(b"soun") if media.and_then(codec).is_some_and(plays) => has_sound = true,
            // Chapters, hints, subtitles.
            Some(b"text" | b"sbtl" | b"subt" | b"hint" | b"meta") => {}
            _ => return false,
        }
    }
    has_sound
}

fn codec(media: &[u8]) -> Option<&[u8]> {
    let samples = child(child(media, *b"minf")?, *b"stbl")?;
    // Behind version, flags, the number of entries and the first one's length.
    child(samples, *b"stsd")?.get(12..16)
}

fn plays(codec: &[u8]) -> bool {
    matches!(codec, b"mp4a" | b"Opus" | b"fLaC" | b"alac" | b".mp3")
}

#[cfg(test)]
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the names of boxes, as byte strings are written"
)]
mod tests {
    use super::*;

    fn boxed(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len() + 8).unwrap();
        [length.to_be_bytes().as_slice(), name, content].concat()
    }

    fn ftyp(brands: &[&[u8; 4]]) -> Vec<u8> {
        let rest: Vec<u8> = brands.iter().skip(1).flat_map(|brand| **brand).collect();
        boxed(b"ftyp", &[brands[0].as_slice(), &[0; 4], &rest].concat())
    }

    fn track(handler: &[u8; 4], codec: &[u8; 4], samples: usize) -> Vec<u8> {
        let entry = [&[0, 0, 0, 36], codec.as_slice(), &[0; 28]].concat();
        let table = boxed(
            b"stsd",
            &[[0, 0, 0, 0, 0, 0, 0, 1].as_slice(), &entry].concat(),
        );
        let sizes = boxed(b"stsz", &vec![0; samples]);
        let table = boxed(b"stbl", &[table, sizes].concat());
        let info = boxed(b"minf", &[boxed(b"smhd", &[0; 8]), table].concat());
        let handler = boxed(b"hdlr", &[[0; 8].as_slice(), handler, &[0; 13]].concat());
        let media = boxed(b"mdia", &[boxed(b"mdhd", &[0; 24]), handler, info].concat());
        boxed(b"trak", &[boxed(b"tkhd", &[0; 84]), media].concat())
    }

    fn moov(tracks: &[(&[u8; 4], &[u8; 4])], samples: usize) -> Vec<u8> {
        let mut content = boxed(b"mvhd", &[0; 100]);
        for (handler, codec) in tracks {
            content.extend(track(handler, codec, samples));
        }
        boxed(b"moov", &content)
    }

    fn mdat() -> Vec<u8> {
        boxed(b"mdat", &[7; 300])
    }

    const SOUND: (&[u8; 4], &[u8; 4]) = (b"soun", b"mp4a");
    const PICTURES: (&[u8; 4], &[u8; 4]) = (b"vide", b"avc1");

    #[test]
    fn what_says_to_be_audio_is() {
        for brand in [b"M4A ", b"M4B "] {
            assert_eq!(look(&ftyp(&[brand, b"isom"])), Look::Audio);
        }
        // Among others, where the tracks cannot be seen.
        let brands: [&[u8; 4]; 3] = [b"mp42", b"isom", b"M4A "];
        assert_eq!(look(&[ftyp(&brands), mdat()].concat()), Look::Audio);
        let video: [&[u8; 4]; 3] = [b"mp42", b"M4A ", b"M4V "];
        assert_eq!(look(&[ftyp(&video), mdat()].concat()), Look::Other);
    }

    #[test]
    fn of_others_the_tracks_decide() {
        for brand in [b"mp42", b"isom", b"iso5", b"dash", b"MSNV"] {
            let file = |tracks: &[_]| [ftyp(&[brand, b"mp41"]), moov(tracks, 40), mdat()].concat();
            assert_eq!(look(&file(&[SOUND])), Look::Audio);
            assert_eq!(look(&file(&[SOUND, (b"text", b"text")])), Look::Audio);
            assert_eq!(look(&file(&[(b"soun", b"Opus")])), Look::Audio);
            for tracks in [
                &[PICTURES][..],
                &[SOUND, PICTURES],
                &[PICTURES, SOUND],
                &[],
                &[(b"text", b"text")],
                // Encrypted, and what telephones write and browsers do not play.
                &[(b"soun", b"enca")],
                &[(b"soun", b"samr")],
                &[SOUND, (b"auxv", b"avc1")],
            ] {
                assert_eq!(look(&file(tracks)), Look::Other, "{tracks:?}");
            }
        }
        // Even if it says that it is audio too.
        let brands: [&[u8; 4]; 2] = [b"mp42", b"M4A "];
        let file = [ftyp(&brands), moov(&[SOUND, PICTURES], 0)].concat();
        assert_eq!(look(&file), Look::Other);
    }

    #[test]
    fn tracks_behind_the_audio_are_not_looked_for() {
        let file = [ftyp(&[b"isom", b"mp41"]), mdat(), moov(&[SOUND], 0)].concat();
        assert_eq!(look(&file), Look::Other);
    }

    #[test]
    fn more_is_asked_for_until_all_tracks_are_there() {
        let free = boxed(b"free", &[0; 100]);
        let file = [ftyp(&[b"isom"]), free, moov(&[SOUND, SOUND], 9_000)].concat();
        for length in 16..file.len() {
            assert_eq!(look(&file[..length]), Look::More, "{length}");
        }
        assert_eq!(look(&file), Look::Audio);
    }

    #[test]
    fn lengths_that_cannot_be_are_no_audio_and_no_trouble() {
        let good = [ftyp(&[b"isom"]), moov(&[SOUND], 20), mdat()].concat();
        // Every length of every box, one after the other, to what it cannot be.
        for at in 0..good.len() - 4 {
            for value in [0, 1, 7, 9, u32::MAX] {
                let mut bad = good.clone();
                bad[at..at + 4].copy_from_slice(&u32::to_be_bytes(value));
                // It ends, and says something.
                let _ = look(&bad);
            }
        }
        let (start, rest) = good.split_at(ftyp(&[b"isom"]).len());
        let mut moov = rest.to_vec();
        // The track is longer than what it is in.
        moov[8 + 108..8 + 112].copy_from_slice(&u32::to_be_bytes(5_000));
        assert_eq!(look(&[start, &moov].concat()), Look::Other);
        for other in [
            &b""[..],
            b"ftyp",
            b"\0\0\0\x04ftyp",
            b"\0\0\0\x10moov........",
        ] {
            assert_eq!(look(other), Look::Other);
        }
    }
}
