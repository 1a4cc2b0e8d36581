//! A deletion on AWS: exact, and a call for a thousand objects.

mod common;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use common::Account;
use futures_util::{StreamExt as _, stream};
use jiff::SignedDuration;
use ringfence_domain::App;
use ringfence_domain::deletion::{Batch, Order, Selection, State, Target};
use ringfence_domain::history::Actor;
use ringfence_domain::recording::{Facts, RecordingError};
use ringfence_domain::settings::AccountConfig;
use ringfence_ports::contract::{CountedBlobs, TestRandom};
use ringfence_ports::{Blobs as _, Clock, Consumer, Queue, Received, SystemClock, Table};
use ringfence_webhook::target::SystemResolver;
use ringfence_webhook::{Policy, Sender, send};

struct Jobs(Arc<App>);

#[async_trait]
impl Consumer for Jobs {
    async fn handle(&self, batch: Vec<Received>) -> Vec<String> {
        let mut failed = Vec::new();
        for message in batch {
            if let Err(error) = self.0.job_step(&message).await {
                eprintln!("{error}");
                failed.push(message.id);
            }
        }
        failed
    }
}

/// A WAV file without a sound.
fn audio() -> Bytes {
    Bytes::from_static(
        b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x07\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\0\0\0\0",
    )
}

async fn store_one(app: &App, config: &AccountConfig, facts: Facts) -> Result<(), RecordingError> {
    let made = app.register_recording(config, facts).await?;
    let bytes = Box::pin(stream::iter([Ok(audio())]));
    match app
        .upload_recording(config, &made.recording.id, bytes)
        .await
    {
        Ok(_) | Err(RecordingError::AlreadyStored) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The resident memory of this process, KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.unwrap().split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}

/// `RINGFENCE_DELETIONS` says how many; 250 unless set, 10,000 is the long run by hand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
#[expect(
    clippy::too_many_lines,
    reason = "one long run, told from start to end"
)]
async fn a_thousand_objects_cost_a_call() {
    let count: i64 = std::env::var("RINGFENCE_DELETIONS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(250);
    let aws = Account::new();
    // The emulator removes by its own clock what has expired.
    let now = SystemClock.now();
    aws.clock.set(now);
    aws.create_table("main").await;
    let jobs = aws.create_queue("jobs").await;
    let dispatch = aws.create_queue("dispatch").await;
    let urls = HashMap::from([
        ("jobs".to_owned(), jobs.clone()),
        ("dispatch".to_owned(), dispatch),
    ]);
    let store = Arc::new(aws.store_over(urls));
    let clock: Arc<dyn Clock> = Arc::new(aws.clock.clone());
    let bucket = Arc::new(aws.blobs("deletions", clock.clone()).await);
    let blobs = Arc::new(CountedBlobs::new(bucket));
    let sender = Sender::new(
        Policy::public(),
        Arc::new(SystemResolver),
        send::Options::default(),
    );
    let app = App::new(
        store.clone() as Arc<dyn Table>,
        store as Arc<dyn Queue>,
        Arc::new(aws.keys().await),
        clock,
        Arc::new(TestRandom::new(1)),
        sender.unwrap(),
    )
    .with_blobs(blobs.clone());
    let app = Arc::new(app);
    let actor = Actor::system();
    let agency = app.create_agency("Agency", &actor).await.unwrap().value.id;
    let account = app.create_account(&agency, "Account", &actor).await;
    let account = account.unwrap().value.id;
    let config = app.account_config(&account).await.unwrap().unwrap();
    let start = now - SignedDuration::from_hours(24 * 20);
    stream::iter(0..count)
        .for_each_concurrent(8, |n| {
            let facts = Facts {
                call_id: format!("call-{}", n % 500),
                started_at: start + SignedDuration::from_secs(n),
                duration: 1,
                content_type: "audio/wav".to_owned(),
                size: Some(44),
                external_id: Some(format!("rec-{n}")),
                ..Facts::default()
            };
            let (app, config) = (app.clone(), config.clone());
            async move {
                // An emulator that is busy may not answer in time; what is told twice is one recording.
                let mut last = None;
                for _ in 0..10 {
                    match store_one(&app, &config, facts.clone()).await {
                        Ok(()) => return,
                        Err(error) => last = Some(error),
                    }
                }
                panic!("recording {n} was not stored: {last:?}");
            }
        })
        .await;
    app.place_hold(&account, Target::Call("call-7".to_owned()), "case", &actor)
        .await
        .unwrap();
    let held = (count + 492) / 500;

    let order = Order {
        selection: Selection::Batch(
            app.batch(
                &config,
                Batch {
                    shorter_than: Some(2),
                    ..Batch::default()
                },
            )
            .unwrap(),
        ),
        reason: "a test".to_owned(),
        dry_run: false,
    };
    blobs.take();
    let (before, began) = (resident(), Instant::now());
    let job = app
        .delete_recordings(&account, order, &actor)
        .await
        .unwrap();
    let consumer: Arc<dyn Consumer> = Arc::new(Jobs(app.clone()));
    let done = loop {
        aws.drain(&jobs, &consumer).await;
        let job = app.deletion(&account, &job.id).await.unwrap();
        if job.state == State::Done {
            break job;
        }
    };
    let receipt = done.receipt.unwrap();
    assert!(app.verify_receipt(&receipt).await.unwrap());
    let receipt = receipt.receipt;
    let after = resident();
    println!(
        "{} deleted in {:?}; {after} KiB resident, {before} before",
        receipt.deleted,
        began.elapsed(),
    );
    // However many: the same for the long run.
    assert!(
        after.saturating_sub(before) <= 64 * 1024,
        "{after} KiB, {before} before"
    );
    assert_eq!(receipt.planned, count.cast_unsigned());
    assert_eq!(receipt.held, held.cast_unsigned());
    assert_eq!(receipt.deleted, (count - held).cast_unsigned());
    let calls = blobs.take();
    println!("{calls:?}");
    let thousands = count.cast_unsigned().div_ceil(1_000);
    assert_eq!(calls.delete, thousands);
    assert_eq!(calls.deleted, receipt.deleted);
    // To verify: a look for open uploads for each thousand, and one for versions, or a few, where what is held
    // lies between.
    assert!(calls.open_uploads <= thousands, "{calls:?}");
    assert!(calls.versions <= 2 * thousands, "{calls:?}");
    assert_eq!(calls.others, 0, "{calls:?}");
    // Every version that is left is one that the hold keeps.
    let left = blobs.inner().versions("", None).await.unwrap();
    assert_eq!(left.items.len() as u64, receipt.held);
    assert!(left.items.iter().all(|item| !item.is_delete_marker));
}
