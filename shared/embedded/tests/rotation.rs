//! A second key in the key file: what is sealed from then on is under it, what was sealed before still opens.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use bytes::Bytes;
use common::Folder;
use futures_util::{StreamExt as _, stream};
use ringfence_embedded::{Embedded, FileKeys, KeyFileError, OpenError, WhenMissing};
use ringfence_ports::contract::{self, TestClock};
use ringfence_ports::{BlobMeta, Blobs, Keys as _, KeysError};

const CONTEXT: &str = "acc_1/secret/cdr";

fn key_file(folder: &Folder) -> PathBuf {
    folder.path().join("keys/master.key")
}

/// The keys of a file that holds just these.
fn keys_of(folder: &Folder, bytes: &[u8]) -> FileKeys {
    let file = folder.path().join("others.key");
    fs::write(&file, bytes).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    FileKeys::open(&file, WhenMissing::Refuse).unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

async fn put(store: &Embedded, key: &str, bytes: &'static [u8]) {
    let meta = BlobMeta {
        content_type: "audio/wav".to_owned(),
        ..BlobMeta::default()
    };
    let bytes = Box::pin(stream::iter([Ok(Bytes::from_static(bytes))]));
    store.blobs().put(key, meta, bytes).await.unwrap();
}

async fn get(store: &Embedded, key: &str) -> Vec<u8> {
    let (_, bytes) = store.blobs().get(key, None).await.unwrap();
    let pieces: Vec<Bytes> = bytes.map(Result::unwrap).collect().await;
    pieces.concat()
}

/// Every file of objects, by name.
fn audio(folder: &Folder) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for fan in fs::read_dir(folder.path().join("blobs")).unwrap() {
        for file in fs::read_dir(fan.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            files.push((path, bytes));
        }
    }
    files.sort();
    files
}

#[tokio::test]
async fn what_one_key_sealed_before_there_could_be_two_still_opens() {
    // Made apart from this code, by HKDF-SHA-256 and AES-256-GCM as FileKeys describes them.
    let sealed = unhex(concat!(
        "01000102030405060708090a0b4ddb84409a365423b9ae8d347b405a3bd98941",
        "ae7602ae801ecf2b46fb05e1f8354a4855f5c67caa884f7e"
    ));
    let mac = unhex("a6cf421bc0d050a817b39e7b57e3810ccdafb212dcf671c6cb4a19938716d374");
    let folder = Folder::new();
    fs::create_dir_all(folder.path()).unwrap();
    for file in [[7; 32].to_vec(), [[7; 32], [8; 32]].concat()] {
        let keys = keys_of(&folder, &file);
        let opened = keys.open(CONTEXT, &sealed).await.unwrap();
        assert_eq!(opened, b"whsec_of an earlier version");
        assert_eq!(keys.mac("link", b"data").await.unwrap()[..], mac);
    }
    let other = keys_of(&folder, &[8; 32]);
    assert_eq!(other.open(CONTEXT, &sealed).await, Err(KeysError::Refused));
}

#[tokio::test]
async fn a_rotation_seals_anew_and_loses_nothing() {
    let folder = Folder::new();
    let clock = TestClock::default();
    let store = folder.open(&clock);
    let before = store.keys().seal(CONTEXT, b"before").await.unwrap();
    let mac = store.keys().mac("link", b"data").await.unwrap();
    put(&store, "a", b"audio of before").await;
    drop(store);
    let old_file = fs::read(key_file(&folder)).unwrap();
    let old_audio = audio(&folder);

    let rotated = Embedded::rotate_key(folder.path()).unwrap();
    assert_eq!((rotated.keys, rotated.objects, rotated.damaged), (2, 1, 0));
    let file = fs::read(key_file(&folder)).unwrap();
    assert_eq!(file.len(), 64);
    assert!(
        file.starts_with(&old_file),
        "the old key stays, and stays first"
    );
    let mode = fs::metadata(key_file(&folder))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(audio(&folder), old_audio, "no byte of audio was touched");

    let store = folder.open(&clock);
    let keys = store.keys();
    contract::keys(&*keys).await;
    assert_eq!(keys.open(CONTEXT, &before).await.unwrap(), b"before");
    assert_eq!(keys.mac("link", b"data").await.unwrap(), mac);
    let after = keys.seal(CONTEXT, b"after").await.unwrap();
    assert_eq!(get(&store, "a").await, b"audio of before");
    put(&store, "b", b"audio of after").await;
    assert_eq!(get(&store, "b").await, b"audio of after");
    drop(store);

    // Which key it is under.
    let (old, new) = (keys_of(&folder, &file[..32]), keys_of(&folder, &file[32..]));
    assert_eq!(new.open(CONTEXT, &after).await.unwrap(), b"after");
    let old = keys_of(&folder, &file[..32])
        .open(CONTEXT, &after)
        .await
        .err()
        .zip(old.open(CONTEXT, &before).await.ok());
    assert_eq!(old, Some((KeysError::Refused, b"before".to_vec())));
}

#[tokio::test]
async fn objects_open_by_the_new_key_alone() {
    let folder = Folder::new();
    let clock = TestClock::default();
    let store = folder.open(&clock);
    put(&store, "a", b"audio").await;
    drop(store);
    Embedded::rotate_key(folder.path()).unwrap();
    let file = fs::read(key_file(&folder)).unwrap();
    for (keys, opens) in [(&file[32..], true), (&file[..32], false)] {
        fs::write(key_file(&folder), keys).unwrap();
        let store = folder.open(&clock);
        assert_eq!(store.blobs().get("a", None).await.is_ok(), opens);
    }
}

#[tokio::test]
async fn a_folder_that_a_process_holds_is_not_rotated() {
    let folder = Folder::new();
    let store = folder.open(&TestClock::default());
    let file = fs::read(key_file(&folder)).unwrap();
    let refused = Embedded::rotate_key(folder.path());
    assert!(
        matches!(refused, Err(OpenError::Held { .. })),
        "{refused:?}"
    );
    assert_eq!(fs::read(key_file(&folder)).unwrap(), file);
    drop(store);
    fs::remove_file(key_file(&folder)).unwrap();
    let refused = Embedded::rotate_key(folder.path());
    assert!(matches!(
        refused,
        Err(OpenError::Key(KeyFileError::Missing { .. }))
    ));
    assert!(!key_file(&folder).exists(), "a lost key is never replaced");
}

#[tokio::test]
async fn what_does_not_open_is_counted_and_left() {
    let folder = Folder::new();
    let clock = TestClock::default();
    let store = folder.open(&clock);
    for key in ["a", "b", "c"] {
        put(&store, key, b"audio").await;
    }
    drop(store);
    let database = rusqlite::Connection::open(folder.path().join("ringfence.db")).unwrap();
    let broken = "UPDATE blobs SET wrapped_key = x'0102' WHERE key = 'b'";
    database.execute(broken, []).unwrap();
    // And one that an earlier version stored in the clear.
    let clear = "UPDATE blobs SET wrapped_key = NULL WHERE key = 'c'";
    database.execute(clear, []).unwrap();
    drop(database);
    let rotated = Embedded::rotate_key(folder.path()).unwrap();
    assert_eq!((rotated.objects, rotated.damaged), (1, 1));
    assert_eq!(get(&folder.open(&clock), "a").await, b"audio");
}

#[test]
fn a_key_file_ends_somewhere() {
    let folder = Folder::new();
    drop(folder.open(&TestClock::default()));
    fs::write(key_file(&folder), [7; 63 * 32]).unwrap();
    assert_eq!(Embedded::rotate_key(folder.path()).unwrap().keys, 64);
    let refused = Embedded::rotate_key(folder.path());
    assert!(matches!(
        refused,
        Err(OpenError::Key(KeyFileError::Full { .. }))
    ));
    drop(folder.open(&TestClock::default()));
    for length in [65 * 32, 64 * 32 - 1, 33] {
        fs::write(key_file(&folder), vec![7; length]).unwrap();
        let refused = Embedded::rotate_key(folder.path());
        assert!(
            matches!(refused, Err(OpenError::Key(KeyFileError::Damaged { .. }))),
            "{length}"
        );
    }
}
