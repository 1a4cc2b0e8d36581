//! Opening a data folder: what goes well, and one clear error for each thing that does not.

mod common;

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;

use common::{Folder, QUEUE, Recorder, message};
use ringfence_embedded::{Embedded, KeyFileError, OpenError, Options, Pump, PumpOptions};
use ringfence_ports::contract::TestClock;
use ringfence_ports::{
    Key, Keys as _, Op, Put, Query, Queue as _, StoreError, Table as _, Unit, When,
};

fn put(sk: &str, doc: &str) -> Unit {
    Unit {
        ops: vec![Op::Put(Put::new(Key::new("p", sk), doc, When::Absent))],
        sends: Vec::new(),
    }
}

fn open(folder: &Folder) -> Result<Embedded, OpenError> {
    Embedded::open(
        folder.path(),
        &Options::default(),
        Arc::new(TestClock::default()),
    )
}

fn mode(folder: &Folder, file: &str) -> u32 {
    std::fs::metadata(folder.path().join(file))
        .unwrap()
        .permissions()
        .mode()
        & 0o777
}

#[tokio::test]
async fn a_new_folder_is_private_and_what_is_written_stays() {
    let folder = Folder::new();
    let clock = TestClock::default();
    let store = folder.open(&clock);
    store.commit(put("a", "1")).await.unwrap();
    let sealed = store.keys().seal("context", b"secret").await.unwrap();
    for file in [
        "lock",
        "ringfence.db",
        "ringfence.db-wal",
        "ringfence.db-shm",
        "keys/master.key",
    ] {
        assert_eq!(mode(&folder, file), 0o600, "{file}");
    }
    assert_eq!((mode(&folder, ""), mode(&folder, "keys")), (0o700, 0o700));
    drop(store);
    let store = folder.open(&clock);
    assert_eq!(
        store.get(&Key::new("p", "a")).await.unwrap().unwrap().doc,
        "1"
    );
    assert_eq!(
        store.keys().open("context", &sealed).await.unwrap(),
        b"secret"
    );
}

#[test]
fn a_second_one_is_told_who_holds_it() {
    let folder = Folder::new();
    let store = open(&folder).unwrap();
    let error = open(&folder).unwrap_err();
    assert!(matches!(&error, OpenError::Held { folder: held } if held == folder.path()));
    assert!(error.to_string().ends_with("is in use by another process"));
    drop(store);
    open(&folder).unwrap();
}

/// The part of the next test that runs as another process.
#[test]
#[ignore = "started by a_folder_held_by_another_process"]
fn tries_to_open() {
    let folder = std::env::var_os("TRY_FOLDER").expect("the folder");
    let clock = Arc::new(TestClock::default());
    let error = Embedded::open(folder.as_ref(), &Options::default(), clock).unwrap_err();
    assert!(matches!(error, OpenError::Held { .. }));
}

#[test]
fn a_folder_held_by_another_process() {
    let folder = Folder::new();
    let _store = open(&folder).unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tries_to_open", "--ignored"])
        .env("TRY_FOLDER", folder.path())
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn a_file_is_not_a_folder() {
    let folder = Folder::new();
    std::fs::write(folder.path(), "x").unwrap();
    assert!(matches!(open(&folder), Err(OpenError::NotAFolder { .. })));
    std::fs::remove_file(folder.path()).unwrap();
}

#[test]
fn a_folder_that_cannot_be_made() {
    let clock = Arc::new(TestClock::default());
    let below_a_device = std::path::Path::new("/dev/null/data");
    let error = Embedded::open(below_a_device, &Options::default(), clock.clone()).unwrap_err();
    assert!(matches!(error, OpenError::NotAFolder { .. }), "{error}");
    let read_only = std::path::Path::new("/proc/ringfence");
    let error = Embedded::open(read_only, &Options::default(), clock).unwrap_err();
    assert!(matches!(error, OpenError::Unwritable { .. }), "{error}");
}

#[test]
fn a_newer_database_is_left_alone() {
    let folder = Folder::new();
    drop(open(&folder).unwrap());
    let database = rusqlite::Connection::open(folder.path().join("ringfence.db")).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    drop(database);
    assert!(matches!(
        open(&folder),
        Err(OpenError::Newer {
            found: 99,
            known: 3
        })
    ));
}

#[test]
fn a_damaged_database_is_named() {
    let folder = Folder::new();
    drop(open(&folder).unwrap());
    std::fs::write(
        folder.path().join("ringfence.db"),
        "not a database, ".repeat(1000),
    )
    .unwrap();
    let error = open(&folder).unwrap_err();
    assert!(
        matches!(&error, OpenError::Corrupt { file, .. } if file.ends_with("ringfence.db")),
        "{error}"
    );
}

#[test]
fn a_key_file_is_guarded() {
    let folder = Folder::new();
    drop(open(&folder).unwrap());
    let file = folder.path().join("keys/master.key");
    let key = std::fs::read(&file).unwrap();
    let is = |check: fn(&KeyFileError) -> bool| match open(&folder) {
        Err(OpenError::Key(error)) => assert!(check(&error), "{error}"),
        other => panic!("{other:?}"),
    };

    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    is(|error| matches!(error, KeyFileError::Exposed { mode: 0o640, .. }));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();

    for bytes in [&key[..31], &[], &[7; 33]] {
        std::fs::write(&file, bytes).unwrap();
        is(|error| matches!(error, KeyFileError::Damaged { .. }));
    }
    std::fs::remove_file(&file).unwrap();
    is(|error| matches!(error, KeyFileError::Missing { .. }));
    assert!(!file.exists(), "a lost key is never replaced");
    std::fs::write(&file, &key).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    drop(open(&folder).unwrap());
}

#[tokio::test]
async fn a_full_disk_is_told_and_survived() {
    let folder = Folder::new();
    let clock = TestClock::default();
    let options = Options {
        max_database_bytes: Some(400 * 1024),
        ..Options::default()
    };
    let store = Arc::new(folder.open_with(&options, &clock));
    let doc = "x".repeat(8 * 1024);
    let mut written = Vec::new();
    let mut refused = 0;
    for n in 0..100 {
        let mut unit = put(&n.to_string(), &doc);
        unit.sends = vec![message("g", &n.to_string())];
        match store.commit(unit).await {
            Ok(()) => written.push(n.to_string()),
            Err(StoreError::Unavailable(_)) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(
        written.len() > 10 && refused > 10,
        "{} written, {refused} refused",
        written.len()
    );
    for n in &written {
        assert!(
            store
                .get(&Key::new("p", n.as_str()))
                .await
                .unwrap()
                .is_some()
        );
    }

    // Callers that wait together get the same answer, and nothing of it is there.
    let together = (0..8).map(|n| {
        let (store, unit) = (
            Arc::clone(&store),
            put(&format!("together{n}"), &"y".repeat(300 * 1024)),
        );
        tokio::spawn(async move { store.commit(unit).await })
    });
    for caller in together.collect::<Vec<_>>() {
        assert!(matches!(
            caller.await.unwrap(),
            Err(StoreError::Unavailable(_))
        ));
    }

    // Room again: writes work again, and the messages are exactly those of the units that were written.
    for n in &written {
        let gone = Op::Delete(Key::new("p", n.as_str()), When::Present);
        store
            .commit(Unit {
                ops: vec![gone],
                sends: Vec::new(),
            })
            .await
            .unwrap();
    }
    store.commit(put("after", "1")).await.unwrap();
    let recorder = Arc::new(Recorder::default());
    let pump = Pump::new(&store, Arc::new(clock.clone()));
    let pump = pump.consumer(QUEUE, recorder.clone(), PumpOptions::default());
    assert_eq!(pump.drain().await, written.len());
    assert_eq!(recorder.bodies(), written);
    let rows = store.query(Query::partition("p")).await.unwrap().rows;
    assert_eq!(
        rows.iter()
            .map(|row| row.key.sk.as_str())
            .collect::<Vec<_>>(),
        ["after"]
    );
}

#[tokio::test]
async fn expired_rows_are_swept_out() {
    let folder = Folder::new();
    let clock = TestClock::default();
    let store = folder.open(&clock);
    let expires = ringfence_ports::Clock::now(&clock)
        .saturating_add(jiff::SignedDuration::from_secs(5))
        .unwrap();
    for n in 0..300 {
        let mut row = Put::new(Key::new("p", n.to_string()), "1", When::Absent);
        row.expires_at = (n < 290).then_some(expires);
        store
            .commit(Unit {
                ops: vec![Op::Put(row)],
                sends: Vec::new(),
            })
            .await
            .unwrap();
    }
    store
        .count(&Key::new("c", "1"), 1, None, Some(expires))
        .await
        .unwrap();
    assert_eq!(store.purge().await.unwrap(), 0);
    clock.set(expires);
    assert_eq!(store.purge().await.unwrap(), 291);
    drop(store);
    let database = rusqlite::Connection::open(folder.path().join("ringfence.db")).unwrap();
    let left: i64 = database
        .query_row("SELECT count(*) FROM rows", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 10);
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let folder = Folder::new();
    let store = folder.open(&TestClock::default());
    store.send(vec![message("g", "1")]).await.unwrap();
    let pump = Pump::new(&store, Arc::new(TestClock::default()));
    drop(store);
    // Its handle outlives it, and finds nothing to do rather than hanging.
    assert_eq!(pump.drain().await, 0);
}
