//! Playback of a sealed recording beside that of a plain file, in MB/s: `cargo bench -p ringfence-sealing`.
//!
//! A recording of two hours (115 MB of 8 kHz, 16 bits) lies in a file as it is, in an embedded store, which
//! encrypts it, and there once more sealed by the client, so that it is opened twice. Each way it is read
//! whole, and in ranges of 256 KiB from all over, as a player that seeks does; then the cipher alone over
//! chunks in memory. Best of five runs, one thread of execution for the async side.
//! `MEGABYTES` and `FOLDER` change the defaults.

#![allow(clippy::cast_precision_loss, reason = "rates to read, not to count on")]
#![allow(missing_docs, reason = "a program")]
#![allow(clippy::too_many_lines, reason = "one run after the other")]

use std::{
    fs::File, io::Write as _, ops::Range, os::unix::fs::FileExt as _, path::PathBuf, sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ringfence_embedded::{Embedded, FileBlobs, Options};
use ringfence_ports::{BlobMeta, Blobs as _, ByteStream, SystemClock, SystemRandom};
use ringfence_sealing::{CHUNK, DataKey, read, seal};

const CONTEXT: &str = "acc_1/recording/rec_1";
const RANGE: u64 = 256 * 1024;

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn audio(bytes: u64) -> ByteStream {
    let piece = Bytes::from((0..=255).cycle().take(256 * 1024).collect::<Vec<u8>>());
    let mut left = usize::try_from(bytes).unwrap();
    Box::pin(stream::iter(std::iter::from_fn(move || {
        let length = left.min(piece.len());
        left -= length;
        (length > 0).then(|| Ok(piece.slice(..length)))
    })))
}

async fn drain(mut bytes: ByteStream) -> u64 {
    let mut sum = 0;
    while let Some(piece) = bytes.next().await {
        sum += piece.unwrap().len() as u64;
    }
    sum
}

/// Ranges from all over, as many as make up the whole.
fn seeks(length: u64) -> impl Iterator<Item = Range<u64>> {
    let count = length / RANGE;
    (0..count).map(move |n| {
        let start = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (length - RANGE);
        start..start + RANGE
    })
}

async fn best(name: &str, mut run: impl AsyncFnMut() -> u64) -> f64 {
    let mut best = 0.0_f64;
    for _ in 0..5 {
        let started = Instant::now();
        let bytes = run().await;
        best = best.max(bytes as f64 / 1e6 / started.elapsed().as_secs_f64());
    }
    println!("{name:<40} {best:>8.0} MB/s");
    best
}

/// A range of a file, in pieces of [`RANGE`], each read where it holds up nobody.
async fn read_file(file: &Arc<File>, range: Range<u64>) -> u64 {
    let mut sum = 0;
    for start in range.clone().step_by(usize::try_from(RANGE).unwrap()) {
        let (file, end) = (Arc::clone(file), range.end.min(start + RANGE));
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; usize::try_from(end - start).unwrap()];
            file.read_exact_at(&mut piece, start).unwrap();
            Bytes::from(piece)
        });
        sum += read.await.unwrap().len() as u64;
    }
    sum
}

async fn put(blobs: &FileBlobs, key: &str, bytes: ByteStream) {
    let meta = BlobMeta {
        content_type: "audio/wav".to_owned(),
        ..BlobMeta::default()
    };
    blobs.put(key, meta, bytes).await.unwrap();
}

fn main() {
    let length =
        setting("MEGABYTES").map_or(115_200_000, |n| n.parse::<u64>().unwrap() * 1_000_000);
    let folder = setting("FOLDER").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("ringfence-playback-{}", std::process::id()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = Embedded::open(&folder, &Options::default(), Arc::new(SystemClock)).unwrap();
        let (blobs, random) = (store.blobs(), SystemRandom::new());
        let key = DataKey::generate(&random);
        let path = folder.join("plain");
        let mut file = File::create(&path).unwrap();
        let started = Instant::now();
        let mut bytes = audio(length);
        while let Some(piece) = bytes.next().await {
            file.write_all(&piece.unwrap()).unwrap();
        }
        file.sync_all().unwrap();
        println!(
            "stored in a plain file     {:>8.0} MB/s",
            length as f64 / 1e6 / started.elapsed().as_secs_f64()
        );
        let file = Arc::new(File::open(&path).unwrap());
        let started = Instant::now();
        put(&blobs, "object", audio(length)).await;
        println!(
            "stored as an object        {:>8.0} MB/s",
            length as f64 / 1e6 / started.elapsed().as_secs_f64()
        );
        let started = Instant::now();
        let sealed = seal(&key, CONTEXT, &random, audio(length)).unwrap();
        let header = sealed.header;
        put(&blobs, "sealed", sealed.bytes).await;
        println!(
            "stored as a sealed object  {:>8.0} MB/s",
            length as f64 / 1e6 / started.elapsed().as_secs_f64()
        );
        let kept = Some((header.as_slice(), ringfence_sealing::sealed_length(length)));
        let sealed = async |range| {
            read(&*blobs, "sealed", &key, CONTEXT, kept, range)
                .await
                .unwrap()
                .1
        };
        let object = async |range| blobs.get("object", range).await.unwrap().1;

        let whole_plain = best("plain file, whole", async || read_file(&file, 0..length).await).await;
        let whole_object = best("object, whole", async || drain(object(None).await).await).await;
        let whole_sealed = best("sealed object, whole", async || drain(sealed(None).await).await).await;
        let seek_plain = best("plain file, ranges of 256 KiB", async || {
            let mut sum = 0;
            for range in seeks(length) {
                sum += read_file(&file, range).await;
            }
            sum
        })
        .await;
        let seek_object = best("object, ranges of 256 KiB", async || {
            let mut sum = 0;
            for range in seeks(length) {
                sum += drain(object(Some(range)).await).await;
            }
            sum
        })
        .await;
        let seek_sealed = best("sealed object, ranges of 256 KiB", async || {
            let mut sum = 0;
            for range in seeks(length) {
                sum += drain(sealed(Some(range)).await).await;
            }
            sum
        })
        .await;
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
        let mut chunk = vec![0; CHUNK];
        cipher
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key([0; 12]),
                Aad::empty(),
                &mut chunk,
            )
            .unwrap();
        let mut work = chunk.clone();
        let alone = best("the cipher alone, in memory", async || {
            let mut sum = 0;
            while sum < length {
                work.copy_from_slice(&chunk);
                let nonce = Nonce::assume_unique_for_key([0; 12]);
                sum += cipher
                    .open_in_place(nonce, Aad::empty(), &mut work)
                    .unwrap()
                    .len() as u64;
            }
            sum
        })
        .await;
        println!(
            "over the plain file: object whole {:.2}, ranges {:.2}; sealed object whole {:.2}, ranges {:.2}\n\
             over the cipher alone: object whole {:.2}, sealed object whole {:.2}",
            whole_object / whole_plain,
            seek_object / seek_plain,
            whole_sealed / whole_plain,
            seek_sealed / seek_plain,
            whole_object / alone,
            whole_sealed / alone
        );
    });
    let _ = std::fs::remove_dir_all(&folder);
}
