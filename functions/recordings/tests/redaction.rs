//! Spans that become inaudible, however the audio is kept.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use ringfence_domain::{
    App,
    access::{Owner, Scope},
    keyspace,
    recording::RecordingConsumer,
};
use ringfence_ports::{
    Consumer, Key, Op, Page, Put, Query, Received, Row, StoreError, Table, Unit, When,
    contract::{Fault, Faulty},
};
use ringfence_test_support::{Receiver, Response, TestApp, sha256_hex, wav};
use ringfence_webhook::{Policy, Sender, target::SystemResolver};
use serde_json::{Value, json};

/// Where the samples of [`wav`] begin, of which there are 8,000 a second.
const SAMPLES: usize = 44;

struct World {
    test: TestApp,
    recording: String,
}

impl World {
    /// With a recording of ten seconds, kept in this way.
    async fn new(encryption: &str) -> Self {
        Self::of(encryption, "audio/wav", wav(10)).await
    }

    async fn of(encryption: &str, content_type: &str, audio: Vec<u8>) -> Self {
        let routes = utoipa_axum::router::OpenApiRouter::new()
            .merge(ringfence_recordings::router())
            .merge(ringfence_deletion::router())
            .merge(ringfence_playback::router())
            .merge(ringfence_activities::router())
            .merge(ringfence_ingest::router())
            .merge(ringfence_settings::router());
        let test = TestApp::new().await.serving(routes);
        test.blobs.keep_versions();
        let mut world = Self {
            test,
            recording: String::new(),
        };
        let headers = [("if-match", "\"0\"")];
        let at = world.path("/settings/recordings");
        let document = json!({"encryption": encryption, "link_days": 7});
        let saved = world
            .test
            .request_as(Some(&world.test.key), "PUT", &at, &headers, document)
            .await;
        assert_eq!(saved.status, 200, "{}", saved.json);
        let facts = json!({
            "call_id": "call-1042", "started_at": "2026-01-31T07:15:09Z", "duration": 10,
            "content_type": content_type, "size": audio.len(), "sha256": sha256_hex(&audio),
        });
        let made = world.call("POST", "/recordings", facts).await;
        assert_eq!(made.status, 201, "{}", made.json);
        made.json["id"]
            .as_str()
            .unwrap()
            .clone_into(&mut world.recording);
        let at = world.path(&world.at("/audio"));
        let sent = world
            .test
            .request_raw(Some(&world.test.key), "PUT", &at, &[], content_type, audio)
            .await;
        assert_eq!(sent.json["status"], "available", "{}", sent.json);
        world
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/accounts/{}{rest}", self.test.account)
    }

    fn at(&self, rest: &str) -> String {
        format!("/recordings/{}{rest}", self.recording)
    }

    async fn call(&self, method: &str, rest: &str, body: Value) -> Response {
        self.test.request(method, &self.path(rest), body).await
    }

    async fn order(&self, order: Value) -> Response {
        self.call("POST", &self.at("/redactions"), order).await
    }

    /// Orders a redaction, and answers it once it has been worked on.
    async fn redact(&self, order: Value) -> Value {
        let ordered = self.order(order).await;
        assert_eq!(ordered.status, 202, "{}", ordered.json);
        assert_eq!(ordered.json["state"], "running");
        self.test.drain().await;
        self.read(&ordered).await
    }

    async fn read(&self, ordered: &Response) -> Value {
        let location = ordered.headers["location"].to_str().unwrap();
        let read = self.test.request("GET", location, Value::Null).await;
        assert_eq!(read.status, 200, "{}", read.json);
        read.json
    }

    async fn hear(&self, rest: &str) -> Vec<u8> {
        let played = self.call("GET", &self.at(rest), Value::Null).await;
        if played.status == 302 {
            let url = played.headers["location"].to_str().unwrap();
            let key = url.split_once("/get/").unwrap().1;
            let key = key.split_once('?').map_or(key, |(key, _)| key);
            return self.test.blobs.bytes(key).to_vec();
        }
        assert_eq!(played.status, 200, "{}", played.json);
        played.bytes
    }

    async fn shown(&self) -> Value {
        self.call("GET", &self.at(""), Value::Null).await.json
    }

    async fn hold(&self) -> String {
        let hold = json!({"recording_id": self.recording, "reason": "Case 26-1042"});
        let placed = self.call("POST", "/holds", hold).await;
        assert_eq!(placed.status, 201, "{}", placed.json);
        placed.json["id"].as_str().unwrap().to_owned()
    }
}

/// The audio with mu-law's silence in these seconds.
fn silenced(audio: &[u8], seconds: std::ops::Range<usize>) -> Vec<u8> {
    let mut audio = audio.to_vec();
    audio[SAMPLES + seconds.start * 8_000..SAMPLES + seconds.end * 8_000].fill(0xff);
    audio
}

fn second_to_third() -> Value {
    json!({"spans": [{"start_ms": 2_000, "end_ms": 3_000}], "reason": "a card number was spoken"})
}

#[tokio::test]
async fn what_was_redacted_is_heard_no_more_and_nowhere_in_the_store() {
    for encryption in ["provider", "client"] {
        let world = World::new(encryption).await;
        let before = world.test.blobs.keys();
        let done = world.redact(second_to_third()).await;
        assert_eq!(done["state"], "done", "{done}");
        assert_eq!(done["silenced_ms"], 1_000);
        let expected = silenced(&wav(10), 2..3);
        assert_eq!(world.hear("/audio").await, expected, "{encryption}");
        let shown = world.shown().await;
        assert_eq!(shown["redacted"], true);
        assert_eq!(shown["has_original"], false);
        assert_eq!(shown["sha256"], sha256_hex(&expected));
        assert_eq!(shown["encryption"], encryption);
        let after = world.test.blobs.keys();
        assert_eq!(after.len(), 1, "{after:?}");
        assert_eq!(world.test.blobs.versions_kept(), 1);
        assert_ne!(before, after);
        let kept = world.test.blobs.bytes(&after[0]);
        let is_plain = kept
            .windows(64)
            .any(|part| part == &expected[SAMPLES..][..64]);
        assert_eq!(is_plain, encryption == "provider");
        let original = world.call("GET", &world.at("/original"), Value::Null).await;
        assert_eq!(original.status, 404);
    }
}

#[tokio::test]
async fn parts_of_a_sealed_redacted_recording_play() {
    let world = World::new("client").await;
    world.redact(second_to_third()).await;
    let expected = silenced(&wav(10), 2..3);
    let at = world.path(&world.at("/audio"));
    for range in [0..1, 16_000..25_000, 65_530..65_550, 80_040..80_044] {
        let header = format!("bytes={}-{}", range.start, range.end - 1);
        let headers = [("range", header.as_str())];
        let part = world
            .test
            .request_as(Some(&world.test.key), "GET", &at, &headers, Value::Null)
            .await;
        assert_eq!(part.status, 206);
        assert_eq!(part.bytes, expected[range]);
    }
}

#[tokio::test]
async fn a_tone_says_that_something_was_taken_away() {
    let world = World::new("client").await;
    let mut order = second_to_third();
    order["replacement"] = "tone".into();
    assert_eq!(world.redact(order).await["state"], "done");
    let heard = world.hear("/audio").await;
    let second = |bytes: &[u8], n: usize| bytes[SAMPLES + n * 8_000..][..8_000].to_vec();
    let whole = wav(10);
    assert_eq!(second(&heard, 1), second(&whole, 1));
    assert_eq!(second(&heard, 3), second(&whole, 3));
    assert_ne!(second(&heard, 2), second(&whole, 2));
    assert_ne!(second(&heard, 2), [0xff; 8_000]);
}

#[tokio::test]
async fn links_made_before_play_the_copy_and_the_callback_tells_of_it() {
    let world = World::new("client").await;
    let link = world.call("POST", &world.at("/links"), json!({})).await;
    let url = link.json["url"].as_str().unwrap();
    let token = url.rsplit_once("/r/").unwrap().1.to_owned();
    world.redact(second_to_third()).await;
    let at = format!("/r/{token}/audio");
    let played = world
        .test
        .request_as(None, "GET", &at, &[], Value::Null)
        .await;
    assert_eq!(played.status, 200, "{}", played.json);
    assert_eq!(played.bytes, silenced(&wav(10), 2..3));
}

#[tokio::test]
async fn whoever_fetched_the_recording_is_told_to_fetch_it_anew() {
    let world = World::new("client").await;
    let receiver = Receiver::start().await;
    let at = world.path("/settings/callbacks");
    let document = json!({"cdr": {"url": receiver.url()}});
    let headers = [("if-match", "\"0\"")];
    let saved = world
        .test
        .request_as(Some(&world.test.key), "PUT", &at, &headers, document)
        .await;
    assert_eq!(saved.status, 200, "{}", saved.json);
    receiver.take();
    world.redact(second_to_third()).await;
    let posts = receiver.posts();
    assert_eq!(posts.len(), 1, "told once");
    let body = posts[0].json();
    assert_eq!(body["type"], "recording.available");
    assert_eq!(body["data"]["recording"]["redacted"], true);
    let url = body["data"]["recording"]["url"].as_str().unwrap();
    let played = world
        .test
        .request_as(None, "GET", &format!("{url}/audio"), &[], Value::Null)
        .await;
    assert_eq!(played.bytes, silenced(&wav(10), 2..3));
    let call = world.call("GET", "/calls/call-1042", Value::Null).await;
    assert_eq!(
        call.json["data"]["recording"]["redacted"], true,
        "{}",
        call.json
    );
}

#[tokio::test]
async fn what_is_put_again_by_an_old_upload_link_does_not_stay() {
    let world = World::new("provider").await;
    let own = world.test.blobs.keys()[0].clone();
    world.redact(second_to_third()).await;
    world.test.blobs.insert(&own, "audio/wav", wav(10));
    let again = world
        .call("POST", &world.at("/complete"), Value::Null)
        .await;
    assert_eq!(again.status, 200, "{}", again.json);
    assert_eq!(world.test.blobs.keys().len(), 1);
    assert_eq!(world.hear("/audio").await, silenced(&wav(10), 2..3));
}

#[tokio::test]
async fn an_original_is_kept_for_those_who_may_delete_it() {
    for encryption in ["provider", "client"] {
        let world = World::new(encryption).await;
        let mut order = second_to_third();
        order["keep_original"] = true.into();
        assert_eq!(world.redact(order.clone()).await["state"], "done");
        assert_eq!(world.hear("/audio").await, silenced(&wav(10), 2..3));
        assert_eq!(world.hear("/original").await, wav(10));
        assert_eq!(world.shown().await["has_original"], true);
        // Whoever may only hear recordings does not hear it; and that somebody did is on record.
        let reader = world
            .test
            .key_for(
                Owner::Account(world.test.account.clone()),
                &[Scope::RecordingsRead],
            )
            .await;
        let at = world.path(&world.at("/original"));
        let refused = world
            .test
            .request_as(Some(&reader), "GET", &at, &[], Value::Null)
            .await;
        assert_eq!(refused.status, 403);
        let listens = world.call("GET", &world.at("/listens"), Value::Null).await;
        let originals: Vec<bool> = listens.json["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|listen| listen["original"] == true)
            .collect();
        assert_eq!(originals.len(), 2, "{}", listens.json);
        assert_eq!(originals.iter().filter(|original| **original).count(), 1);
        // Another one leaves the audio as it came as it is, and nothing in between.
        order["spans"] = json!([{"start_ms": 0, "end_ms": 1_000}]);
        world.redact(order).await;
        assert_eq!(world.hear("/original").await, wav(10));
        let twice = silenced(&silenced(&wav(10), 2..3), 0..1);
        assert_eq!(world.hear("/audio").await, twice);
        assert_eq!(world.test.blobs.keys().len(), 2);
        let gone = world
            .call("DELETE", &world.at("/original"), Value::Null)
            .await;
        assert_eq!(gone.status, 204);
        assert_eq!(world.test.blobs.keys().len(), 1);
        let again = world
            .call("DELETE", &world.at("/original"), Value::Null)
            .await;
        assert_eq!(again.status, 404);
        assert_eq!(world.hear("/audio").await, twice);
    }
}

#[tokio::test]
async fn one_that_keeps_nothing_takes_what_an_earlier_one_kept() {
    let world = World::new("provider").await;
    let mut order = second_to_third();
    order["keep_original"] = true.into();
    world.redact(order).await;
    assert_eq!(world.test.blobs.keys().len(), 2);
    world.redact(second_to_third()).await;
    assert_eq!(world.test.blobs.keys().len(), 1);
    assert_eq!(world.shown().await["has_original"], false);
}

#[tokio::test]
async fn every_format_that_is_taken_is_redacted() {
    for (name, content_type) in [
        ("mono-8.mp3", "audio/mpeg"),
        ("speech_fec.opus", "audio/ogg"),
        ("mono-8.flac", "audio/flac"),
        // With its index behind the audio, and before it.
        ("mono.m4a", "audio/mp4"),
        ("stereo.m4a", "audio/mp4"),
    ] {
        let file = format!(
            "{}/../../shared/audio/tests/samples/{name}",
            env!("CARGO_MANIFEST_DIR")
        );
        let audio = std::fs::read(file).unwrap();
        let world = World::of("client", content_type, audio.clone()).await;
        let order = json!({"spans": [{"start_ms": 500, "end_ms": 900}]});
        let done = world.redact(order).await;
        assert_eq!(done["state"], "done", "{name}: {done}");
        let silenced = done["silenced_ms"].as_u64().unwrap();
        assert!((400..1_100).contains(&silenced), "{name}: {silenced}");
        let heard = world.hear("/audio").await;
        assert_ne!(heard, audio, "{name}");
        assert_eq!(world.shown().await["content_type"], content_type);
        assert_eq!(world.test.blobs.keys().len(), 1);
        // It is audio of that kind again.
        let again = json!({"spans": [{"start_ms": 100, "end_ms": 200}]});
        assert_eq!(world.redact(again).await["state"], "done", "{name}");
        let mut tone = second_to_third();
        tone["replacement"] = "tone".into();
        let refused = world.order(tone).await;
        assert_eq!(refused.status, 400, "{name}");
        assert_eq!(refused.json["errors"][0]["field"], "replacement");
    }
}

#[tokio::test]
async fn a_hold_lets_nothing_be_destroyed() {
    let world = World::new("client").await;
    let hold = world.hold().await;
    let refused = world.order(second_to_third()).await;
    assert_eq!(refused.status, 409, "{}", refused.json);
    assert!(refused.json["detail"].as_str().unwrap().contains(&hold));
    let mut order = second_to_third();
    order["keep_original"] = true.into();
    assert_eq!(world.redact(order).await["state"], "done");
    let kept = world
        .call("DELETE", &world.at("/original"), Value::Null)
        .await;
    assert_eq!(kept.status, 409, "{}", kept.json);
    assert_eq!(world.hear("/original").await, wav(10));
    world
        .call("DELETE", &format!("/holds/{hold}"), Value::Null)
        .await;
    // Placed between the order and the work, it is in time.
    let ordered = world.order(second_to_third()).await;
    assert_eq!(ordered.status, 202);
    world.hold().await;
    world.test.drain().await;
    let read = world.read(&ordered).await;
    assert_eq!(read["state"], "failed");
    assert!(read["failure"].as_str().unwrap().contains("legal hold"));
    assert_eq!(world.hear("/original").await, wav(10));
    assert_eq!(world.test.blobs.keys().len(), 2);
}

#[tokio::test]
async fn deletion_takes_the_copy_and_the_original() {
    for encryption in ["provider", "client"] {
        let world = World::new(encryption).await;
        let mut order = second_to_third();
        order["keep_original"] = true.into();
        world.redact(order).await;
        let listed = world.call("GET", "/recordings", Value::Null).await;
        assert_eq!(listed.json["items"][0]["redacted"], true);
        let deleted = world.call("DELETE", &world.at(""), Value::Null).await;
        assert_eq!(deleted.status, 200, "{}", deleted.json);
        assert_eq!(deleted.json["receipt"]["deleted"], 1, "{}", deleted.json);
        assert_eq!(world.test.blobs.versions_kept(), 0);
        let original = world.call("GET", &world.at("/original"), Value::Null).await;
        assert_eq!(original.status, 410);
        // What was ordered before and comes after does nothing.
        let late = world.order(second_to_third()).await;
        assert_eq!(late.status, 410);
    }
}

#[tokio::test]
async fn a_recording_that_is_deleted_meanwhile_stays_deleted() {
    let world = World::new("client").await;
    let ordered = world.order(second_to_third()).await;
    world.call("DELETE", &world.at(""), Value::Null).await;
    world.test.drain().await;
    assert_eq!(world.read(&ordered).await["state"], "failed");
    assert!(world.test.blobs.keys().is_empty());
}

/// The same account over a store of rows that fails.
fn failing(test: &TestApp) -> (Arc<App>, Arc<Faulty<dyn ringfence_ports::Table>>) {
    let faulty = Arc::new(Faulty::new(test.app.table.clone()));
    (over(test, faulty.clone()), faulty)
}

/// The same account over another store of rows.
fn over(test: &TestApp, table: Arc<dyn ringfence_ports::Table>) -> Arc<App> {
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
    )
    .with_blobs(test.blobs.clone());
    Arc::new(app)
}

/// A store of rows in which somebody revokes all links each time that the recording is about to be written.
struct Busy {
    inner: Arc<dyn Table>,
    recording: Key,
    left: AtomicU32,
}

#[async_trait::async_trait]
impl Table for Busy {
    fn sends_with_rows(&self) -> bool {
        self.inner.sends_with_rows()
    }

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
        let is_its = |op: &Op| matches!(op, Op::Put(put) if put.key == self.recording);
        if units.iter().any(|unit| unit.ops.iter().any(is_its))
            && self.left.load(Ordering::SeqCst) > 0
        {
            self.left.fetch_sub(1, Ordering::SeqCst);
            let row = self.inner.get(&self.recording).await.unwrap().unwrap();
            let mut doc: Value = serde_json::from_str(&row.doc).unwrap();
            doc["link_generation"] = (doc["link_generation"].as_u64().unwrap() + 1).into();
            let unit = Unit {
                ops: vec![Op::Put(Put {
                    index: row.index,
                    ..Put::new(row.key, doc.to_string(), When::Version(row.version))
                })],
                sends: Vec::new(),
            };
            self.inner.commit(unit).await.unwrap();
        }
        self.inner.write(units).await
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

/// A store of rows each call of which lets others go first.
struct Polite {
    inner: Arc<dyn Table>,
    calls: AtomicU32,
    is_over: AtomicBool,
}

impl Polite {
    fn of(world: &World) -> (Arc<Self>, Arc<App>) {
        let polite = Arc::new(Self {
            inner: world.test.app.table.clone(),
            calls: AtomicU32::new(0),
            is_over: AtomicBool::new(false),
        });
        (polite.clone(), over(&world.test, polite))
    }

    async fn step(&self) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
    }

    /// Waits until so many calls were made, or no more will be.
    async fn after(&self, calls: u32) {
        while self.calls.load(Ordering::SeqCst) < calls && !self.is_over.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait::async_trait]
impl Table for Polite {
    fn sends_with_rows(&self) -> bool {
        self.inner.sends_with_rows()
    }

    async fn get(&self, key: &Key) -> Result<Option<Row>, StoreError> {
        self.step().await;
        self.inner.get(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        self.step().await;
        self.inner.get_many(keys).await
    }

    async fn query(&self, query: Query) -> Result<Page, StoreError> {
        self.step().await;
        self.inner.query(query).await
    }

    async fn write(&self, units: Vec<Unit>) -> Vec<Result<(), StoreError>> {
        self.step().await;
        self.inner.write(units).await
    }

    async fn count(
        &self,
        key: &Key,
        delta: i64,
        max: Option<i64>,
        expires_at: Option<jiff::Timestamp>,
    ) -> Result<i64, StoreError> {
        self.step().await;
        self.inner.count(key, delta, max, expires_at).await
    }
}

/// Works on a redaction as [`finish`] does; then `polite` is called no more.
async fn finish_over(world: &World, polite: &Polite, app: &Arc<App>, ordered: &Response) {
    finish(world, app, ordered).await;
    polite.is_over.store(true, Ordering::SeqCst);
}

#[tokio::test]
async fn two_hands_on_one_leave_one_copy() {
    for ahead in 0..20 {
        let encryption = ["provider", "client"][ahead as usize % 2];
        let world = World::new(encryption).await;
        let ordered = world.order(second_to_third()).await;
        let (polite, app) = Polite::of(&world);
        let second = async {
            polite.after(ahead).await;
            finish(&world, &app, &ordered).await
        };
        tokio::join!(finish_over(&world, &polite, &app, &ordered), second);
        check_done(
            &world,
            &ordered,
            &format!("{encryption}, {ahead} calls apart"),
        )
        .await;
    }
}

#[tokio::test]
async fn two_at_the_same_time_both_take_effect() {
    for ahead in (0..24).step_by(3) {
        let world = World::new("client").await;
        let mut other = second_to_third();
        other["spans"] = json!([{"start_ms": 7_000, "end_ms": 8_000}]);
        let [one, two] = [
            world.order(second_to_third()).await,
            world.order(other).await,
        ];
        let (polite, app) = Polite::of(&world);
        let second = async {
            polite.after(ahead).await;
            finish(&world, &app, &two).await
        };
        tokio::join!(finish_over(&world, &polite, &app, &one), second);
        for ordered in [one, two] {
            let read = world.read(&ordered).await;
            assert_eq!(read["state"], "done", "{ahead} calls apart: {read}");
        }
        let expected = silenced(&silenced(&wav(10), 2..3), 7..8);
        assert_eq!(world.hear("/audio").await, expected, "{ahead} calls apart");
        assert_eq!(world.test.blobs.versions_kept(), 1, "{ahead} calls apart");
    }
}

#[tokio::test]
async fn a_hold_or_a_deletion_at_any_moment_is_before_it_or_behind() {
    let (mut kept, mut redacted) = (0, 0);
    for ahead in (0..24).step_by(2) {
        let encryption = ["provider", "client"][ahead as usize / 2 % 2];
        let world = World::new(encryption).await;
        let mut order = second_to_third();
        order["keep_original"] = (ahead % 4 < 2).into();
        let ordered = world.order(order).await;
        let (polite, app) = Polite::of(&world);
        let deleting = async {
            polite.after(ahead).await;
            world.call("DELETE", &world.at(""), Value::Null).await
        };
        let work = finish_over(&world, &polite, &app, &ordered);
        let ((), deleted) = tokio::join!(work, deleting);
        assert_eq!(deleted.json["receipt"]["deleted"], 1, "{}", deleted.json);
        assert_eq!(world.test.blobs.versions_kept(), 0, "{ahead} calls later");

        let world = World::new(encryption).await;
        let ordered = world.order(second_to_third()).await;
        let (polite, app) = Polite::of(&world);
        let holding = async {
            polite.after(ahead).await;
            world.hold().await
        };
        tokio::join!(finish_over(&world, &polite, &app, &ordered), holding);
        let read = world.read(&ordered).await;
        let heard = world.hear("/audio").await;
        assert_eq!(world.test.blobs.versions_kept(), 1, "{ahead} calls later");
        if read["state"] == "failed" {
            kept += 1;
            assert_eq!(heard, wav(10), "{ahead} calls later");
        } else {
            redacted += 1;
            assert_eq!(heard, silenced(&wav(10), 2..3), "{ahead} calls later");
        }
    }
    assert!(kept > 1 && redacted > 1, "{kept} {redacted}");
}

/// How often a copy was begun for a redaction.
async fn started(world: &World, ordered: &Response) -> u64 {
    let key = keyspace::redaction(&world.recording, ordered.json["id"].as_str().unwrap());
    let row = world.test.app.table.get(&key).await.unwrap().unwrap();
    let doc: Value = serde_json::from_str(&row.doc).unwrap();
    doc["started"].as_u64().unwrap()
}

#[tokio::test]
async fn whoever_changes_something_else_does_not_keep_it_from_its_end() {
    for encryption in ["provider", "client"] {
        let world = World::new(encryption).await;
        let ordered = world.order(second_to_third()).await;
        let recording = keyspace::recording(&world.test.account, &world.recording).unwrap();
        let busy = Arc::new(Busy {
            inner: world.test.app.table.clone(),
            recording,
            left: AtomicU32::new(12),
        });
        let app = over(&world.test, busy.clone());
        assert_eq!(finish(&world, &app, &ordered).await, 0);
        check_done(&world, &ordered, encryption).await;
        assert_eq!(busy.left.load(Ordering::SeqCst), 0);
        assert_eq!(started(&world, &ordered).await, 1, "one copy is enough");
    }
}

/// A redaction that was ended in the middle so often, so that nobody tells of an error; its copy is there. Answers the
/// copy's key.
async fn broken_off(world: &World, ordered: &Response, started: u32) -> String {
    let key = keyspace::redaction(&world.recording, ordered.json["id"].as_str().unwrap());
    let row = world.test.app.table.get(&key).await.unwrap().unwrap();
    let mut doc: Value = serde_json::from_str(&row.doc).unwrap();
    let written = format!(
        "recordings/{}/{}/redacted-{started:04}",
        world.test.account, world.recording
    );
    world.test.blobs.insert(&written, "audio/wav", wav(10));
    doc["written"] = written.clone().into();
    doc["started"] = started.into();
    let unit = Unit {
        ops: vec![Op::Put(Put {
            index: row.index,
            ..Put::new(key, doc.to_string(), When::Version(row.version))
        })],
        sends: Vec::new(),
    };
    world.test.app.table.commit(unit).await.unwrap();
    written
}

#[tokio::test]
async fn one_that_is_given_up_leaves_no_copy() {
    let world = World::new("provider").await;
    let app = world.test.app.clone();
    let ordered = world.order(second_to_third()).await;
    let copy = broken_off(&world, &ordered, 15).await;
    // While it does not go, it is tried again.
    world.test.blobs.stick(&copy, true);
    world.test.drain().await;
    assert_eq!(world.read(&ordered).await["state"], "running");
    world.test.blobs.stick(&copy, false);
    finish(&world, &app, &ordered).await;
    let read = world.read(&ordered).await;
    assert_eq!(read["state"], "failed", "{read}");
    let failure = read["failure"].as_str().unwrap();
    assert!(failure.contains("again and again"));
    assert_eq!(world.test.blobs.versions_kept(), 1);
    assert_eq!(world.hear("/audio").await, wav(10));
    // But not for ever: it goes when the recording goes.
    let ordered = world.order(second_to_third()).await;
    let copy = broken_off(&world, &ordered, 30).await;
    world.test.blobs.stick(&copy, true);
    finish(&world, &app, &ordered).await;
    assert_eq!(world.read(&ordered).await["state"], "failed");
    world.test.blobs.stick(&copy, false);
    assert_eq!(world.redact(second_to_third()).await["state"], "done");
    let deleted = world.call("DELETE", &world.at(""), Value::Null).await;
    assert_eq!(deleted.json["receipt"]["deleted"], 1, "{}", deleted.json);
    assert_eq!(world.test.blobs.versions_kept(), 0);
}

#[tokio::test]
async fn the_platform_may_register_it_again() {
    let world = World::new("provider").await;
    let audio = wav(3);
    let facts = json!({
        "call_id": "call-7", "started_at": "2026-01-31T07:15:09Z", "duration": 3, "external_id": "rec-7",
        "content_type": "audio/wav", "size": audio.len(), "sha256": sha256_hex(&audio),
    });
    let made = world.call("POST", "/recordings", facts.clone()).await;
    let id = made.json["id"].as_str().unwrap().to_owned();
    let at = world.path(&format!("/recordings/{id}/audio"));
    world
        .test
        .request_raw(Some(&world.test.key), "PUT", &at, &[], "audio/wav", audio)
        .await;
    let order = json!({"spans": [{"start_ms": 0, "end_ms": 1_000}]});
    let redactions = format!("/recordings/{id}/redactions");
    world.call("POST", &redactions, order).await;
    world.test.drain().await;
    // Its first answer was lost, perhaps.
    let again = world.call("POST", "/recordings", facts).await;
    assert_eq!(again.status, 200, "{}", again.json);
    assert_eq!(again.json["id"], id);
    assert_eq!(again.json["redacted"], true);
}

#[tokio::test]
async fn what_an_event_named_and_is_put_there_again_does_not_stay() {
    for keep_original in [false, true] {
        let world = World::new("provider").await;
        let key = format!("imports/{}/call-7.wav", world.test.account);
        let import = async |id: &str| {
            world.test.blobs.insert(&key, "audio/wav", wav(3));
            let event = json!({
                "type": "recording.available", "timestamp": "2026-01-31T07:59:00Z", "id": id,
                "data": {"call_id": "call-7", "recording": {
                    "id": "rec-7", "duration": 3, "url": format!("blob:{key}"),
                }},
            });
            let posted = world.call("POST", "/events", event).await;
            assert_eq!(posted.status, 202, "{}", posted.json);
            world.test.drain().await;
        };
        import("e1").await;
        let listed = world.call("GET", "/recordings", Value::Null).await;
        let items = listed.json["items"].as_array().unwrap();
        let found = items.iter().find(|one| one["external_id"] == "rec-7");
        let id = found.unwrap()["id"].as_str().unwrap();
        let order = json!({
            "spans": [{"start_ms": 0, "end_ms": 1_000}], "keep_original": keep_original,
        });
        world
            .call("POST", &format!("/recordings/{id}/redactions"), order)
            .await;
        world.test.drain().await;
        assert_eq!(world.test.blobs.keys().contains(&key), keep_original);
        // By a platform that does not know that it did.
        import("e2").await;
        assert_eq!(world.test.blobs.keys().contains(&key), keep_original);
        // And without telling: it goes when the recording goes.
        world.test.blobs.insert(&key, "audio/wav", wav(3));
        let at = format!("/recordings/{id}");
        let deleted = world.call("DELETE", &at, Value::Null).await;
        assert_eq!(deleted.json["receipt"]["deleted"], 1, "{}", deleted.json);
        assert!(!world.test.blobs.keys().contains(&key));
    }
}

/// Works on a redaction until it is settled; what fails comes again. Answers how often something did.
async fn finish(world: &World, app: &Arc<App>, ordered: &Response) -> u32 {
    let body = json!({
        "account": world.test.account, "recording": world.recording, "redaction": ordered.json["id"],
    });
    let consumer = RecordingConsumer::new(app.clone());
    let mut failed = 0;
    for receives in 1..9 {
        if world.read(ordered).await["state"] != "running" {
            return failed;
        }
        let message = Received {
            id: "m".to_owned(),
            body: body.to_string(),
            group: String::new(),
            receives,
        };
        failed += u32::from(!consumer.handle(vec![message]).await.is_empty());
    }
    panic!("it never ends");
}

/// It is done, once, and nothing else is left.
async fn check_done(world: &World, ordered: &Response, what: &str) {
    let read = world.read(ordered).await;
    assert_eq!(read["state"], "done", "{what}: {read}");
    assert_eq!(
        world.hear("/audio").await,
        silenced(&wav(10), 2..3),
        "{what}"
    );
    assert_eq!(world.test.blobs.versions_kept(), 1, "{what}");
    let (entries, _) = world
        .test
        .app
        .history_before(&world.test.account, 100, None)
        .await
        .unwrap();
    let id = ordered.json["id"].as_str().unwrap();
    let entries: Vec<_> = entries
        .iter()
        .filter(|entry| entry.item.ends_with(id))
        .collect();
    assert_eq!(entries.len(), 2, "{what}: the order, and what was done");
    assert!(entries.iter().all(|entry| entry.actor == entries[0].actor));
}

#[tokio::test]
async fn whatever_call_of_the_stores_fails_it_is_done_in_the_end_and_once() {
    for encryption in ["provider", "client"] {
        let mut tried = 0;
        for call in 0.. {
            let mut hit = false;
            for lose_answer in [false, true] {
                let world = World::new(encryption).await;
                let ordered = world.order(second_to_third()).await;
                let (app, faulty) = failing(&world.test);
                let error = StoreError::Unavailable("a fault".to_owned());
                faulty.fail(
                    call,
                    if lose_answer {
                        Fault::LoseAnswer(error)
                    } else {
                        Fault::Refuse(error)
                    },
                );
                let failed = finish(&world, &app, &ordered).await;
                hit |= failed > 0;
                tried += failed;
                check_done(&world, &ordered, &format!("row {call}")).await;
            }
            if !hit && call > 20 {
                break;
            }
        }
        assert!(tried > 20, "{tried}");
        for call in 0.. {
            let mut hit = false;
            for after in [false, true] {
                let world = World::new(encryption).await;
                let ordered = world.order(second_to_third()).await;
                world.test.blobs.fail(call, after);
                let failed = finish(&world, &world.test.app.clone(), &ordered).await;
                hit |= failed > 0;
                world.test.blobs.mend();
                check_done(&world, &ordered, &format!("object {call}")).await;
            }
            if !hit {
                assert!(call > 3, "{call}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn one_whose_message_was_lost_is_found_again() {
    let world = World::new("client").await;
    let ordered = world.order(second_to_third()).await;
    // Its message comes while there is nothing to do, and does not come again.
    let table = &world.test.app.table;
    let key = keyspace::redaction(&world.recording, ordered.json["id"].as_str().unwrap());
    let row = table.get(&key).await.unwrap().unwrap();
    let commit = async |op| {
        let unit = Unit {
            ops: vec![op],
            sends: Vec::new(),
        };
        table.commit(unit).await.unwrap();
    };
    commit(Op::Delete(key.clone(), When::Present)).await;
    world.test.drain().await;
    commit(Op::Put(Put {
        index: row.index,
        ..Put::new(key, row.doc, When::Absent)
    }))
    .await;
    world.test.after(std::time::Duration::from_mins(29)).await;
    assert_eq!(world.read(&ordered).await["state"], "running");
    world.test.after(std::time::Duration::from_mins(2)).await;
    assert_eq!(world.read(&ordered).await["state"], "done");
}

#[tokio::test]
async fn two_at_once_both_take_effect() {
    let world = World::new("client").await;
    let mut other = second_to_third();
    other["spans"] = json!([{"start_ms": 7_000, "end_ms": 8_000}]);
    let first = world.order(second_to_third()).await;
    world.test.clock.advance(std::time::Duration::from_secs(1));
    let orders = [first, world.order(other).await];
    world.test.drain().await;
    for ordered in &orders {
        assert_eq!(world.read(ordered).await["state"], "done");
    }
    let expected = silenced(&silenced(&wav(10), 2..3), 7..8);
    assert_eq!(world.hear("/audio").await, expected);
    assert_eq!(world.test.blobs.keys().len(), 1);
    let listed = world
        .call("GET", &world.at("/redactions?limit=1"), Value::Null)
        .await;
    assert_eq!(listed.json["items"][0]["spans"][0]["start_ms"], 7_000);
    let cursor = listed.json["next_cursor"].as_str().unwrap();
    let at = world.at(&format!("/redactions?limit=1&cursor={cursor}"));
    let next = world.call("GET", &at, Value::Null).await;
    assert_eq!(next.json["items"][0]["spans"][0]["start_ms"], 2_000);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_its_reason() {
    let world = World::new("client").await;
    for (order, field) in [
        (json!({"spans": []}), "spans"),
        (json!({"spans": [{"start_ms": 5, "end_ms": 5}]}), "spans"),
        (
            json!({"spans": vec![json!({"start_ms": 0, "end_ms": 5}); 1_001]}),
            "spans",
        ),
        (
            json!({"spans": [{"start_ms": 0, "end_ms": 5}], "reason": ""}),
            "reason",
        ),
    ] {
        let refused = world.order(order).await;
        assert_eq!(refused.status, 400, "{}", refused.json);
        assert_eq!(
            refused.json["errors"][0]["field"], field,
            "{}",
            refused.json
        );
    }
    // How long the audio is only reading it tells.
    let late = json!({"spans": [{"start_ms": 10_000, "end_ms": 11_000}]});
    let failed = world.redact(late).await;
    assert_eq!(failed["state"], "failed");
    assert!(failed["failure"].as_str().unwrap().contains("past the end"));
    assert_eq!(world.hear("/audio").await, wav(10));
    assert_eq!(world.shown().await["redacted"], false);
    assert_eq!(world.test.blobs.keys().len(), 1);
}

#[tokio::test]
async fn only_so_many_are_under_way() {
    let world = World::new("provider").await;
    for _ in 0..8 {
        assert_eq!(world.order(second_to_third()).await.status, 202);
    }
    assert_eq!(world.order(second_to_third()).await.status, 409);
    world.test.drain().await;
    assert_eq!(world.order(second_to_third()).await.status, 202);
}

#[tokio::test]
async fn a_key_that_was_wrapped_anew_opens_the_original_too() {
    let world = World::new("client").await;
    let mut order = second_to_third();
    order["keep_original"] = true.into();
    world.redact(order).await;
    let wrapped = world.call("POST", "/recordings/rewrap", json!({})).await;
    assert_eq!(wrapped.json["rewrapped"], 1, "{}", wrapped.json);
    assert_eq!(world.hear("/original").await, wav(10));
    assert_eq!(world.hear("/audio").await, silenced(&wav(10), 2..3));
}
