//! What audio that comes is, by its first bytes.

use futures_util::{StreamExt as _, stream};
use ringfence_audio::{AudioFormat, HEAD_BYTES, MAX_HEAD_BYTES, Sniffed};
use ringfence_ports::{BlobError, ByteStream};

/// Reads as much of the start of a stream as tells what it is: those bytes, which are gone from the stream, and
/// what they are ([`Sniffed::More`]: it ended first, or is too long to tell). Holds [`MAX_HEAD_BYTES`] and one part.
pub(super) async fn sniff_stream(bytes: &mut ByteStream) -> Result<(Vec<u8>, Sniffed), BlobError> {
    // It is asked again, here and by who goes on with it, after it has ended.
    let taken = std::mem::replace(bytes, Box::pin(stream::empty()));
    *bytes = Box::pin(taken.fuse());
    let mut head = Vec::new();
    for limit in [HEAD_BYTES, MAX_HEAD_BYTES] {
        while (head.len() as u64) < limit
            && let Some(part) = bytes.next().await
        {
            head.extend_from_slice(&part?);
        }
        let sniffed = AudioFormat::sniff(&head);
        if sniffed != Sniffed::More {
            return Ok((head, sniffed));
        }
    }
    Ok((head, Sniffed::More))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(name: [u8; 4], content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len() + 8).unwrap();
        [length.to_be_bytes().as_slice(), &name, content].concat()
    }

    fn ftyp() -> Vec<u8> {
        boxed(*b"ftyp", b"isom\0\0\0\0")
    }

    /// The index of an MPEG-4 file with one track of AAC.
    fn index(samples: usize) -> Vec<u8> {
        let entry = [b"\0\0\0\x24mp4a".as_slice(), &[0; 28]].concat();
        let table = boxed(
            *b"stsd",
            &[b"\0\0\0\0\0\0\0\x01".as_slice(), &entry].concat(),
        );
        let sizes = boxed(*b"stsz", &vec![0; samples]);
        let table = boxed(*b"stbl", &[table, sizes].concat());
        let info = boxed(*b"minf", &table);
        let handler = boxed(*b"hdlr", b"\0\0\0\0\0\0\0\0soun\0\0\0\0");
        let media = boxed(*b"mdia", &[handler, info].concat());
        boxed(*b"moov", &boxed(*b"trak", &media))
    }

    async fn sniffed(file: &[u8], part: usize) -> (Vec<u8>, Option<AudioFormat>, usize) {
        let parts: Vec<Result<bytes::Bytes, BlobError>> = file
            .chunks(part)
            .map(|part| Ok(bytes::Bytes::copy_from_slice(part)))
            .collect();
        let mut stream: ByteStream = Box::pin(stream::iter(parts));
        let (head, sniffed) = sniff_stream(&mut stream).await.unwrap();
        let mut rest = 0;
        while let Some(part) = stream.next().await {
            rest += part.unwrap().len();
        }
        (head, sniffed.format(), rest)
    }

    #[tokio::test]
    async fn of_a_stream_no_more_is_held_than_tells_what_it_is() {
        // The pictures in front of the music do not matter, however the bytes come.
        let mut mp3 = b"ID3\x03\0\0\0\x06\0\0".to_vec();
        mp3.resize(200_000, b'p');
        for part in [1_000, 4_096, 65_536, 1 << 20] {
            let (head, format, rest) = sniffed(&mp3, part).await;
            assert_eq!(format, Some(AudioFormat::Mp3), "{part}");
            assert!(head.len() < 4_096 + part);
            assert_eq!(head.len() + rest, mp3.len());
        }
        // An index of half a megabyte, and one that never ends.
        for (samples, expected) in [(500_000, Some(AudioFormat::M4a)), (1_100_000, None)] {
            let mut file = [ftyp(), index(samples)].concat();
            file.resize(file.len() + 100_000, 7);
            for part in [1_000, 1 << 20] {
                let (head, format, rest) = sniffed(&file, part).await;
                assert_eq!(format, expected, "{samples} in {part}");
                assert!(head.len() as u64 <= MAX_HEAD_BYTES + part as u64);
                assert!(file.starts_with(&head));
                assert_eq!(head.len() + rest, file.len());
            }
        }
        let short = ftyp();
        assert_eq!(sniffed(&short, 7).await, (short, None, 0));
    }
}
