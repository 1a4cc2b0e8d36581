//! Many recordings: what they cost.

use std::sync::Arc;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use ringfence_domain::{
    App,
    deletion::{Batch, Order, Selection},
    history::Actor,
    recording::Facts,
};
use ringfence_embedded::{Embedded, Options, Pump, PumpOptions};
use ringfence_ports::{Blobs as _, SystemClock, SystemRandom, contract::CountedBlobs};
use ringfence_webhook::{Policy, Sender, target::SystemResolver};
use serde_json::json;

use crate::world::{World, facts};

fn many(count: i64, tag: impl Fn(i64) -> bool) -> impl Iterator<Item = Facts> {
    let start: Timestamp = "2026-01-10T00:00:00Z".parse().unwrap();
    (0..count).map(move |n| Facts {
        started_at: start + SignedDuration::from_secs(n * 60),
        call_id: format!("call-{n}"),
        tags: if tag(n) {
            vec!["old".to_owned()]
        } else {
            Vec::new()
        },
        ..facts("2026-01-10T00:00:00Z")
    })
}

#[tokio::test]
async fn a_thousand_objects_cost_one_call_and_their_verification_two() {
    let world = World::new().await;
    world.test.blobs.keep_versions();
    world.recordings(many(3_000, |_| false)).await;
    world.test.blobs.take_calls();
    let job = world.delete(json!({"from_date": "2026-01-01"})).await;
    world.test.drain().await;
    let receipt = &world.finish(&job).await["receipt"];
    assert_eq!(receipt["deleted"], 3_000);
    let calls = world.test.blobs.take_calls();
    assert_eq!((calls.delete, calls.deleted), (3, 3_000));
    assert_eq!((calls.versions, calls.open_uploads), (3, 3));
    assert_eq!(world.test.blobs.versions_kept(), 0);
}

#[tokio::test]
async fn few_among_many_still_go_a_thousand_at_a_time() {
    let world = World::new().await;
    // One of three: what stays lies between them.
    world.recordings(many(3_300, |n| n % 3 == 0)).await;
    world.test.blobs.take_calls();
    let job = world.delete(json!({"tag": "old"})).await;
    world.test.drain().await;
    let receipt = &world.finish(&job).await["receipt"];
    assert_eq!(receipt["deleted"], 1_100);
    let calls = world.test.blobs.take_calls();
    assert_eq!((calls.delete, calls.deleted), (2, 1_100));
    assert!(calls.versions <= 12, "{calls:?}");
    assert_eq!(world.test.blobs.keys().len(), 2_200);
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
const MOST_KIB: u64 = 32 * 1024;

/// The run below with two thousand, in a process of its own: its memory is nobody else's.
#[test]
fn two_thousand_on_the_embedded_default_cost_as_little_each() {
    let run = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "many::a_hundred_thousand_on_the_embedded_default",
        ])
        .args(["--ignored", "--nocapture"])
        .env("RINGFENCE_DELETIONS", "2000")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&run.stderr)
    );
}

/// On the embedded default, files and all. `RINGFENCE_DELETIONS` says how many; a hundred thousand unless
/// set:
///
/// `cargo test -p ringfence-deletion --test deletion -- --ignored --nocapture on_the_embedded_default`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a long run by hand"]
#[expect(
    clippy::too_many_lines,
    reason = "one long run, told from start to end"
)]
async fn a_hundred_thousand_on_the_embedded_default() {
    let count: i64 = std::env::var("RINGFENCE_DELETIONS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(100_000);
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<dyn ringfence_ports::Clock> = Arc::new(SystemClock);
    let store =
        Arc::new(Embedded::open(folder.path(), &Options::default(), clock.clone()).unwrap());
    let sender = Sender::new(
        Policy::public(),
        Arc::new(SystemResolver),
        ringfence_webhook::send::Options::default(),
    )
    .unwrap();
    let blobs = Arc::new(CountedBlobs::new(store.blobs()));
    let app = App::new(
        store.clone(),
        store.clone(),
        store.keys(),
        clock.clone(),
        Arc::new(SystemRandom::new()),
        sender,
    )
    .with_blobs(blobs.clone());
    let app = Arc::new(app);
    let actor = Actor::system();
    let agency = app.create_agency("Agency", &actor).await.unwrap().value.id;
    let account = app
        .create_account(&agency, "Account", &actor)
        .await
        .unwrap();
    let account = account.value.id;
    let config = app.account_config(&account).await.unwrap().unwrap();
    let began = std::time::Instant::now();
    let all: Vec<Facts> = many(count, |_| false)
        .map(|facts| Facts {
            size: Some(44),
            ..facts
        })
        .collect();
    for some in all.chunks(512) {
        join_all(some.iter().map(async |facts| {
            let made = app
                .register_recording(&config, facts.clone())
                .await
                .unwrap();
            let bytes = bytes::Bytes::from(ringfence_test_support::wav(0));
            let bytes = Box::pin(futures_util::stream::iter([Ok(bytes)]));
            let id = made.recording.id;
            app.upload_recording(&config, &id, bytes).await.unwrap();
        }))
        .await;
    }
    drop(all);
    println!("{count} recordings stored in {:?}", began.elapsed());
    let pump = Pump::new(&store, clock).consumer(
        ringfence_domain::keyspace::JOBS,
        Arc::new(ringfence_jobs::consumer(app.clone())),
        PumpOptions::default(),
    );
    let order = Order {
        selection: Selection::Batch(
            app.batch(
                &config,
                Batch {
                    shorter_than: Some(3_600),
                    ..Batch::default()
                },
            )
            .unwrap(),
        ),
        reason: "a long run".to_owned(),
        dry_run: false,
    };
    // "5" starts the most resident anew (proc(5)).
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let (before, _) = memory();
    blobs.take();
    let began = std::time::Instant::now();
    let job = app
        .delete_recordings(&account, order, &actor)
        .await
        .unwrap();
    while app
        .deletion(&account, &job.id)
        .await
        .unwrap()
        .receipt
        .is_none()
    {
        pump.drain().await;
    }
    let took = began.elapsed();
    let (_, most) = memory();
    let receipt = app
        .deletion(&account, &job.id)
        .await
        .unwrap()
        .receipt
        .unwrap();
    println!(
        "deleted in {took:?}; {before} KiB resident before, at most {most} KiB meanwhile\n{receipt:?}"
    );
    assert_eq!(receipt.receipt.deleted, count.cast_unsigned());
    assert_eq!(receipt.receipt.planned, count.cast_unsigned());
    let calls = blobs.take();
    println!("{calls:?}");
    let count = count.cast_unsigned();
    assert_eq!(calls.deleted, count);
    // At most 1.1 for a thousand objects.
    assert!(calls.delete * 1_000 * 10 <= count * 11, "{calls:?}");
    // To verify a thousand: one look for open uploads, one for versions that are left. Nothing else is asked.
    let looks = calls.versions + calls.open_uploads;
    assert!(looks <= 2 * count.div_ceil(1_000), "{calls:?}");
    assert_eq!(calls.others, 0, "{calls:?}");
    assert!(
        most.saturating_sub(before) <= MOST_KIB,
        "{most} KiB, {before} before"
    );
    assert_eq!(blobs.inner().remove_orphans().await, Ok(0));
    let left = blobs.inner().list("", None).await.unwrap();
    assert!(left.items.is_empty());
}
