//! Killed at any moment, the store loses nothing that it acknowledged.

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;

use common::{Folder, QUEUE, Recorder, message};
use ringfence_embedded::{Embedded, Options, Pump, PumpOptions};
use ringfence_ports::contract::TestClock;
use ringfence_ports::{Key, Op, Put, Table as _, Unit, When};

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
