//! A deletion on AWS: exact, and a call for a thousand objects.

mod common;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use common::Account;
use futures_util::{StreamExt as _, stream};
use jiff::SignedDuration;
use ringfence_aws::S3Blobs;
use ringfence_domain::App;
use ringfence_domain::deletion::{Batch, Order, Selection, State, Target};
use ringfence_domain::history::Actor;
use ringfence_domain::recording::{Facts, RecordingError};
use ringfence_domain::settings::AccountConfig;
use ringfence_ports::contract::TestRandom;
use ringfence_ports::{
    BlobError, BlobHead, BlobId, BlobMeta, Blobs, ByteStream, Clock, Consumer, ListPage,
    OpenUpload, Queue, Received, SystemClock, Table, UploadLink,
};
use ringfence_webhook::target::SystemResolver;
use ringfence_webhook::{Policy, Sender, send};

/// Counts what a deletion asks of the bucket.
struct Counted {
    inner: S3Blobs,
    deletes: AtomicU64,
    looks: AtomicU64,
}

#[async_trait]
impl Blobs for Counted {
    async fn put(
        &self,
        key: &str,
        meta: BlobMeta,
        bytes: ByteStream,
    ) -> Result<BlobHead, BlobError> {
        self.inner.put(key, meta, bytes).await
    }
    async fn get(
        &self,
        key: &str,
        range: Option<Range<u64>>,
    ) -> Result<(BlobHead, ByteStream), BlobError> {
        self.inner.get(key, range).await
    }
    async fn head(&self, key: &str) -> Result<BlobHead, BlobError> {
        self.inner.head(key).await
    }
    async fn list(&self, prefix: &str, after: Option<String>) -> Result<ListPage, BlobError> {
        self.inner.list(prefix, after).await
    }
    async fn versions(&self, prefix: &str, after: Option<String>) -> Result<ListPage, BlobError> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.inner.versions(prefix, after).await
    }
    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<Result<(), BlobError>>, BlobError> {
        self.deletes.fetch_add(1, Ordering::SeqCst);
        self.inner.delete(ids).await
    }
    async fn open_uploads(&self, prefix: &str) -> Result<Vec<OpenUpload>, BlobError> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.inner.open_uploads(prefix).await
    }
    async fn abort_upload(&self, upload: &OpenUpload) -> Result<(), BlobError> {
        self.inner.abort_upload(upload).await
    }
    async fn link(
        &self,
        key: &str,
        ttl: Duration,
        download_as: Option<&str>,
    ) -> Result<String, BlobError> {
        self.inner.link(key, ttl, download_as).await
    }
    async fn upload_link(
        &self,
        key: &str,
        meta: &BlobMeta,
        ttl: Duration,
    ) -> Result<UploadLink, BlobError> {
        self.inner.upload_link(key, meta, ttl).await
    }
}

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
    let blobs = Arc::new(Counted {
        inner: aws.blobs("deletions", clock.clone()).await,
        deletes: AtomicU64::new(0),
        looks: AtomicU64::new(0),
    });
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
    println!(
        "{} deleted in {:?}; {} KiB resident, {before} before",
        receipt.deleted,
        began.elapsed(),
        resident()
    );
    assert_eq!(receipt.planned, count.cast_unsigned());
    assert_eq!(receipt.held, held.cast_unsigned());
    assert_eq!(receipt.deleted, (count - held).cast_unsigned());
    let (deletes, looks) = (
        blobs.deletes.load(Ordering::SeqCst),
        blobs.looks.load(Ordering::SeqCst),
    );
    println!("{deletes} calls to delete, {looks} to look");
    assert_eq!(deletes, count.cast_unsigned().div_ceil(1_000));
    // Every version that is left is one that the hold keeps.
    let left = blobs.inner.versions("", None).await.unwrap();
    assert_eq!(left.items.len() as u64, receipt.held);
    assert!(left.items.iter().all(|item| !item.is_delete_marker));
}
