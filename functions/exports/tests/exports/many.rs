//! Many recordings: what they cost.

use std::sync::Arc;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use ringfence_domain::{
    App,
    access::DataReach,
    export::{Kind, Order, Selection, Viewer},
    history::Actor,
    recording::Facts,
};
use ringfence_embedded::{Embedded, Options};
use ringfence_ports::{
    Clock, Consumer as _, Op, Put, Received, SystemClock, SystemRandom, Unit, When,
    contract::Counting,
};
use ringfence_test_support::wav;
use ringfence_webhook::{Policy, Sender, target::SystemResolver};
use serde_json::json;

use crate::world::{World, facts};

async fn many(world: &World, count: i64) {
    let start: Timestamp = "2026-01-10T00:00:00Z".parse().unwrap();
    let all: Vec<_> = (0..count)
        .map(|n| Facts {
            started_at: start + SignedDuration::from_secs(n * 60),
            call_id: format!("call-{n}"),
            ..facts("2026-01-10T00:00:00Z")
        })
        .collect();
    for some in all.chunks(500) {
        join_all(some.iter().map(|facts| world.recording(facts.clone()))).await;
    }
}

#[tokio::test]
async fn two_thousand_links_are_made_fifty_at_a_time() {
    let world = World::new().await;
    many(&world, 2_000).await;
    let export = world.order(json!({"links": true})).await;
    world.test.counting.take();
    world.test.drain().await;
    let calls = world.test.counting.take();
    let read = world.export(&export).await;
    assert_eq!(
        (&read["rows"], &read["linked"]),
        (&json!(2_000), &json!(2_000))
    );
    let lines = world.lines(&export);
    assert_eq!(lines.len(), 2_000);
    let newest_first = lines
        .windows(2)
        .all(|two| two[0]["started_at"] > two[1]["started_at"]);
    assert!(newest_first);
    for line in lines.iter().step_by(400) {
        assert_eq!(world.visit(&line["link"]).await.status, 200);
    }
    // Two pages: the links of each in one call of twenty units; beside them the export's own row, and its end.
    assert!(calls.write <= 8, "{calls:?}");
    assert!((40..=48).contains(&calls.units), "{calls:?}");
    assert!((4_000..=4_020).contains(&calls.puts), "{calls:?}");
    // A recording is read twice at most.
    assert!(calls.rows <= 4_200 && calls.query <= 100, "{calls:?}");
    assert!(calls.get + calls.get_many <= 20, "{calls:?}");
}

#[tokio::test]
async fn a_second_run_finds_the_links_of_the_first() {
    let world = World::new().await;
    many(&world, 1_200).await;
    let export = world.order(json!({"links": true})).await;
    let (app, account) = (&world.test.app, &world.test.account);
    let key = ringfence_domain::keyspace::export(account, &export);
    let asked = app.table.get(&key).await.unwrap().unwrap();
    let jobs = ringfence_jobs::consumer(app.clone());
    assert!(jobs.handle(vec![world.message(&export)]).await.is_empty());
    let text = world.text(&export);

    // As if that run had died before it could say that it was done.
    let mut doc: serde_json::Value = serde_json::from_str(&asked.doc).unwrap();
    doc["run"] = json!(1);
    let put = Put {
        index: asked.index,
        ..Put::new(key, doc.to_string(), When::Always)
    };
    let unit = Unit {
        ops: vec![Op::Put(put)],
        sends: Vec::new(),
    };
    app.table.commit(unit).await.unwrap();
    world.test.counting.take();
    assert!(jobs.handle(vec![world.message(&export)]).await.is_empty());
    let calls = world.test.counting.take();
    assert_eq!(world.text(&export), text, "the same links");
    // Links are looked for a hundred at a time, and none is written.
    assert!(calls.puts <= 10 && calls.get_many <= 20, "{calls:?}");
}

/// The resident memory of this process, and the most that it was since the last reset, KiB.
fn memory() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    (field("VmRSS:"), field("VmHWM:"))
}

/// What the run below may take beside what it had before it began, KiB: however many recordings there are.
const MOST_KIB: u64 = 48 * 1024;

/// On the embedded default, files and all. `RINGFENCE_EXPORTS` says how many; a hundred thousand unless set:
///
/// `cargo test --release -p ringfence-exports --test exports -- --ignored --nocapture on_the_embedded_default`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a long run by hand"]
async fn a_hundred_thousand_on_the_embedded_default() {
    let count: i64 = std::env::var("RINGFENCE_EXPORTS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(100_000);
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = Embedded::open(folder.path(), &Options::default(), clock.clone()).unwrap();
    let store = Arc::new(store);
    let sender = Sender::new(
        Policy::public(),
        Arc::new(SystemResolver),
        ringfence_webhook::send::Options::default(),
    );
    let counting = Arc::new(Counting::new(store.clone()));
    let app = App::new(
        counting.clone(),
        store.clone(),
        store.keys(),
        clock,
        Arc::new(SystemRandom::new()),
        sender.unwrap(),
    )
    .with_blobs(store.blobs());
    let app = Arc::new(app);
    let actor = Actor::system();
    let agency = app.create_agency("Agency", &actor).await.unwrap().value.id;
    let account = app.create_account(&agency, "Account", &actor).await;
    let account = account.unwrap().value.id;
    let config = app.account_config(&account).await.unwrap().unwrap();
    let start: Timestamp = "2026-01-10T00:00:00Z".parse().unwrap();
    for some in (0..count).collect::<Vec<_>>().chunks(512) {
        join_all(some.iter().map(async |n| {
            let made = Facts {
                started_at: start + SignedDuration::from_secs(n * 60),
                call_id: format!("call-{n}"),
                size: Some(44),
                ..facts("2026-01-10T00:00:00Z")
            };
            let made = app.register_recording(&config, made).await.unwrap();
            let bytes = bytes::Bytes::from(wav(0));
            let bytes = Box::pin(futures_util::stream::iter([Ok(bytes)]));
            let id = made.recording.id;
            app.upload_recording(&config, &id, bytes).await.unwrap();
        }))
        .await;
    }
    let reach = DataReach::everything();
    let order = Order {
        kind: Kind::Recordings,
        selection: app.export_selection(&config, Selection::default()).unwrap(),
        links: true,
    };
    let export = app.start_export(&account, order, &reach, &actor).await;
    let export = export.unwrap();
    let message = Received {
        id: "m".to_owned(),
        body: json!({"kind": "export", "account": account, "export": export.id}).to_string(),
        group: String::new(),
        receives: 1,
    };
    counting.take();
    // "5" starts the most resident anew (proc(5)).
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let (before, _) = memory();
    let began = std::time::Instant::now();
    let failed = ringfence_jobs::consumer(app.clone())
        .handle(vec![message])
        .await;
    let took = began.elapsed();
    let (_, most) = memory();
    assert!(failed.is_empty());
    let viewer = Viewer {
        id: "system",
        reach: &reach,
    };
    let made = app.export(&account, &export.id, viewer).await.unwrap();
    let calls = counting.take();
    println!(
        "{} rows, {} links, {:?} bytes in {took:?}; {before} KiB resident before, at most {most} KiB meanwhile\n{calls:?}",
        made.rows, made.linked, made.size
    );
    let count = count.cast_unsigned();
    assert_eq!((made.rows, made.linked), (count, count));
    // Fifty links a unit, all of a page in one call; beside them a note of each page, and the two ends.
    assert!(
        calls.units <= count.div_ceil(50) + 3 * count.div_ceil(1_000) + 4,
        "{calls:?}"
    );
    assert!(calls.write <= 2 * count.div_ceil(1_000) + 4, "{calls:?}");
    assert!(
        most.saturating_sub(before) <= MOST_KIB,
        "{most} KiB, {before} before"
    );
}
