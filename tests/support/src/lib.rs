//! What tests across crates share: an [`App`] on a folder of its own under a clock of its own
//! ([`TestApp`]), and a receiver that does as told ([`Receiver`]).

#![allow(
    clippy::missing_panics_doc,
    reason = "a test that cannot be set up panics"
)]

mod blobs;
mod people;
mod pins;
mod post;
mod receiver;

use std::{
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use ringfence_domain::{
    App,
    access::{Owner, Scope},
    history::Actor,
    keyspace,
    notification::{Notifier, NotifierOptions},
    recording::RecordingConsumer,
};
use ringfence_embedded::{Embedded, Options, Pump, PumpOptions};
use ringfence_ports::Mailbox;
use ringfence_ports::contract::{Counting, TestClock, TestRandom};
use ringfence_webhook::{
    Policy, Sender,
    target::{Resolve, SystemResolver},
};
use tower::ServiceExt;

pub use blobs::MemoryBlobs;
pub use people::SignedIn;
pub use pins::CountingPins;
pub use post::{Handling, Postbox};
pub use receiver::{Answer, Post, Receiver};

/// When test clocks start.
pub const START: &str = "2026-01-31T08:00:00Z";

/// An app on the embedded store, with an operator's key, an agency and an account.
pub struct TestApp {
    /// The app.
    pub app: Arc<App>,
    /// Its clock.
    pub clock: TestClock,
    /// What stands before the store, counting.
    pub counting: Arc<Counting<Embedded>>,
    /// Its recordings' audio.
    pub blobs: Arc<MemoryBlobs>,
    /// Counts the hashes of PINs.
    pub pins: Arc<CountingPins>,
    /// Where its mail and text messages go.
    pub post: Arc<Postbox>,
    /// The queues' pump: [`TestApp::drain`] runs it.
    pump: Arc<Pump>,
    /// The operator's API key.
    pub key: String,
    /// The sample agency.
    pub agency: String,
    /// The sample account.
    pub account: String,
    router: Mutex<Option<Router>>,
    caller_address: Mutex<Option<IpAddr>>,
    _folder: tempfile::TempDir,
}

/// An answer of a router.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, exactly.
    pub bytes: Vec<u8>,
    /// The body, if it is JSON; else null.
    pub json: serde_json::Value,
}

impl TestApp {
    /// A new one, that may post to 127.0.0.0/8.
    pub async fn new() -> Self {
        Self::with_policy(Policy::public().allow_subnet("127.0.0.0/8".parse().unwrap())).await
    }

    /// A new one that may post where `policy` permits.
    pub async fn with_policy(policy: Policy) -> Self {
        Self::with_resolver(policy, Arc::new(SystemResolver)).await
    }

    /// The same, with names that `resolver` answers.
    pub async fn with_resolver(policy: Policy, resolver: Arc<dyn Resolve>) -> Self {
        Self::build(policy, resolver, |_| {}).await
    }

    /// A new one in a process that goes on after its answers, as a server's does.
    pub async fn going_on() -> Self {
        let resolver = Arc::new(SystemResolver);
        Self::build(Policy::public(), resolver, |app| app.goes_on = true).await
    }

    /// A new one whose host carries so many bytes of one request or answer.
    pub async fn with_max_message_bytes(limit: u64) -> Self {
        let resolver = Arc::new(SystemResolver);
        let host = |app: &mut App| app.max_message_bytes = Some(limit);
        Self::build(Policy::public(), resolver, host).await
    }

    async fn build(
        policy: Policy,
        resolver: Arc<dyn Resolve>,
        host: impl FnOnce(&mut App),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = TestClock::at(START.parse().unwrap());
        let shared: Arc<dyn ringfence_ports::Clock> = Arc::new(clock.clone());
        let store =
            Arc::new(Embedded::open(folder.path(), &Options::default(), shared.clone()).unwrap());
        let keys = store.keys();
        let counting = Arc::new(Counting::new(store.clone()));
        let sender = Sender::new(
            policy,
            resolver,
            ringfence_webhook::send::Options::default(),
        )
        .unwrap();
        let blobs = Arc::new(MemoryBlobs::new(shared.clone()));
        let pins = Arc::new(CountingPins::default());
        let mut app = App::new(
            counting.clone(),
            counting.clone(),
            keys,
            shared.clone(),
            Arc::new(TestRandom::new(1)),
            sender,
        )
        .with_blobs(blobs.clone());
        app.pin_hasher = pins.clone();
        host(&mut app);
        let app = Arc::new(app);
        let post = Arc::new(Postbox::default());
        let pump = Pump::new(&store, shared)
            .consumer(
                keyspace::NOTIFY,
                Arc::new(notifier(&app, &post)),
                PumpOptions::default(),
            )
            .consumer(
                keyspace::DISPATCH,
                Arc::new(ringfence_dispatch::consumer(app.clone())),
                PumpOptions::default(),
            )
            .consumer(
                ringfence_ports::OBJECTS,
                Arc::new(RecordingConsumer::new(app.clone())),
                PumpOptions::default(),
            )
            .consumer(
                keyspace::RECORDINGS,
                Arc::new(RecordingConsumer::new(app.clone())),
                PumpOptions::default(),
            )
            .consumer(
                keyspace::JOBS,
                Arc::new(ringfence_jobs::consumer(app.clone())),
                PumpOptions::default(),
            );
        let actor = Actor::system();
        let (_, secret) = app
            .create_api_key(
                Owner::Platform,
                "operator".to_owned(),
                Scope::ALL.to_vec(),
                None,
                &actor,
            )
            .await
            .unwrap();
        let agency = app
            .create_agency("Sample agency", &actor)
            .await
            .unwrap()
            .value
            .id;
        let account = app
            .create_account(&agency, "Sample account", &actor)
            .await
            .unwrap()
            .value
            .id;
        Self {
            app,
            clock,
            counting,
            blobs,
            pins,
            post,
            pump: Arc::new(pump),
            key: secret.reveal().to_owned(),
            agency,
            account,
            router: Mutex::new(None),
            caller_address: Mutex::new(None),
            _folder: folder,
        }
    }

    /// Answers requests with these routes.
    #[must_use]
    pub fn serving(
        self,
        router: utoipa_axum::router::OpenApiRouter<ringfence_http::AppState>,
    ) -> Self {
        let (router, _) = router.split_for_parts();
        *self.router.lock().unwrap() = Some(router.with_state(self.app.clone()));
        self
    }

    /// From now on requests come from this address.
    pub fn calling_from(&self, address: [u8; 4]) {
        *self.caller_address.lock().unwrap() = Some(address.into());
    }

    /// An API key of `owner` with these scopes.
    pub async fn key_for(&self, owner: Owner, scopes: &[Scope]) -> String {
        let made = self
            .app
            .create_api_key(
                owner,
                "test".to_owned(),
                scopes.to_vec(),
                None,
                &Actor::system(),
            )
            .await;
        made.unwrap().1.reveal().to_owned()
    }

    /// One request with the operator's key and a JSON body (null: none).
    pub async fn request(&self, method: &str, path: &str, body: serde_json::Value) -> Response {
        self.request_as(Some(&self.key), method, path, &[], body)
            .await
    }

    /// One request with this key, these further headers and a JSON body (null: none).
    pub async fn request_as(
        &self,
        key: Option<&str>,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: serde_json::Value,
    ) -> Response {
        let bytes = if body.is_null() {
            Vec::new()
        } else {
            serde_json::to_vec(&body).unwrap()
        };
        self.request_raw(key, method, path, headers, "application/json", bytes)
            .await
    }

    /// One request, byte for byte.
    pub async fn request_raw(
        &self,
        key: Option<&str>,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        content_type: &str,
        body: Vec<u8>,
    ) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        if !body.is_empty()
            && !headers
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        {
            request = request.header("content-type", content_type);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let router = self
            .router
            .lock()
            .unwrap()
            .clone()
            .expect("TestApp::serving was not called");
        let mut request = request.body(Body::from(body)).unwrap();
        if let Some(address) = *self.caller_address.lock().unwrap() {
            request
                .extensions_mut()
                .insert(ringfence_http::ClientAddress(address));
        }
        let response = router.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        let json = serde_json::from_slice(&bytes).unwrap_or_default();
        Response {
            status: parts.status,
            headers: parts.headers,
            bytes,
            json,
        }
    }

    /// A GET with the operator's key; `None`: the answer's body broke off.
    pub async fn try_request(&self, path: &str) -> Option<Vec<u8>> {
        let request = Request::builder()
            .uri(path)
            .header("authorization", format!("Bearer {}", self.key))
            .body(Body::empty())
            .unwrap();
        let router = self.router.lock().unwrap().clone();
        let router = router.expect("TestApp::serving was not called");
        let response = router.oneshot(request).await.unwrap();
        let body = response.into_body().collect().await.ok()?;
        Some(body.to_bytes().to_vec())
    }

    /// The pump itself, for tests that let it run.
    pub fn pump(&self) -> Arc<Pump> {
        self.pump.clone()
    }

    /// Works off all that is due at the clock's time. Answers how many messages that was.
    pub async fn drain(&self) -> usize {
        self.pump.drain().await
    }

    /// Moves the clock, lets the minute's sweep run, and works off what is due then.
    pub async fn after(&self, wait: Duration) -> usize {
        self.clock.advance(wait);
        self.app.sweep_due_deliveries().await.unwrap();
        self.drain().await
    }
}

/// What sends the notices of `app` to `post`, from an installation at `https://ringfence.example`.
pub fn notifier(app: &Arc<App>, post: &Arc<Postbox>) -> Notifier {
    let options = NotifierOptions {
        from: Mailbox {
            name: Some("Ringfence".to_owned()),
            address: "notices@ringfence.example".to_owned(),
        },
        reply_to: None,
        origin: "https://ringfence.example".to_owned(),
    };
    Notifier::new(app.clone(), post.clone(), post.clone(), options)
}

/// The SHA-256 of `bytes`, hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    ringfence_domain::id::hex(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
}

/// A WAV file of mu-law audio, 8,000 bytes a second, of a quiet tone.
pub fn wav(seconds: u32) -> Vec<u8> {
    let length = seconds * 8_000;
    let mut file = b"RIFF".to_vec();
    file.extend((length + 36).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x07\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data");
    file.extend(length.to_le_bytes());
    file.extend((0..length).map(|at| if at / 10 % 2 == 0 { 0x9f } else { 0x1f }));
    file
}
