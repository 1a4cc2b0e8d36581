//! Links of objects, over HTTP.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use ringfence_embedded::{Embedded, Options, Pump, PumpOptions};
use ringfence_local::{blobs, server};
use ringfence_ports::{
    BlobMeta, Blobs as _, Consumer, OBJECTS, Received, Served,
    contract::{self, TestClock},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::process::Folder;

/// Takes down what is told of objects.
#[derive(Default)]
struct Told(Mutex<Vec<(String, u64)>>);

#[async_trait]
impl Consumer for Told {
    async fn handle(&self, batch: Vec<Received>) -> Vec<String> {
        for message in batch {
            let body: serde_json::Value = serde_json::from_str(&message.body).unwrap();
            let key = body["key"].as_str().unwrap().to_owned();
            self.0
                .lock()
                .unwrap()
                .push((key, body["length"].as_u64().unwrap()));
        }
        Vec::new()
    }
}

/// A store under a clock of the test's own, and the server in front of it.
struct Web {
    address: SocketAddr,
    clock: TestClock,
    store: Arc<Embedded>,
    told: Arc<Told>,
    _folder: Folder,
}

impl Web {
    async fn start() -> Arc<Self> {
        let (folder, clock) = (Folder::new("blobs"), TestClock::default());
        let options = Options::default();
        let store = Embedded::open(folder.path(), &options, Arc::new(clock.clone())).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = blobs::router(store.blobs());
        tokio::spawn(server::serve(
            listener,
            move |request| {
                let router = router.clone();
                async move { ringfence_http::answer(&router, request).await }
            },
            std::future::pending(),
            Duration::ZERO,
        ));
        Arc::new(Self {
            address,
            clock,
            store: Arc::new(store),
            told: Arc::default(),
            _folder: folder,
        })
    }

    /// A request as it is sent, and the whole answer.
    async fn exchange(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap().to_ascii_lowercase()
    }
}

#[async_trait]
impl contract::BlobWeb for Web {
    fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    async fn created(&self, prefix: &str) -> Option<Vec<(String, u64)>> {
        Pump::new(&self.store, Arc::new(self.clock.clone()))
            .consumer(OBJECTS, self.told.clone(), PumpOptions::default())
            .drain()
            .await;
        let mut told = self.told.0.lock().unwrap();
        let (these, others) = told.drain(..).partition(|(key, _)| key.starts_with(prefix));
        *told = others;
        Some(these)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links() {
    let web = Web::start().await;
    contract::blob_links(web.store.blobs(), web, "l").await;
}

#[tokio::test]
async fn answers_say_how_to_treat_them() {
    let web = Web::start().await;
    let meta = BlobMeta {
        content_type: "text/html".to_owned(),
        ..BlobMeta::default()
    };
    let bytes = Box::pin(futures_util::stream::iter([Ok("<script>".into())]));
    web.store.blobs().put("a", meta, bytes).await.unwrap();
    let ttl = Duration::from_mins(1);
    let link = web
        .store
        .blobs()
        .link("a", ttl, Served::default())
        .await
        .unwrap();
    let head = |method: &str, extra: &str| {
        format!("{method} {link} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{extra}\r\n")
    };
    for (method, extra) in [("GET", ""), ("HEAD", ""), ("GET", "range: bytes=99-\r\n")] {
        let answer = web.exchange(&head(method, extra)).await;
        for line in [
            "cache-control: private, no-store",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "content-security-policy: default-src 'none'; media-src 'self'; sandbox",
        ] {
            assert!(answer.contains(line), "{method} {extra}: {answer}");
        }
    }
    let answer = web.exchange(&head("HEAD", "")).await;
    assert!(
        answer.contains("content-length: 8") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
    // A seek of a player that has begun with this object, and of one that had another.
    let tag = answer
        .lines()
        .find_map(|line| line.strip_prefix("etag: "))
        .unwrap();
    let same = web
        .exchange(&head(
            "GET",
            &format!("range: bytes=1-2\r\nif-range: {tag}\r\n"),
        ))
        .await;
    assert!(
        same.starts_with("http/1.1 206") && same.ends_with("\r\nsc"),
        "{same}"
    );
    let other = web
        .exchange(&head("GET", "range: bytes=1-2\r\nif-range: \"x\"\r\n"))
        .await;
    assert!(
        other.starts_with("http/1.1 200") && other.ends_with("\r\n<script>"),
        "{other}"
    );
}

#[tokio::test]
async fn an_upload_says_its_length_and_keeps_to_it() {
    let web = Web::start().await;
    let meta = BlobMeta {
        content_type: "audio/wav".to_owned(),
        length: Some(3),
        ..BlobMeta::default()
    };
    let ttl = Duration::from_mins(1);
    let link = web
        .store
        .blobs()
        .upload_link("a", &meta, ttl)
        .await
        .unwrap();
    let put = |rest: &str| {
        format!(
            "PUT {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: audio/wav\r\n{rest}",
            link.url
        )
    };
    let chunked = put("transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    let answer = web.exchange(&chunked).await;
    assert!(answer.starts_with("http/1.1 411"), "{answer}");
    let encoded = put("content-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc");
    let answer = web.exchange(&encoded).await;
    assert!(answer.starts_with("http/1.1 403"), "{answer}");
    assert!(web.store.blobs().head("a").await.is_err());
    let answer = web.exchange(&put("content-length: 3\r\n\r\nabc")).await;
    assert!(answer.starts_with("http/1.1 200"), "{answer}");
    assert_eq!(web.store.blobs().head("a").await.unwrap().length, 3);
}
