//! Two hours of audio, encrypted by Ringfence, on the embedded default: taken, played and redacted in memory
//! that does not grow with it. A process of its own, so that its memory is nobody else's.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use ringfence_domain::{
    App,
    history::Actor,
    keyspace,
    recording::{Facts, Listener, Played, Range, RecordingConsumer},
    redaction::{Order, State, StoredSpan},
    settings::{Edit, Tenant},
};
use ringfence_embedded::{Embedded, Options, Pump, PumpOptions};
use ringfence_ports::{ByteStream, Clock, SystemClock, SystemRandom};
use ringfence_webhook::{Policy, Sender, target::SystemResolver};
use serde_json::json;

const SECONDS: usize = 7_200;

/// Bytes of a second: 8 kHz, sixteen bits, both sides.
const SECOND: usize = 32_000;

/// What the work may take beside what there was before, KiB. The audio is 220 MiB.
const MOST_KIB: u64 = 24 * 1024;

fn header() -> Vec<u8> {
    let length = u32::try_from(SECONDS * SECOND).unwrap();
    let mut header = b"RIFF".to_vec();
    header.extend((length + 36).to_le_bytes());
    header.extend(b"WAVEfmt \x10\0\0\0\x01\0\x02\0\x40\x1f\0\0\0\x7d\0\0\x04\0\x10\0data");
    header.extend(length.to_le_bytes());
    header
}

/// A second of audio, unlike any other.
fn second(number: usize) -> Vec<u8> {
    number.to_le_bytes().repeat(SECOND / size_of::<usize>())
}

fn audio() -> ByteStream {
    let first = stream::iter([Ok(Bytes::from(header()))]);
    let rest = stream::iter((0..SECONDS).map(|number| Ok(Bytes::from(second(number)))));
    Box::pin(first.chain(rest))
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

/// What `work` answers, which must not take more memory than it may.
async fn measured<T>(what: &str, work: impl Future<Output = T>) -> T {
    // "5" starts the most resident anew (proc(5)).
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let (before, _) = memory();
    let began = std::time::Instant::now();
    let answer = work.await;
    let (_, most) = memory();
    println!("{what}: {:?}, {before} -> {most} KiB", began.elapsed());
    assert!(most < before + MOST_KIB, "{what}: {before} -> {most} KiB");
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(
    clippy::too_many_lines,
    reason = "one long run, told from start to end"
)]
async fn two_hours_flow_through() {
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store =
        Arc::new(Embedded::open(folder.path(), &Options::default(), clock.clone()).unwrap());
    let sender = Sender::new(
        Policy::public(),
        Arc::new(SystemResolver),
        ringfence_webhook::send::Options::default(),
    )
    .unwrap();
    let app = App::new(
        store.clone(),
        store.clone(),
        store.keys(),
        clock.clone(),
        Arc::new(SystemRandom::new()),
        sender,
    )
    .with_blobs(store.blobs());
    let app = Arc::new(app);
    let actor = Actor::system();
    let agency = app.create_agency("Agency", &actor).await.unwrap().value.id;
    let account = app.create_account(&agency, "Account", &actor).await;
    let account = account.unwrap().value;
    let tenant = Tenant::Account(account.clone());
    let edit = Edit::Put(json!({"encryption": "client"}));
    app.save_recordings(&tenant, 0, edit, &actor).await.unwrap();
    let account = account.id;
    let config = app.account_config(&account).await.unwrap().unwrap();
    let facts = Facts {
        call_id: "call-1042".to_owned(),
        started_at: "2026-01-31T07:15:09Z".parse().unwrap(),
        duration: u32::try_from(SECONDS).unwrap(),
        content_type: "audio/wav".to_owned(),
        ..Facts::default()
    };
    let made = app.register_recording(&config, facts).await.unwrap();
    let id = made.recording.id;
    let upload = Box::pin(app.upload_recording(&config, &id, audio()));
    measured("upload", upload).await.unwrap();
    let order = Order {
        spans: (0..500)
            .map(|n| StoredSpan {
                start_ms: n * 14_000 + 1_000,
                end_ms: n * 14_000 + 2_000,
            })
            .collect(),
        tone: false,
        keep_original: false,
        reason: "card numbers".to_owned(),
    };
    let pump = Pump::new(&store, clock).consumer(
        keyspace::RECORDINGS,
        Arc::new(RecordingConsumer::new(app.clone())),
        PumpOptions::default(),
    );
    let redaction = app
        .redact_recording(&account, &id, order, &actor)
        .await
        .unwrap();
    measured("redaction", pump.drain()).await;
    let redaction = app.redaction(&id, &redaction.id).await.unwrap();
    assert_eq!(redaction.state, State::Done, "{redaction:?}");
    assert_eq!(redaction.silenced_ms, Some(500_000));
    // Every second of it, as it was or silent; asked for from the middle on and then from the start.
    let recording = app.recording(&account, &id).await.unwrap().recording;
    let listener = || Listener {
        link: None,
        user: None,
        address: None,
        to_original: false,
    };
    measured("playback", async {
        let middle = header().len() + SECONDS / 2 * SECOND;
        for (from, seconds) in [(middle, SECONDS / 2..SECONDS), (0, 0..SECONDS)] {
            let range = Range::From(from as u64, None);
            let played = app.play(&recording, Some(range), None, listener()).await;
            let Ok(Played::Bytes { mut bytes, .. }) = played else {
                panic!("it is sealed");
            };
            let mut heard = Vec::new();
            if from == 0 {
                while heard.len() < header().len() {
                    heard.extend_from_slice(&bytes.next().await.unwrap().unwrap());
                }
                assert_eq!(heard[..header().len()], header());
                heard.drain(..header().len());
            }
            for number in seconds {
                while heard.len() < SECOND {
                    heard.extend_from_slice(&bytes.next().await.unwrap().unwrap());
                }
                let expected = if number % 14 == 1 && number < 7_000 {
                    vec![0; SECOND]
                } else {
                    second(number)
                };
                assert!(heard[..SECOND] == expected, "second {number}");
                heard.drain(..SECOND);
            }
            assert!(heard.is_empty() && bytes.next().await.is_none());
        }
    })
    .await;
}
