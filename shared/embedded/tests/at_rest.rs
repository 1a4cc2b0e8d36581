//! What lies in the data folder is of no use without the key file, and what was changed there is never
//! given out.

mod common;

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use common::Folder;
use futures_util::{StreamExt as _, stream};
use ringfence_embedded::{Embedded, FileBlobs};
use ringfence_ports::contract::TestClock;
use ringfence_ports::{BlobError, BlobMeta, Blobs as _, ByteStream};

const CHUNK: usize = 64 * 1024;
const HEADER: usize = 51;
const TAG: usize = 16;

/// A second and a half of noise, 16 bits at 44.1 kHz: no part of it looks like another.
fn wav() -> Vec<u8> {
    let samples = 66_150_u32;
    let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    file.extend(44_100_u32.to_le_bytes());
    file.extend(88_200_u32.to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend((samples * 2).to_le_bytes());
    let mut state = 1_u64;
    for _ in 0..samples {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        file.extend(&state.to_be_bytes()[..2]);
    }
    file
}

fn pieces(bytes: &[u8]) -> ByteStream {
    let pieces: Vec<_> = bytes
        .chunks(10_000)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    Box::pin(stream::iter(pieces))
}

fn meta() -> BlobMeta {
    BlobMeta {
        content_type: "audio/wav".to_owned(),
        ..BlobMeta::default()
    }
}

async fn put(blobs: &FileBlobs, key: &str, bytes: &[u8]) {
    blobs.put(key, meta(), pieces(bytes)).await.unwrap();
}

/// What came before the first error, and that.
async fn get(
    blobs: &FileBlobs,
    key: &str,
    range: Option<std::ops::Range<u64>>,
) -> (Vec<u8>, Option<BlobError>) {
    let mut bytes = match blobs.get(key, range).await {
        Ok((_, bytes)) => bytes,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let mut all = Vec::new();
    while let Some(piece) = bytes.next().await {
        match piece {
            Ok(piece) => all.extend_from_slice(&piece),
            Err(error) => return (all, Some(error)),
        }
    }
    (all, None)
}

/// Every file of the folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

fn database(folder: &Folder) -> rusqlite::Connection {
    rusqlite::Connection::open(folder.path().join("ringfence.db")).unwrap()
}

/// The file that holds an object.
fn file(folder: &Folder, key: &str) -> PathBuf {
    let name: String = database(folder)
        .query_row("SELECT file FROM blobs WHERE key = ?1", [key], |row| {
            row.get(0)
        })
        .unwrap();
    folder.path().join("blobs").join(&name[..2]).join(name)
}

#[tokio::test]
async fn no_part_of_a_recording_lies_in_the_data_folder() {
    let folder = Folder::new();
    let store = folder.open(&TestClock::default());
    let (blobs, wav) = (store.blobs(), wav());
    put(&blobs, "put", &wav).await;
    let (meta, bytes) = (meta(), pieces(&wav));
    blobs.receive("uploaded", meta, bytes).await.unwrap();
    for key in ["put", "uploaded"] {
        assert_eq!(get(&blobs, key, None).await, (wav.clone(), None), "{key}");
    }
    // Eight bytes of its sound or of its head, wherever they begin.
    let sound = &wav[48..];
    let mut parts: HashSet<&[u8]> = sound.chunks_exact(8).collect();
    parts.extend([&wav[..8], &wav[8..16]]);
    let shows = |bytes: &[u8]| bytes.windows(8).any(|part| parts.contains(part));
    assert!(
        shows(&wav[..20]) && shows(&wav[5_003..5_020]),
        "it would be seen"
    );
    let found = files(folder.path());
    let in_blobs = found
        .iter()
        .filter(|path| path.starts_with(folder.path().join("blobs")));
    assert_eq!(in_blobs.count(), 2);
    for path in found {
        let bytes = fs::read(&path).unwrap();
        assert!(!shows(&bytes), "{}", path.display());
    }
    // The same audio does not even look alike twice.
    let first = fs::read(file(&folder, "put")).unwrap();
    let second = fs::read(file(&folder, "uploaded")).unwrap();
    assert_eq!(first.len(), second.len());
    assert_ne!(first[HEADER..], second[HEADER..]);
}

#[tokio::test]
async fn what_is_told_of_an_object_is_told_of_its_plain_bytes() {
    let folder = Folder::new();
    let store = folder.open(&TestClock::default());
    let blobs = store.blobs();
    for length in [
        0,
        1,
        CHUNK - 1,
        CHUNK,
        CHUNK + 1,
        4 * CHUNK,
        4 * CHUNK + 1,
        9 * CHUNK,
    ] {
        let bytes: Vec<u8> = wav().into_iter().cycle().take(length).collect();
        let key = length.to_string();
        put(&blobs, &key, &bytes).await;
        let head = blobs.head(&key).await.unwrap();
        assert_eq!(head.length, length as u64);
        let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
        assert_eq!(head.sha256.unwrap(), *digest.as_ref());
        assert_eq!(
            get(&blobs, &key, None).await,
            (bytes.clone(), None),
            "{length}"
        );
        let sealed = fs::metadata(file(&folder, &key)).unwrap().len();
        let chunks = length.div_ceil(CHUNK).max(1);
        assert_eq!(sealed, (HEADER + length + chunks * TAG) as u64);
        // Over every seam of chunks and of what is read at once.
        for seam in (0..=length).step_by(CHUNK) {
            let range = seam.saturating_sub(3)..(seam + 3).min(length);
            if range.is_empty() {
                continue;
            }
            let asked = range.start as u64..range.end as u64;
            let got = get(&blobs, &key, Some(asked)).await;
            assert_eq!(got, (bytes[range].to_vec(), None), "{length}, at {seam}");
        }
    }
    let listed = blobs.list("", None).await.unwrap().items;
    assert!(
        listed
            .iter()
            .all(|item| item.key == item.length.to_string())
    );
}

#[tokio::test]
async fn a_damaged_file_is_never_audio() {
    let folder = Folder::new();
    let store = folder.open(&TestClock::default());
    let blobs = store.blobs();
    let bytes: Vec<u8> = wav().into_iter().cycle().take(9 * CHUNK + 5).collect();
    put(&blobs, "a", &bytes).await;
    let path = file(&folder, "a");
    let good = fs::read(&path).unwrap();
    let write = |bytes: &[u8]| fs::write(&path, bytes).unwrap();
    let at = |chunk: usize| HEADER + chunk * (CHUNK + TAG);

    // Every field of the header, and a byte of each chunk and its tag.
    for place in (0..HEADER).chain((0..10).flat_map(|chunk| [at(chunk), at(chunk) + 4])) {
        let mut changed = good.clone();
        changed[place] ^= 0x20;
        write(&changed);
        let (before, error) = get(&blobs, "a", None).await;
        assert_eq!(error, Some(BlobError::Damaged), "byte {place}");
        assert!(
            bytes.starts_with(&before),
            "byte {place}: what came before is right"
        );
    }
    // Others chunks are not touched by one that is damaged, and are not looked at either.
    let mut changed = good.clone();
    changed[at(6) + 100] ^= 1;
    write(&changed);
    let chunk = CHUNK as u64;
    for (range, is_touched) in [
        (0..6 * chunk, false),
        (6 * chunk - 1..6 * chunk + 1, true),
        (7 * chunk - 1..7 * chunk, true),
        (7 * chunk..9 * chunk + 5, false),
    ] {
        let (got, error) = get(&blobs, "a", Some(range.clone())).await;
        assert_eq!(error.is_some(), is_touched, "{range:?}");
        let start = usize::try_from(range.start).unwrap();
        assert!(bytes[start..].starts_with(&got));
        assert_eq!(got.len() as u64 == range.end - range.start, !is_touched);
    }
    // Cut short, at a seam too, emptied, or longer.
    for length in [0, 1, HEADER, at(1), at(9), good.len() - 1] {
        write(&good[..length]);
        assert_eq!(
            get(&blobs, "a", Some(0..1)).await,
            (Vec::new(), Some(BlobError::Damaged))
        );
    }
    write(&[good.as_slice(), &[0; 7]].concat());
    assert_eq!(
        get(&blobs, "a", Some(0..1)).await,
        (Vec::new(), Some(BlobError::Damaged))
    );
    // Two chunks that changed places.
    let mut swapped = good.clone();
    let (first, second) = swapped[at(0)..at(2)].split_at_mut(CHUNK + TAG);
    first.swap_with_slice(second);
    write(&swapped);
    assert_eq!(
        get(&blobs, "a", None).await,
        (Vec::new(), Some(BlobError::Damaged))
    );
    // In the clear, as it would be without any of this.
    write(&bytes);
    assert_eq!(
        get(&blobs, "a", None).await,
        (Vec::new(), Some(BlobError::Damaged))
    );
    write(&good);
    assert_eq!(get(&blobs, "a", None).await, (bytes, None));
    fs::remove_file(&path).unwrap();
    assert_eq!(
        get(&blobs, "a", None).await,
        (Vec::new(), Some(BlobError::Damaged))
    );
}

#[tokio::test]
async fn a_file_or_a_key_of_another_object_is_refused() {
    let folder = Folder::new();
    let store = folder.open(&TestClock::default());
    let blobs = store.blobs();
    put(&blobs, "a", b"the one").await;
    put(&blobs, "b", b"another").await;
    let (a, b) = (file(&folder, "a"), file(&folder, "b"));
    let swap = || {
        let (in_a, in_b) = (fs::read(&a).unwrap(), fs::read(&b).unwrap());
        fs::write(&a, in_b).unwrap();
        fs::write(&b, in_a).unwrap();
    };
    swap();
    for key in ["a", "b"] {
        assert_eq!(get(&blobs, key, None).await.1, Some(BlobError::Damaged));
    }
    // With their keys: each is bound to the object that it was made for.
    drop(store);
    let swapped = "UPDATE blobs SET wrapped_key = CASE key WHEN 'a' THEN ?2 ELSE ?1 END";
    let database = database(&folder);
    let wrapped = |key: &str| -> Vec<u8> {
        let sql = "SELECT wrapped_key FROM blobs WHERE key = ?1";
        database.query_row(sql, [key], |row| row.get(0)).unwrap()
    };
    database
        .execute(swapped, [wrapped("a"), wrapped("b")])
        .unwrap();
    drop(database);
    let store = folder.open(&TestClock::default());
    for key in ["a", "b"] {
        assert_eq!(
            get(&store.blobs(), key, None).await.1,
            Some(BlobError::Damaged)
        );
    }
}

#[tokio::test]
async fn without_the_key_file_there_is_nothing_to_hear() {
    let folder = Folder::new();
    let store = folder.open(&TestClock::default());
    put(&store.blobs(), "a", &wav()).await;
    drop(store);
    // Somebody has the folder, and no key but one of their own.
    fs::write(folder.path().join("keys/master.key"), [7; 32]).unwrap();
    let store = folder.open(&TestClock::default());
    let got = get(&store.blobs(), "a", None).await;
    assert_eq!(got, (Vec::new(), Some(BlobError::Damaged)));
}

/// A data folder as the versions before this one left it: two steps of the schema, a file in the clear.
fn old_folder(bytes: &[u8]) -> Folder {
    let folder = Folder::new();
    fs::create_dir_all(folder.path().join("keys")).unwrap();
    let private = |path: &str, bytes: &[u8]| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600);
        std::io::Write::write_all(&mut file.open(path).unwrap(), bytes).unwrap();
    };
    private("keys/master.key", &[7; 32]);
    let name = "ab".repeat(16);
    private(&format!("blobs/ab/{name}"), bytes);
    let database = database(&folder);
    database
        .execute_batch(concat!(
            include_str!("../src/schema.sql"),
            include_str!("../src/blobs.sql")
        ))
        .unwrap();
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    database
        .execute(
            "INSERT INTO blobs (key, file, length, content_type, sha256, stored) \
             VALUES ('old', ?1, ?2, 'audio/wav', ?3, 0)",
            rusqlite::params![name, bytes.len().cast_signed(), digest.as_ref()],
        )
        .unwrap();
    database.pragma_update(None, "user_version", 2).unwrap();
    folder
}

#[tokio::test]
async fn what_earlier_versions_stored_stays_readable() {
    let wav = wav();
    let folder = old_folder(&wav);
    let store: Embedded = folder.open(&TestClock::default());
    let blobs = store.blobs();
    assert_eq!(get(&blobs, "old", None).await, (wav.clone(), None));
    assert_eq!(
        get(&blobs, "old", Some(70_000..70_009)).await,
        (wav[70_000..70_009].to_vec(), None)
    );
    assert_eq!(blobs.remove_orphans().await, Ok(0));
    // Stored anew, it is encrypted like anything else.
    put(&blobs, "old", &wav).await;
    assert_eq!(get(&blobs, "old", None).await, (wav.clone(), None));
    let sealed = fs::read(file(&folder, "old")).unwrap();
    assert!(sealed.starts_with(b"RFSEAL"));
    // And cannot be put back into the clear behind Ringfence's back.
    fs::write(file(&folder, "old"), &wav).unwrap();
    assert_eq!(get(&blobs, "old", None).await.1, Some(BlobError::Damaged));
}
