//! An export that dies at every step, is copied, or is deleted while it is made.

use std::{
    collections::BTreeSet,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use ringfence_domain::{App, event::PhoneNumber, recording::Facts};
use ringfence_ports::{
    BlobError, BlobHead, BlobId, BlobMeta, Blobs, ByteStream, Consumer as _, Key, ListPage, Op,
    OpenUpload, Page, Query, Row, Served, StoreError, Table, Unit, UploadLink,
    contract::{Fault, Faulty},
};
use ringfence_test_support::MemoryBlobs;
use ringfence_webhook::{Policy, Sender, target::SystemResolver};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::world::{World, facts};

/// The same account over other stores.
fn over(world: &World, table: Arc<dyn Table>, blobs: Arc<dyn Blobs>) -> Arc<App> {
    let test = &world.test;
    let sender = Sender::new(
        Policy::public(),
        Arc::new(SystemResolver),
        ringfence_webhook::send::Options::default(),
    )
    .unwrap();
    let app = App::new(
        table,
        test.app.queue.clone(),
        test.app.keys.clone(),
        test.app.clock.clone(),
        test.app.random.clone(),
        sender,
    );
    Arc::new(app.with_blobs(blobs))
}

/// Three recordings of one call, one of which is held.
async fn world() -> (World, String) {
    let world = World::new().await;
    for at in ["2026-01-28T07:15:09Z", "2026-01-29T07:15:09Z"] {
        world.recording(facts(at)).await;
    }
    let held = world.recording(facts("2026-01-30T07:15:09Z")).await;
    let case = json!({"recording_id": held, "reason": "Case 26-1042"});
    let placed = world.call("POST", "/holds", case).await;
    assert_eq!(placed.status, 201, "{}", placed.json);
    let export = world.order(json!({"links": true})).await;
    (world, export)
}

/// Has the export looked at over `app`; whether that went well.
async fn look(world: &World, app: &Arc<App>, export: &str) -> bool {
    let failed = ringfence_jobs::consumer(app.clone())
        .handle(vec![world.message(export)])
        .await;
    failed.is_empty()
}

/// What is in the file but ids, and whether its links are exactly those that there are.
async fn checked(world: &World, export: &str) -> Vec<(String, bool)> {
    let read = world.export(export).await;
    assert_eq!((&read["state"], &read["rows"]), (&json!("done"), &json!(3)));
    let mut rows = Vec::new();
    let mut written = BTreeSet::new();
    let mut stored = 0;
    for line in world.lines(export) {
        let link = line["link"].clone();
        rows.push((line["started_at"].clone(), !link.is_empty()));
        let links = world
            .get(&format!("/recordings/{}/links", line["id"]))
            .await;
        stored += links["items"].as_array().unwrap().len();
        if !link.is_empty() {
            assert_eq!(world.visit(&link).await.status, 200);
            written.insert(link);
        }
    }
    assert_eq!(
        written.len(),
        stored,
        "each link that is there is in the file"
    );
    assert_eq!(read["linked"], stored);
    assert_eq!(world.files().len(), 1);
    rows
}

#[tokio::test]
async fn whatever_call_of_the_table_fails_the_next_run_makes_the_same() {
    let (first, export) = world().await;
    assert!(look(&first, &first.test.app, &export).await);
    let expected = checked(&first, &export).await;
    assert_eq!(expected.len(), 3);
    let mut tried = 0;
    for call in 0.. {
        let mut hit = false;
        for lose_answer in [false, true] {
            let (world, export) = world().await;
            let faulty = Arc::new(Faulty::new(world.test.app.table.clone()));
            let app = over(&world, faulty.clone(), world.test.blobs.clone());
            let error = StoreError::Unavailable("a fault".to_owned());
            let fault = if lose_answer {
                Fault::LoseAnswer(error)
            } else {
                Fault::Refuse(error)
            };
            faulty.fail(call, fault);
            if !look(&world, &app, &export).await {
                hit = true;
                tried += 1;
                assert!(look(&world, &app, &export).await, "call {call}");
            }
            assert_eq!(checked(&world, &export).await, expected, "call {call}");
            let ends = world.history(&export).await;
            assert_eq!(ends.len(), 2, "call {call}: asked for, and done once");
        }
        if !hit {
            break;
        }
    }
    assert!(tried > 20, "{tried}");
}

#[tokio::test]
async fn copies_of_a_message_make_one_export() {
    let (world, export) = world().await;
    let app = &world.test.app;
    let copies = futures_util::future::join_all((0..4).map(|_| look(&world, app, &export))).await;
    assert!(copies.iter().all(|went_well| *went_well));
    assert_eq!(checked(&world, &export).await.len(), 3);
    assert_eq!(world.history(&export).await.len(), 2);
    assert!(
        look(&world, app, &export).await,
        "and one that comes late does nothing"
    );
    assert_eq!(world.history(&export).await.len(), 2);
}

#[tokio::test]
async fn a_message_that_was_lost_is_sent_again() {
    let (world, export) = world().await;
    // It is handed out, and whoever had it dies.
    let dead = over(
        &world,
        Arc::new(Faulty::new(world.test.app.table.clone())),
        world.test.blobs.clone(),
    );
    drop(look(&world, &dead, &export));
    world.test.after(Duration::from_mins(11)).await;
    assert_eq!(checked(&world, &export).await.len(), 3);
}

#[tokio::test]
async fn one_whose_runs_never_end_is_given_up_and_one_that_only_waited_is_made() {
    for (dies, state) in [(true, "failed"), (false, "done")] {
        let (world, export) = world().await;
        if dies {
            let gate = Gate::new(&world, At::Before);
            let app = over(&world, world.test.app.table.clone(), gate.clone());
            tokio::select! {
                _ = look(&world, &app, &export) => panic!("it waits"),
                () = gate.reached.notified() => {}
            }
        }
        world.test.clock.advance(Duration::from_hours(6));
        world.test.clock.advance(Duration::from_secs(1));
        assert!(look(&world, &world.test.app, &export).await);
        let read = world.export(&export).await;
        assert_eq!(read["state"], state, "{read}");
        if dies {
            assert_eq!(read["failure"]["code"], "too_slow");
            assert!(world.files().is_empty());
            let all = world.get("/recordings").await;
            for recording in all["items"].as_array().unwrap() {
                let id = recording["id"].as_str().unwrap();
                let made = world.get(&format!("/recordings/{id}/links")).await;
                for link in made["items"].as_array().unwrap() {
                    assert_eq!(link["state"], "revoked");
                }
            }
        }
    }
}

/// Where a [`Gate`] stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Before the object is stored, of which the first part has come.
    Before,
    /// Behind that.
    Behind,
    /// Nobody waits: the first object is refused before anything of it was read.
    Refusal,
}

/// A store that waits in the middle of an object, until it is let go on.
struct Gate {
    inner: Arc<MemoryBlobs>,
    is_shut: AtomicBool,
    reached: Notify,
    opened: Notify,
    at: At,
}

impl Gate {
    fn new(world: &World, at: At) -> Arc<Self> {
        Arc::new(Self {
            inner: world.test.blobs.clone(),
            is_shut: AtomicBool::new(true),
            reached: Notify::new(),
            opened: Notify::new(),
            at,
        })
    }

    async fn wait(&self) {
        if self.is_shut.swap(false, Ordering::SeqCst) {
            self.reached.notify_one();
            self.opened.notified().await;
        }
    }
}

#[async_trait]
impl Blobs for Gate {
    async fn put(
        &self,
        key: &str,
        meta: BlobMeta,
        mut bytes: ByteStream,
    ) -> Result<BlobHead, BlobError> {
        if self.at == At::Refusal && self.is_shut.swap(false, Ordering::SeqCst) {
            return Err(BlobError::Unavailable("a fault".to_owned()));
        }
        if self.at != At::Before {
            let head = self.inner.put(key, meta, bytes).await;
            if self.at == At::Behind {
                self.wait().await;
            }
            return head;
        }
        let first = bytes.next().await;
        self.wait().await;
        let bytes = futures_util::stream::iter(first).chain(bytes);
        self.inner.put(key, meta, Box::pin(bytes)).await
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
        self.inner.versions(prefix, after).await
    }
    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<Result<(), BlobError>>, BlobError> {
        self.inner.delete(ids).await
    }
    async fn open_uploads(&self, prefix: &str) -> Result<Vec<OpenUpload>, BlobError> {
        self.inner.open_uploads(prefix).await
    }
    async fn abort_upload(&self, upload: &OpenUpload) -> Result<(), BlobError> {
        self.inner.abort_upload(upload).await
    }
    async fn link(
        &self,
        key: &str,
        ttl: Duration,
        served: Served<'_>,
    ) -> Result<String, BlobError> {
        self.inner.link(key, ttl, served).await
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

#[tokio::test]
async fn deleted_while_it_is_made_it_leaves_nothing_that_opens_or_lies_about() {
    for at in [At::Before, At::Behind] {
        let (world, export) = world().await;
        let gate = Gate::new(&world, at);
        let app = over(&world, world.test.app.table.clone(), gate.clone());
        let path = format!("/exports/{export}");
        let (went_well, ()) = tokio::join!(look(&world, &app, &export), async {
            gate.reached.notified().await;
            // Its links are made already.
            let lines = world.get("/recordings?limit=1").await;
            assert!(lines["items"].is_array());
            assert_eq!(world.call("DELETE", &path, Value::Null).await.status, 204);
            // What removes it comes before the run ends.
            world.test.drain().await;
            gate.opened.notify_one();
        });
        assert!(went_well);
        assert!(world.files().is_empty(), "{at:?}");
        let all = world.get("/recordings").await;
        let mut links = 0;
        for recording in all["items"].as_array().unwrap() {
            let id = recording["id"].as_str().unwrap();
            let made = world.get(&format!("/recordings/{id}/links")).await;
            for link in made["items"].as_array().unwrap() {
                links += 1;
                assert_eq!(link["state"], "revoked");
            }
        }
        assert_eq!(links, 2);
        let actions: Vec<_> = world.history(&export).await;
        let actions: Vec<_> = actions.iter().map(|entry| &entry["action"]).collect();
        assert_eq!(actions, ["delete", "create"]);
    }
}

#[tokio::test]
async fn a_run_that_was_overtaken_stores_nothing_over_what_is_there() {
    let (world, export) = world().await;
    let gate = Gate::new(&world, At::Behind);
    let app = over(&world, world.test.app.table.clone(), gate.clone());
    let (went_well, ()) = tokio::join!(look(&world, &app, &export), async {
        gate.reached.notified().await;
        // It was taken for dead, and another one made the export.
        assert!(look(&world, &world.test.app, &export).await);
        gate.opened.notify_one();
    });
    assert!(went_well);
    assert_eq!(checked(&world, &export).await.len(), 3);
    assert_eq!(world.history(&export).await.len(), 2);
}

#[tokio::test]
async fn what_an_overtaken_run_stores_last_is_given_to_nobody() {
    let world = World::new().await;
    let numbered = Facts {
        from: Some(PhoneNumber::new("+4915112345678")),
        ..facts("2026-01-30T07:15:09Z")
    };
    world.recording(numbered).await;
    let export = world.order(json!({})).await;
    let gate = Gate::new(&world, At::Before);
    let app = over(&world, world.test.app.table.clone(), gate.clone());
    let (went_well, ()) = tokio::join!(look(&world, &app, &export), async {
        gate.reached.notified().await;
        // It has written whole numbers; the account masks them from now on, and another one makes the export.
        let masking = json!({"phone_number_masking": true});
        world.settings("security", masking).await;
        assert!(look(&world, &world.test.app, &export).await);
        gate.opened.notify_one();
    });
    assert!(went_well);
    let given = world.given(&export).await;
    assert!(
        given.contains("5678") && !given.contains("12345678"),
        "{given}"
    );
    assert_eq!(world.files().len(), 1);
}

/// A table in which somebody else does something just before a row is deleted.
struct BeforeDelete {
    inner: Arc<dyn Table>,
    reached: Notify,
    opened: Notify,
}

#[async_trait]
impl Table for BeforeDelete {
    async fn get(&self, key: &Key) -> Result<Option<Row>, StoreError> {
        self.inner.get(key).await
    }
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        self.inner.get_many(keys).await
    }
    async fn query(&self, query: Query) -> Result<Page, StoreError> {
        self.inner.query(query).await
    }
    async fn write(&self, units: Vec<Unit>) -> Vec<Result<(), StoreError>> {
        let mut ops = units.iter().flat_map(|unit| &unit.ops);
        if ops.any(|op| matches!(op, Op::Delete(..))) {
            self.reached.notify_one();
            self.opened.notified().await;
        }
        self.inner.write(units).await
    }
    fn sends_with_rows(&self) -> bool {
        self.inner.sends_with_rows()
    }
    async fn count(
        &self,
        key: &Key,
        delta: i64,
        max: Option<i64>,
        expires_at: Option<jiff::Timestamp>,
    ) -> Result<i64, StoreError> {
        self.inner.count(key, delta, max, expires_at).await
    }
}

#[tokio::test]
async fn a_run_that_stores_between_the_removal_of_file_and_row_leaves_no_file() {
    let (world, export) = world().await;
    let gate = Gate::new(&world, At::Before);
    let run = over(&world, world.test.app.table.clone(), gate.clone());
    let slow = Arc::new(BeforeDelete {
        inner: world.test.app.table.clone(),
        reached: Notify::new(),
        opened: Notify::new(),
    });
    let removal = over(&world, slow.clone(), world.test.blobs.clone());
    let path = format!("/exports/{export}");
    let made = async {
        let went_well = look(&world, &run, &export).await;
        slow.opened.notify_one();
        went_well
    };
    let removed = async {
        gate.reached.notified().await;
        assert_eq!(world.call("DELETE", &path, Value::Null).await.status, 204);
        look(&world, &removal, &export).await
    };
    let between = async {
        slow.reached.notified().await;
        gate.opened.notify_one();
    };
    let (made, removed, ()) = tokio::join!(made, removed, between);
    assert!(made && removed);
    assert!(world.files().is_empty(), "{:?}", world.files());
}

#[tokio::test]
async fn a_process_that_dies_in_the_middle_leaves_no_file_and_the_next_one_makes_it() {
    let (world, export) = world().await;
    let gate = Gate::new(&world, At::Before);
    let app = over(&world, world.test.app.table.clone(), gate.clone());
    tokio::select! {
        _ = look(&world, &app, &export) => panic!("it waits"),
        () = gate.reached.notified() => {}
    }
    assert!(world.files().is_empty());
    assert_eq!(world.export(&export).await["state"], "running");
    assert!(look(&world, &world.test.app, &export).await);
    assert_eq!(checked(&world, &export).await.len(), 3);
}

#[tokio::test]
async fn a_run_says_how_far_it_is_and_a_store_that_refuses_is_tried_again() {
    let world = World::new().await;
    let start: jiff::Timestamp = "2026-01-10T00:00:00Z".parse().unwrap();
    let all = (0..1_100).map(|n| {
        let at = start + jiff::SignedDuration::from_secs(n);
        world.recording(facts(&at.to_string()))
    });
    futures_util::future::join_all(all).await;
    let export = world.order(json!({"links": true})).await;

    let gate = Gate::new(&world, At::Refusal);
    let app = over(&world, world.test.app.table.clone(), gate);
    assert!(!look(&world, &app, &export).await);
    assert_eq!(world.export(&export).await["state"], "running");
    assert!(world.files().is_empty());

    let gate = Gate::new(&world, At::Before);
    let app = over(&world, world.test.app.table.clone(), gate.clone());
    let (went_well, ()) = tokio::join!(look(&world, &app, &export), async {
        gate.reached.notified().await;
        // The first thousand are on their way.
        while world.export(&export).await["rows"] != 1_000 {
            tokio::task::yield_now().await;
        }
        let read = world.export(&export).await;
        assert_eq!(
            (&read["state"], &read["linked"]),
            (&json!("running"), &json!(1_000))
        );
        assert!(read.get("download").is_none() && read.get("size").is_none());
        gate.opened.notify_one();
    });
    assert!(went_well);
    let read = world.export(&export).await;
    assert_eq!(
        (&read["state"], &read["rows"]),
        (&json!("done"), &json!(1_100))
    );
    assert_eq!(world.lines(&export).len(), 1_100);
}
