//! What events cost on AWS, counted where requests leave the SDK: accepted in one request of so many,
//! and delivered. README.md has the money.

mod common;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::Account;
use ringfence_aws::Tally;
use ringfence_domain::App;
use ringfence_domain::callback::Dispatcher;
use ringfence_domain::event::{ContentKind, native, source};
use ringfence_domain::history::{Action, Actor, Change};
use ringfence_domain::ingest::Accepted;
use ringfence_domain::link::Purpose;
use ringfence_domain::recording::{Facts, Listener, RecordingConsumer};
use ringfence_domain::settings::{Edit, Tenant};
use ringfence_ports::contract::TestRandom;
use ringfence_ports::{
    BlobMeta, Clock, Consumer, OBJECTS, ObjectCreated, Queue, Received, Table, Unit,
};
use ringfence_webhook::target::SystemResolver;
use ringfence_webhook::{Policy, Sender, send};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Takes every post, and counts them.
struct Receiver {
    url: String,
    posts: Arc<AtomicUsize>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/callback", listener.local_addr().unwrap());
        let posts = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&posts);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Self::serve(stream, Arc::clone(&counted)));
            }
        });
        Self { url, posts }
    }

    async fn serve(stream: TcpStream, posts: Arc<AtomicUsize>) {
        let mut stream = BufReader::new(stream);
        let (mut line, mut length) = (String::new(), 0);
        while stream.read_line(&mut line).await.is_ok_and(|n| n > 0) {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                let mut body = vec![0; std::mem::take(&mut length)];
                stream.read_exact(&mut body).await.unwrap();
                posts.fetch_add(1, Ordering::SeqCst);
                stream
                    .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
                    .await
                    .unwrap();
            }
            line.clear();
        }
    }
}

/// An installation on the emulator, with one account whose CDRs go to a receiver.
struct Installation {
    aws: Account,
    app: Arc<App>,
    dispatcher: Arc<dyn Consumer>,
    dispatch_url: String,
    account: String,
    receiver: Receiver,
}

impl Installation {
    async fn new() -> Self {
        let aws = Account::new();
        // Not before the samples' calls.
        aws.clock.set("2026-01-31T08:30:00Z".parse().unwrap());
        aws.create_table("main").await;
        let dispatch_url = aws.create_queue("dispatch").await;
        let jobs_url = aws.create_queue("jobs").await;
        let urls = HashMap::from([
            ("dispatch".to_owned(), dispatch_url.clone()),
            ("jobs".to_owned(), jobs_url),
        ]);
        let store = Arc::new(aws.store_over(urls));
        let policy = Policy::public().allow_subnet("127.0.0.0/8".parse().unwrap());
        let resolver = Arc::new(SystemResolver);
        let clock: Arc<dyn Clock> = Arc::new(aws.clock.clone());
        let blobs = aws.blobs_over(&aws.aws(), "cost", clock.clone()).await;
        let app = App::new(
            store.clone() as Arc<dyn Table>,
            store as Arc<dyn Queue>,
            Arc::new(aws.keys().await),
            clock,
            Arc::new(TestRandom::new(1)),
            Sender::new(policy, resolver, send::Options::default()).unwrap(),
        );
        let app = Arc::new(app.with_blobs(Arc::new(blobs)));
        let receiver = Receiver::start().await;
        let actor = Actor::system();
        let agency = app.create_agency("Agency", &actor).await.unwrap().value.id;
        let tenant = app
            .create_account(&agency, "Account", &actor)
            .await
            .unwrap()
            .value;
        let account = tenant.id.clone();
        let tenant = Tenant::Account(tenant);
        let callbacks = Edit::Put(json!({ "cdr": { "url": receiver.url } }));
        app.save_callbacks(&tenant, 0, callbacks, false, &actor)
            .await
            .unwrap();
        let dispatcher = Arc::new(Dispatcher::new(app.clone()));
        let new = Self {
            aws,
            app,
            dispatcher,
            dispatch_url,
            account,
            receiver,
        };
        // What a process does once (reading the settings, announcing the day) is done.
        new.cost(events("warm", 1)).await;
        new
    }

    /// Accepts these in one request and delivers them.
    async fn cost(&self, body: Value) -> (Tally, Tally) {
        let now = self.aws.clock.now();
        let parsed = native::parse(
            ContentKind::Json,
            body.to_string().as_bytes(),
            &self.account,
            now,
        )
        .unwrap();
        self.cost_of(parsed).await
    }

    async fn cost_of(
        &self,
        parsed: Vec<Result<ringfence_domain::event::Event, ringfence_domain::event::EventError>>,
    ) -> (Tally, Tally) {
        let count = parsed.len();
        self.aws.counter.take();
        let config = self
            .app
            .account_config(&self.account)
            .await
            .unwrap()
            .unwrap();
        for outcome in self.app.accept(&config, parsed).await.unwrap() {
            assert!(
                matches!(
                    outcome,
                    Accepted::New {
                        delivery: Some(_),
                        ..
                    }
                ),
                "{outcome:?}"
            );
        }
        let accepting = self.aws.counter.take();
        self.aws.drain(&self.dispatch_url, &self.dispatcher).await;
        assert_eq!(self.receiver.posts.swap(0, Ordering::SeqCst), count);
        (accepting, self.aws.counter.take())
    }
}

/// CDRs as large as the sample of `events/ingest`: a kilobyte each.
fn events(name: &str, count: usize) -> Value {
    let sample = include_str!("../../../events/ingest/cdr.created.json");
    let sample: Value = serde_json::from_str(sample).unwrap();
    (0..count)
        .map(|n| {
            let mut event = sample.clone();
            event["id"] = json!(format!("{name}-{n}-cdr"));
            event["data"]["call_id"] = json!(format!("{name}-{n}"));
            event
        })
        .collect()
}

fn requests(tally: &Tally) -> Vec<(&str, u64)> {
    tally
        .requests
        .iter()
        .map(|(name, n)| (name.as_str(), *n))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn an_event_of_a_kilobyte_is_two_writes_and_a_tenth_of_a_send() {
    let installation = Installation::new().await;
    for (count, sends) in [(1, 1), (10, 1), (100, 10), (1000, 100)] {
        let (accepting, delivering) = installation
            .cost(events(&format!("of{count}"), count))
            .await;
        eprintln!("{count} events: accepted {accepting:?}, delivered {delivering:?}");
        let n = count as u64;
        assert_eq!(
            requests(&accepting),
            [("PutItem", n), ("SendMessageBatch", sends)]
        );
        assert_eq!(requests(&delivering), [("PutItem", n)]);
        #[allow(clippy::cast_precision_loss, reason = "a small count")]
        let units = count as f64;
        assert_eq!(
            (accepting.writes(), accepting.reads()),
            (units, 0.0),
            "one write unit an event"
        );
        assert_eq!(
            (delivering.writes(), delivering.reads()),
            (units, 0.0),
            "one write unit a delivery"
        );
        assert_eq!(accepting.billed_sends, sends);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn a_record_of_a_platform_costs_what_it_weighs_deflated() {
    let installation = Installation::new().await;
    // With the most write units that storing the event may take: plain, they were 13 and 3.
    let posts: [(&str, &[u8], f64); 2] = [
        (
            "freeswitch-cdr.json",
            include_bytes!("../../../events/ingest/freeswitch-cdr.json"),
            4.0,
        ),
        (
            "freeswitch-inbound.json",
            include_bytes!("../../../events/ingest/freeswitch-inbound.json"),
            2.0,
        ),
    ];
    for (name, body, most) in posts {
        let post = source::Post {
            content_type: Some("application/json"),
            query: None,
            body,
            account_id: &installation.account,
            received_at: installation.aws.clock.now(),
        };
        let (accepting, delivering) = installation
            .cost_of(source::freeswitch::parse(&post).unwrap())
            .await;
        eprintln!(
            "{name}, {} bytes: accepted {accepting:?}, delivered {delivering:?}",
            body.len()
        );
        assert!(accepting.writes() <= most, "{name}: {accepting:?}");
        assert!(delivering.writes() <= 1.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn what_a_recording_costs_from_its_registration_to_its_listener() {
    let installation = Installation::new().await;
    let Installation {
        app, aws, account, ..
    } = &installation;
    let config = app.account_config(account).await.unwrap().unwrap();
    let audio = include_bytes!("../../../events/recordings/call.wav");
    let facts = |call: &str| Facts {
        call_id: call.to_owned(),
        started_at: aws.clock.now(),
        duration: 10,
        content_type: "audio/wav".to_owned(),
        size: Some(audio.len() as u64),
        ..Facts::default()
    };
    // The day is announced once a process.
    app.register_recording(&config, facts("warm"))
        .await
        .unwrap();
    aws.counter.take();
    let registered = app.register_recording(&config, facts("a")).await.unwrap();
    let registering = aws.counter.take();
    let key = registered.recording.blob.clone();
    let meta = BlobMeta {
        content_type: "audio/wav".to_owned(),
        ..BlobMeta::default()
    };
    let bytes = futures_util::stream::iter([Ok(audio.as_slice().into())]);
    app.blobs.put(&key, meta, Box::pin(bytes)).await.unwrap();
    aws.counter.take();
    let created = ObjectCreated {
        key,
        length: audio.len() as u64,
    };
    let told = Received {
        id: "m".to_owned(),
        body: serde_json::to_string(&created).unwrap(),
        group: OBJECTS.0.to_owned(),
        receives: 1,
    };
    let failed = RecordingConsumer::new(app.clone()).handle(vec![told]).await;
    assert!(failed.is_empty());
    let completing = aws.counter.take();
    aws.drain(&installation.dispatch_url, &installation.dispatcher)
        .await;
    assert_eq!(installation.receiver.posts.swap(0, Ordering::SeqCst), 1);
    let announcing = aws.counter.take();
    let recording = &registered.recording.id;
    let link = app
        .create_link(account, recording, Purpose::Api, None, &Actor::system())
        .await
        .unwrap();
    let linking = aws.counter.take();
    let open = app.open_link(link.token.reveal()).await.unwrap();
    let listener = Listener {
        link: None,
        user: None,
        address: None,
        to_original: false,
    };
    app.play(&open.recording, None, None, listener)
        .await
        .unwrap();
    let playing = aws.counter.take();
    // A row, its mark beside the call: a transaction costs double.
    assert_eq!(requests(&registering), [("TransactWriteItems", 1)]);
    assert_eq!(
        requests(&completing),
        [
            ("GET x-id", 1),
            ("GenerateMac", 2),
            ("GetItem", 1),
            ("PutItem", 1),
            ("SendMessageBatch", 1),
            ("TransactWriteItems", 1)
        ]
    );
    assert_eq!(requests(&announcing), [("PutItem", 1)]);
    assert_eq!(
        requests(&linking),
        [("GetItem", 2), ("TransactWriteItems", 1)]
    );
    // The link, the settings, the listener's entry. That its URL is presigned asks nobody.
    assert_eq!(
        requests(&playing),
        [("BatchGetItem", 1), ("GetItem", 4), ("PutItem", 1)]
    );
    assert_eq!(
        (registering.writes(), completing.writes()),
        (4.0, 9.0),
        "write units"
    );
    let rest = (announcing.writes(), linking.writes(), playing.writes());
    assert_eq!(rest, (1.0, 13.0, 1.0), "write units");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn a_hundred_parallel_changes_by_ten_processes_make_a_contiguous_chain() {
    let installation = Installation::new().await;
    let app = &installation.app;
    let (before, _) = app
        .history_before(&installation.account, 1, None)
        .await
        .expect("the history");
    let first = before.first().map_or(0, |entry| entry.seq);
    let processes: Vec<Arc<App>> = (0..10)
        .map(|at| {
            Arc::new(App::new(
                app.table.clone(),
                app.queue.clone(),
                app.keys.clone(),
                app.clock.clone(),
                Arc::new(TestRandom::new(100 + at)),
                app.sender.clone(),
            ))
        })
        .collect();
    let mut tasks = tokio::task::JoinSet::new();
    for at in 0..100 {
        let process = processes[at % 10].clone();
        let account = installation.account.clone();
        tasks.spawn(async move {
            let change = Change {
                item: format!("settings/{at}"),
                action: Action::Update,
                before: Value::Null,
                after: at.into(),
            };
            let unit = Unit::default();
            process
                .commit_change(&account, &Actor::system(), change, unit)
                .await
                .map(|entry| entry.seq)
        });
    }
    let made = tasks.join_all().await;
    let mut seqs = made
        .into_iter()
        .collect::<Result<Vec<u64>, _>>()
        .expect("every change");
    seqs.sort_unstable();
    assert_eq!(seqs, (first + 1..=first + 100).collect::<Vec<_>>());
    let found = app
        .verify_history(&installation.account, None, None)
        .await
        .expect("the history");
    assert_eq!((found.bad, found.verified), (None, first + 100));
}
