//! Killed at any moment, the store loses nothing that it acknowledged.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use common::{Folder, QUEUE, Recorder, message};
use futures_util::StreamExt as _;
use ringfence_embedded::{Embedded, Options, Pump, PumpOptions};
use ringfence_ports::contract::TestClock;
use ringfence_ports::{BlobId, BlobMeta, Blobs as _, Key, Op, Put, Table as _, Unit, When};

/// The process that is killed: writes without end, and says what was acknowledged.
#[test]
#[ignore = "started by killed_at_random"]
fn writes_until_killed() {
    let folder = std::env::var_os("CRASH_FOLDER").expect("the folder");
    let round = std::env::var("CRASH_ROUND").expect("the round");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let clock = Arc::new(TestClock::default());
        let store = Arc::new(Embedded::open(folder.as_ref(), &Options::default(), clock).unwrap());
        let callers = (0..8).map(|caller| {
            let (store, round) = (Arc::clone(&store), round.clone());
            tokio::spawn(async move {
                for n in 0.. {
                    let name = format!("{round}/{caller}/{n}");
                    let rows = ["a", "b"].map(|sk| {
                        Op::Put(Put::new(
                            Key::new(name.as_str(), sk),
                            "x".repeat(500),
                            When::Absent,
                        ))
                    });
                    let unit = Unit {
                        ops: rows.into(),
                        sends: vec![message(&format!("g{caller}"), &name)],
                    };
                    store.commit(unit).await.unwrap();
                    // One write to the pipe, whole or not at all.
                    let line = format!("ack {name}\n");
                    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.unwrap();
        }
    });
}

#[tokio::test]
async fn killed_at_random() {
    let folder = Folder::new();
    let clock = TestClock::default();
    let mut acknowledged = BTreeSet::new();
    for (round, acks) in [1, 40, 173, 390, 777].into_iter().enumerate() {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writes_until_killed", "--ignored", "--nocapture"])
            .env("CRASH_FOLDER", folder.path())
            .env("CRASH_ROUND", round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let name =
            |line: std::io::Result<String>| line.ok()?.strip_prefix("ack ").map(str::to_owned);
        acknowledged.extend(lines.by_ref().filter_map(name).take(acks));
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before it died counts as well.
        acknowledged.extend(lines.filter_map(name));
    }
    assert!(acknowledged.len() >= 1 + 40 + 173 + 390 + 777);

    let store = folder.open(&clock);
    for name in &acknowledged {
        for sk in ["a", "b"] {
            let row = store.get(&Key::new(name.as_str(), sk)).await.unwrap();
            assert!(row.is_some(), "{name}/{sk} was acknowledged");
        }
    }
    let recorder = Arc::new(Recorder::default());
    let pump = Pump::new(&store, Arc::new(clock.clone()));
    pump.consumer(QUEUE, recorder.clone(), PumpOptions::default())
        .drain()
        .await;
    let sent: BTreeSet<String> = recorder.bodies().into_iter().collect();
    assert!(
        acknowledged.is_subset(&sent),
        "every acknowledged message is there"
    );
    for name in &sent {
        let row = store.get(&Key::new(name.as_str(), "a")).await.unwrap();
        assert!(row.is_some(), "no message without its row: {name}");
    }
}

/// The process that is killed: puts, overwrites and deletes objects without end.
#[test]
#[ignore = "started by killed_at_random_with_objects"]
fn puts_until_killed() {
    let folder = std::env::var_os("CRASH_FOLDER").expect("the folder");
    let round = std::env::var("CRASH_ROUND").expect("the round");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let clock = Arc::new(TestClock::default());
        let store = Arc::new(Embedded::open(folder.as_ref(), &Options::default(), clock).unwrap());
        let callers = (0..4).map(|caller| {
            let (blobs, round) = (store.blobs(), round.clone());
            tokio::spawn(async move {
                for n in 0.. {
                    // Each is put twice; every third is deleted then.
                    let key = format!("{round}/{caller}/{n}");
                    for version in ["old", "new"] {
                        let meta = BlobMeta {
                            content_type: "text/plain".to_owned(),
                            ..BlobMeta::default()
                        };
                        let parts = (0..20).map(|_| Ok(Bytes::from(content(version, &key))));
                        let bytes = Box::pin(futures_util::stream::iter(parts.collect::<Vec<_>>()));
                        blobs.put(&key, meta, bytes).await.unwrap();
                        say(&format!("{version} {key}\n"));
                    }
                    if n % 3 == 0 {
                        let id = BlobId {
                            key: key.clone(),
                            version: None,
                        };
                        assert_eq!(blobs.delete(&[id]).await, Ok(vec![Ok(())]));
                        say(&format!("gone {key}\n"));
                    }
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.unwrap();
        }
    });
}

/// A part of an object, which tells what it is of.
fn content(version: &str, key: &str) -> Vec<u8> {
    format!("{version} {key}|").repeat(700).into_bytes()
}

/// One write to the pipe, whole or not at all.
fn say(line: &str) {
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

#[tokio::test]
async fn killed_at_random_with_objects() {
    let folder = Folder::new();
    let mut said = Vec::new();
    for (round, lines) in [1, 20, 77, 150].into_iter().enumerate() {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "puts_until_killed", "--ignored", "--nocapture"])
            .env("CRASH_FOLDER", folder.path())
            .env("CRASH_ROUND", format!("r{round}"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        let ours = |line: std::io::Result<String>| line.ok().filter(|line| line.contains(" r"));
        said.extend(out.by_ref().filter_map(ours).take(lines));
        child.kill().unwrap();
        child.wait().unwrap();
        said.extend(out.filter_map(ours));
    }
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    for line in &said {
        if let Some((what, key)) = line.split_once(' ')
            && ["old", "new", "gone"].contains(&what)
        {
            last.insert(key, what);
        }
    }
    assert!(said.len() >= 1 + 20 + 77 + 150);

    let store = folder.open(&TestClock::default());
    let blobs = store.blobs();
    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let page = blobs.list("", after).await.unwrap();
        listed.extend(page.items.into_iter().map(|item| item.key));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    for key in &listed {
        let (head, bytes) = blobs.get(key, None).await.unwrap();
        let parts: Vec<Bytes> = bytes.map(Result::unwrap).collect().await;
        let whole = parts.concat();
        assert_eq!(whole.len() as u64, head.length);
        let is = |version| whole == content(version, key).repeat(20);
        // What was not said may have been done all the same.
        match last.get(key.as_str()) {
            Some(&"new") => assert!(is("new"), "{key}"),
            Some(&"gone") => panic!("{key} was deleted"),
            _ => assert!(is("old") || is("new"), "{key}"),
        }
    }
    for (key, what) in last {
        let is_third = key
            .rsplit('/')
            .next()
            .is_some_and(|n| n.parse::<u32>().unwrap() % 3 == 0);
        let may_be_gone = what == "gone" || (what == "new" && is_third);
        assert!(
            may_be_gone || listed.iter().any(|k| k == key),
            "{key} was acknowledged"
        );
    }

    blobs.remove_orphans().await.unwrap();
    let mut files = 0;
    for fan in std::fs::read_dir(folder.path().join("blobs")).unwrap() {
        for file in std::fs::read_dir(fan.unwrap().path()).unwrap() {
            let mode = file.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            files += 1;
        }
    }
    assert_eq!(files, listed.len(), "a file for each object, and no other");
}
