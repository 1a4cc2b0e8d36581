//! What is sealed comes back, whole or in part, and what was changed never does.

use std::ops::Range;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use proptest::prelude::*;
use ringfence_ports::{
    BlobError, BlobMeta, Blobs as _, ByteStream, contract::TestClock, contract::TestRandom,
};
use ringfence_sealing::{
    CHUNK, DataKey, HEADER_BYTES, Opener, SealingError, read, seal, sealed_length,
};

const CONTEXT: &str = "acc_1/recording/rec_1";
const SEALED_CHUNK: usize = CHUNK + 16;

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(work)
}

fn key(seed: u64) -> DataKey {
    DataKey::generate(&TestRandom::new(seed))
}

/// Bytes that tell their place.
fn plain(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| (at.wrapping_mul(0x9e37_79b9) >> 13).to_le_bytes()[0])
        .collect()
}

/// In pieces of this size.
fn pieces(bytes: &[u8], size: usize) -> ByteStream {
    let pieces: Vec<_> = bytes
        .chunks(size)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    Box::pin(stream::iter(pieces))
}

/// What came before the first error, and that.
async fn collect(mut bytes: ByteStream) -> (Vec<u8>, Option<BlobError>) {
    let mut all = Vec::new();
    while let Some(piece) = bytes.next().await {
        match piece {
            Ok(piece) => all.extend_from_slice(&piece),
            Err(error) => {
                assert!(bytes.next().await.is_none(), "nothing follows an error");
                return (all, Some(error));
            }
        }
    }
    (all, None)
}

async fn sealed(plain: &[u8], seed: u64, context: &str, size: usize) -> Vec<u8> {
    let sealed = seal(
        &key(seed),
        context,
        &TestRandom::new(seed + 100),
        pieces(plain, size),
    )
    .unwrap();
    let (bytes, error) = collect(sealed.bytes).await;
    assert_eq!(error, None);
    assert_eq!(bytes[..HEADER_BYTES], sealed.header);
    bytes
}

/// Opens a range from the bytes that it names.
async fn open(
    file: &[u8],
    context: &str,
    range: Range<u64>,
    size: usize,
) -> Result<(Vec<u8>, Option<BlobError>), SealingError> {
    let opener = Opener::new(
        &key(1),
        context,
        &file[..HEADER_BYTES.min(file.len())],
        file.len() as u64,
    )?;
    let needed = opener.sealed_range(&range)?;
    let needed =
        &file[usize::try_from(needed.start).unwrap()..usize::try_from(needed.end).unwrap()];
    let at_once = opener.open_at_once(range.clone(), needed.to_vec());
    let streamed = collect(opener.open(range, pieces(needed, size))?).await;
    // Both ways tell the same.
    match (at_once, &streamed) {
        (Ok(bytes), (expected, None)) => assert_eq!(bytes, *expected),
        (Err(SealingError::Blob(BlobError::Damaged)), (_, Some(BlobError::Damaged))) => {}
        (at_once, _) => panic!("{:?} at once, {:?} streamed", at_once.err(), streamed.1),
    }
    Ok(streamed)
}

async fn open_all(
    file: &[u8],
    context: &str,
) -> Result<(Vec<u8>, Option<BlobError>), SealingError> {
    let opener = Opener::new(
        &key(1),
        context,
        &file[..HEADER_BYTES.min(file.len())],
        file.len() as u64,
    )?;
    open(file, context, 0..opener.plain_length(), 4096).await
}

/// It did not come back: neither whole, nor with a byte that is another.
async fn is_refused(file: &[u8], plain: &[u8], what: &str) {
    match open_all(file, CONTEXT).await {
        Err(_) => {}
        Ok((bytes, error)) => {
            assert_eq!(error, Some(BlobError::Damaged), "{what}");
            assert!(
                plain.starts_with(&bytes),
                "{what}: what came before is right"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_range_is_the_plain_bytes(
        length in prop_oneof![0..300_usize, (1..4_usize, 0..5_usize).prop_map(|(n, off)| n * CHUNK + off - 2), 0..4 * CHUNK],
        start in any::<prop::sample::Index>(),
        span in prop_oneof![1..40_usize, 1..5 * CHUNK],
        in_size in 1..200_000_usize,
        out_size in 1..200_000_usize,
    ) {
        let plain = plain(length);
        run(async {
            let file = sealed(&plain, 1, CONTEXT, in_size).await;
            assert_eq!(file.len() as u64, sealed_length(length as u64));
            assert_eq!(open_all(&file, CONTEXT).await, Ok((plain.clone(), None)));
            if length == 0 {
                let refused = open(&file, CONTEXT, 0..1, 1).await;
                assert_eq!(refused, Err(SealingError::Range { length: 0 }));
                return;
            }
            let start = start.index(length);
            let end = start + span;
            let got = open(&file, CONTEXT, start as u64..end as u64, out_size).await;
            assert_eq!(got, Ok((plain[start..end.min(length)].to_vec(), None)));
        });
    }

    #[test]
    fn any_changed_byte_is_noticed(
        length in prop_oneof![0..200_usize, CHUNK - 1..CHUNK + 2, 0..3 * CHUNK],
        at in any::<prop::sample::Index>(),
        mask in 1..=255_u8,
    ) {
        let plain = plain(length);
        run(async {
            let mut file = sealed(&plain, 1, CONTEXT, 10_000).await;
            let at = at.index(file.len());
            file[at] ^= mask;
            is_refused(&file, &plain, "changed").await;
            // A range of another chunk is not touched by it, unless the header is.
            if at >= HEADER_BYTES && length > 0 {
                let chunk = (at - HEADER_BYTES) / SEALED_CHUNK;
                for other in (0..length.div_ceil(CHUNK)).filter(|other| *other != chunk) {
                    let range = other * CHUNK..((other + 1) * CHUNK).min(length);
                    let got = open(&file, CONTEXT, range.start as u64..range.end as u64, 4096).await;
                    assert_eq!(got, Ok((plain[range].to_vec(), None)));
                }
            }
        });
    }

    #[test]
    fn any_other_length_is_noticed(length in 0..3 * CHUNK, cut in 1..3 * CHUNK, add in 1..100_usize) {
        let plain = plain(length);
        run(async {
            let file = sealed(&plain, 1, CONTEXT, 10_000).await;
            is_refused(&file[..file.len().saturating_sub(cut)], &plain, "cut").await;
            is_refused(&[file.as_slice(), &vec![0; add]].concat(), &plain, "longer").await;
        });
    }
}

#[test]
fn a_chunk_belongs_to_its_place_and_file() {
    run(async {
        let plain = plain(4 * CHUNK);
        let file = sealed(&plain, 1, CONTEXT, 100_000).await;
        let (header, chunks) = file.split_at(HEADER_BYTES);
        let chunks: Vec<&[u8]> = chunks.chunks(SEALED_CHUNK).collect();
        let made_of = |order: &[&[u8]]| [header, &order.concat()].concat();
        assert_eq!(
            open_all(&made_of(&chunks), CONTEXT).await,
            Ok((plain.clone(), None))
        );
        let [a, b, c, d] = chunks[..] else {
            panic!("four chunks")
        };
        for (order, what) in [
            (vec![b, a, c, d], "swapped"),
            (vec![a, b, d, c], "the last one swapped"),
            (vec![a, b, c], "without the last"),
            (vec![a, c, d], "without one"),
            (vec![a, b, b, c, d], "one twice"),
            (vec![a, b, c, d, d], "the last twice"),
            (vec![a, a, c, d], "one instead of another"),
        ] {
            is_refused(&made_of(&order), &plain, what).await;
        }
        // The same recording sealed again, under the same key: another file all the same.
        let again = seal(&key(1), CONTEXT, &TestRandom::new(9), pieces(&plain, CHUNK)).unwrap();
        let (again, _) = collect(again.bytes).await;
        let foreign = &again[HEADER_BYTES + SEALED_CHUNK..][..SEALED_CHUNK];
        assert_ne!(foreign, b);
        is_refused(&made_of(&[a, foreign, c, d]), &plain, "foreign").await;
    });
}

#[test]
fn it_opens_under_its_key_and_context_alone() {
    run(async {
        let plain = plain(1000);
        let damaged = Ok((Vec::new(), Some(BlobError::Damaged)));
        let other_key = sealed(&plain, 2, CONTEXT, 100).await;
        assert_eq!(open_all(&other_key, CONTEXT).await, damaged);
        let file = sealed(&plain, 1, CONTEXT, 100).await;
        for context in [
            "",
            "acc_1/recording/rec_2",
            "acc_2/recording/rec_1",
            "acc_1/recording/rec_1 ",
        ] {
            assert_eq!(open_all(&file, context).await, damaged, "{context}");
        }
    });
}

#[test]
fn what_is_no_sealed_recording_is_told_at_once() {
    run(async {
        assert_eq!(
            open_all(b"RIFF....WAVE", CONTEXT).await,
            Err(SealingError::Header)
        );
        assert_eq!(open_all(b"", CONTEXT).await, Err(SealingError::Header));
        let mut newer = sealed(b"abc", 1, CONTEXT, 3).await;
        newer[6] = 2;
        assert_eq!(open_all(&newer, CONTEXT).await, Err(SealingError::Header));
    });
}

#[test]
fn an_error_of_the_sender_is_passed_on() {
    run(async {
        let lost = BlobError::Unavailable("the sender went away".to_owned());
        let broken: ByteStream = Box::pin(stream::iter([
            Ok(Bytes::from(vec![1; 100_000])),
            Err(lost.clone()),
        ]));
        let sealed = seal(&key(1), CONTEXT, &TestRandom::new(1), broken).unwrap();
        let (bytes, error) = collect(sealed.bytes).await;
        assert_eq!(error, Some(lost));
        // What went out by then does not pass for a recording.
        is_refused(&bytes, &plain(0), "broken off").await;
    });
}

#[test]
fn nothing_of_a_key_or_a_recording_is_shown() {
    let shown = format!("{:?}", key(1));
    assert_eq!(shown, "DataKey");
}

/// A store, a wrapped key and a recording in it.
#[tokio::test]
async fn a_recording_is_played_from_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let clock = std::sync::Arc::new(TestClock::default());
    let store = ringfence_embedded::Embedded::open(
        folder.path(),
        &ringfence_embedded::Options::default(),
        clock,
    )
    .unwrap();
    let (blobs, keys) = (store.blobs(), store.keys());
    let plain = plain(3 * CHUNK + 77);
    let data_key = key(1);
    let wrapped = data_key.wrap(&*keys, CONTEXT).await.unwrap();
    let recording = seal(
        &data_key,
        CONTEXT,
        &TestRandom::new(2),
        pieces(&plain, 9_999),
    )
    .unwrap();
    let meta = BlobMeta {
        content_type: "audio/wav".to_owned(),
        length: Some(sealed_length(plain.len() as u64)),
        ..BlobMeta::default()
    };
    let head = blobs.put("rec", meta, recording.bytes).await.unwrap();

    // Rewrapped; the audio stays as it is.
    let opened = DataKey::unwrap(&*keys, CONTEXT, &wrapped).await.unwrap();
    let rewrapped = opened.wrap(&*keys, CONTEXT).await.unwrap();
    assert_ne!(rewrapped, wrapped);
    let opened = DataKey::unwrap(&*keys, CONTEXT, &rewrapped).await.unwrap();
    assert!(
        DataKey::unwrap(&*keys, "acc_2/recording/rec_1", &rewrapped)
            .await
            .is_err()
    );

    let length = plain.len() as u64;
    for kept in [None, Some((recording.header.as_slice(), head.length))] {
        for range in [
            None,
            Some(0..1),
            Some(length - 5..length),
            Some(70_000..140_000),
            Some(5..u64::MAX),
        ] {
            let expected = range.clone().unwrap_or(0..length);
            let expected = usize::try_from(expected.start).unwrap()
                ..usize::try_from(expected.end.min(length)).unwrap();
            let (head, bytes) = read(&*blobs, "rec", &opened, CONTEXT, kept, range)
                .await
                .unwrap();
            assert_eq!(
                (head.length, head.content_type.as_str()),
                (length, "audio/wav")
            );
            assert_eq!(collect(bytes).await, (plain[expected].to_vec(), None));
        }
        for range in [length..length + 1, 3..3, u64::MAX - 1..u64::MAX] {
            let refused = read(&*blobs, "rec", &opened, CONTEXT, kept, Some(range)).await;
            assert_eq!(refused.err(), Some(SealingError::Range { length }));
        }
    }
    // Another file under that name, though it was sealed for this recording with this key.
    let other = seal(
        &data_key,
        CONTEXT,
        &TestRandom::new(3),
        pieces(&plain, CHUNK),
    )
    .unwrap();
    let meta = BlobMeta {
        content_type: "audio/wav".to_owned(),
        ..BlobMeta::default()
    };
    blobs.put("rec", meta, other.bytes).await.unwrap();
    let kept = Some((recording.header.as_slice(), head.length));
    let (_, bytes) = read(&*blobs, "rec", &opened, CONTEXT, kept, None)
        .await
        .unwrap();
    assert_eq!(collect(bytes).await, (Vec::new(), Some(BlobError::Damaged)));
}
