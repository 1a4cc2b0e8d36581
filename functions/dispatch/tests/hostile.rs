//! Receivers that mean harm, beside one that is well: none delays it, none gets what it should not, and
//! each is explained in the log.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use ringfence_test_support::{Receiver, TestApp};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A server that does `what` with each connection once a request has begun to arrive.
async fn server<F, W>(what: W) -> (SocketAddr, Arc<AtomicUsize>)
where
    W: Fn(TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            let mut some = [0; 4096];
            let _ = stream.read(&mut some).await;
            tokio::spawn(what(stream));
        }
    });
    (address, connections)
}

async fn callback(test: &TestApp, account: &str, url: &str) {
    let path = format!("/v1/accounts/{account}/settings/callbacks");
    let settings = json!({"cdr": {"url": url, "timeout_seconds": 1}});
    let saved = test
        .request_as(
            Some(&test.key),
            "PUT",
            &path,
            &[("if-match", "\"0\"")],
            settings,
        )
        .await;
    assert_eq!(saved.status, 200, "{}", saved.json);
}

async fn post(test: &TestApp, account: &str, id: &str) -> String {
    let event = json!({"type": "cdr.created", "id": id, "timestamp": "2026-01-31T07:59:00Z", "data": {"call_id": id}});
    let answer = test
        .request("POST", &format!("/v1/accounts/{account}/events"), event)
        .await;
    assert_eq!(answer.status, 202, "{}", answer.json);
    answer.json["results"][0]["delivery"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn app() -> TestApp {
    let router = ringfence_settings::router()
        .merge(ringfence_ingest::router())
        .merge(ringfence_callbacks::router());
    TestApp::new().await.serving(router)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::too_many_lines, reason = "one scene, seen whole")]
async fn hostile_receivers_delay_nobody_and_are_explained() {
    let test = app().await;
    let well = Receiver::start().await;
    callback(&test, &test.account, &well.url()).await;

    let hangs = server(|stream| async move {
        tokio::time::sleep(Duration::from_mins(1)).await;
        drop(stream);
    })
    .await;
    let trickles = server(|mut stream| async move {
        for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n"
            .iter()
            .cycle()
        {
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
    .await;
    let floods = server(|mut stream| async move {
        let head = b"HTTP/1.1 500 X\r\ncontent-length: 10000000000\r\n\r\n";
        let chunk = vec![b'x'; 1 << 16];
        let mut result = stream.write_all(head).await;
        while result.is_ok() {
            result = stream.write_all(&chunk).await;
        }
    })
    .await;
    let bomb = server(|mut stream| async move {
        let head = b"HTTP/1.1 500 X\r\ncontent-encoding: gzip\r\ncontent-length: 20\r\n\r\n";
        let _ = stream.write_all(head).await;
        let _ = stream
            .write_all(&[
                0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b, 4, 0, 0x43, 0xbe, 0xb7, 0xe8, 1, 0, 0,
            ])
            .await;
        tokio::time::sleep(Duration::from_mins(1)).await;
    })
    .await;
    let redirects = server(|mut stream| async move {
        let answer = b"HTTP/1.1 307 X\r\nlocation: http://169.254.169.254/latest/meta-data/\r\ncontent-length: 0\r\n\r\n";
        let _ = stream.write_all(answer).await;
    })
    .await;

    let mut expected = Vec::new();
    for (name, address, explained) in [
        ("hangs", hangs.0, "in time"),
        ("trickles", trickles.0, "in time"),
        ("floods", floods.0, "answered 500"),
        ("bomb", bomb.0, "answered 500"),
        ("redirects", redirects.0, "Redirects are not followed"),
    ] {
        let account = test
            .app
            .create_account(
                &test.agency,
                name,
                &ringfence_domain::history::Actor::system(),
            )
            .await
            .unwrap()
            .value
            .id;
        callback(&test, &account, &format!("http://{address}/")).await;
        let delivery = post(&test, &account, name).await;
        expected.push((account, delivery, explained));
    }
    post(&test, &test.account, "well").await;

    let started = Instant::now();
    let pumping = tokio::spawn({
        let stop = tokio::time::sleep(Duration::from_millis(2500));
        let pump = test.pump();
        async move { pump.run(stop).await }
    });
    while well.posts().is_empty() {
        assert!(
            started.elapsed() < Duration::from_millis(900),
            "the good endpoint waited for a bad one"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    pumping.await.unwrap();
    for (account, delivery, explained) in expected {
        let seen = test
            .request(
                "GET",
                &format!("/v1/accounts/{account}/deliveries/{delivery}"),
                Value::Null,
            )
            .await
            .json;
        let attempt = &seen["attempts"][0];
        assert!(
            attempt["explanation"]
                .as_str()
                .unwrap_or_default()
                .contains(explained),
            "{seen}"
        );
        assert!(attempt["response"].as_str().unwrap_or_default().len() <= 4096);
        assert_eq!(seen["status"], "retrying");
    }
}

#[tokio::test]
async fn urls_that_lead_inside_are_refused_on_save_with_their_field() {
    let test = app().await;
    let path = format!("/v1/accounts/{}/settings/callbacks", test.account);
    for url in [
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:25/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[64:ff9b::a00:1]/",
        "http://[2002:a00:1::]/",
        "http://0x0a000001/",
        "http://167772161/",
        "http://012.0.0.1/",
        "http://10.1/",
        "http://user:hunter2@example.com/",
        "http://example.com:22/",
        "http://\u{ff11}\u{ff10}.0.0.1/",
        "http://[fe80::1%25eth0]/",
        "//example.com/",
        "not a url",
        "",
    ] {
        let settings = json!({"cdr": {"url": url}});
        let answer = test
            .request_as(
                Some(&test.key),
                "PUT",
                &path,
                &[("if-match", "\"0\"")],
                settings,
            )
            .await;
        assert_eq!(answer.status, 400, "{url} {}", answer.json);
        assert_eq!(
            answer.json["errors"][0]["field"], "cdr.url",
            "{url} {}",
            answer.json
        );
        let said = answer.json.to_string();
        assert!(
            !said.contains("10.0.0.1") && !said.contains("hunter2"),
            "{said}"
        );
    }
}
