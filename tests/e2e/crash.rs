//! `kill -9` at random moments of a load: every acknowledged event is delivered, and what arrives twice
//! was in flight, under the same `webhook-id`.
//!
//! `RINGFENCE_CRASH_ROUNDS` kills that often (5 unless set; 50 and more is the long run by hand).

#[path = "../load/src/http.rs"]
#[allow(dead_code, reason = "the load benchmark uses all of it")]
mod http;
#[allow(dead_code, reason = "the other tests of crashes use all of it")]
mod process;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use process::Server;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What arrived of one event.
struct Arrived {
    webhook_id: String,
    times: Vec<Instant>,
}

type Inbox = Arc<Mutex<HashMap<String, Arrived>>>;

fn note(inbox: &Inbox, event: &str, webhook_id: &str) {
    let mut inbox = inbox.lock().unwrap();
    let arrived = inbox.entry(event.to_owned()).or_insert_with(|| Arrived {
        webhook_id: webhook_id.to_owned(),
        times: Vec::new(),
    });
    assert_eq!(
        arrived.webhook_id, webhook_id,
        "the webhook-id stays the same"
    );
    arrived.times.push(Instant::now());
}

async fn receive(mut stream: TcpStream, inbox: Inbox) {
    let mut buffer = Vec::new();
    loop {
        match stream.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        while let Some((end, length)) = http::head(&buffer) {
            if buffer.len() < end + length {
                break;
            }
            let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
            let id = head
                .lines()
                .find_map(|line| line.strip_prefix("webhook-id:"))
                .unwrap()
                .trim()
                .to_owned();
            let event: serde_json::Value =
                serde_json::from_slice(&buffer[end..end + length]).unwrap();
            note(&inbox, event["id"].as_str().unwrap(), &id);
            buffer.drain(..end + length);
            if stream
                .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
                .await
                .is_err()
            {
                return;
            }
        }
    }
}

/// Posts events until told to stop; notes which were acknowledged. Errors are what a crash looks like.
async fn post(
    address: std::net::SocketAddr,
    path: String,
    key: String,
    next: Arc<AtomicUsize>,
    acknowledged: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
) {
    let mut connection: Option<http::Connection> = None;
    while !stop.load(Ordering::Relaxed) {
        let Some(open) = &mut connection else {
            connection = http::Connection::open(address).await.ok();
            if connection.is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            continue;
        };
        let id = format!("crash-{}", next.fetch_add(1, Ordering::Relaxed));
        let body = format!(
            r#"{{"type":"cdr.created","timestamp":"2026-01-31T08:16:09Z","id":"{id}","data":{{"call_id":"c-{id}","from":"+14155550132"}}}}"#
        );
        match open
            .exchange(&http::request("POST", &path, &key, &[], body.as_bytes()))
            .await
        {
            Ok((202, _)) => acknowledged.lock().unwrap().push(id),
            Ok((status, answer)) => panic!("{status}: {}", String::from_utf8_lossy(&answer)),
            Err(_) => connection = None,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost() {
    let rounds: u32 = std::env::var("RINGFENCE_CRASH_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(5);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let receiver = listener.local_addr().unwrap();
    let inbox = Inbox::default();
    let shared = inbox.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(receive(stream, shared.clone()));
        }
    });

    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &["--allow-subnet", "127.0.0.0/8"]);
    server
        .set_callback("cdr", &format!("http://{receiver}/"))
        .await;
    let path = format!("/v1/accounts/{}/events", server.account);

    let next = Arc::new(AtomicUsize::new(0));
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let stop = Arc::new(AtomicBool::new(false));
    let mut posters = Vec::new();
    for _ in 0..16 {
        posters.push(tokio::spawn(post(
            server.address,
            path.clone(),
            server.key.clone(),
            next.clone(),
            acknowledged.clone(),
            stop.clone(),
        )));
    }
    let mut kills = Vec::new();
    let mut moment = u64::from(std::process::id());
    for _ in 0..rounds {
        moment = moment
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_millis(50 + (moment >> 33) % 700)).await;
        server.kill();
        kills.push(Instant::now());
        server.start_again().await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::Relaxed);
    for poster in posters {
        poster.await.unwrap();
    }

    let acknowledged = acknowledged.lock().unwrap().clone();
    assert!(
        acknowledged.len() > 100,
        "only {} events were acknowledged",
        acknowledged.len()
    );
    let end = Instant::now() + Duration::from_mins(1);
    loop {
        let missing: Vec<String> = {
            let inbox = inbox.lock().unwrap();
            acknowledged
                .iter()
                .filter(|id| !inbox.contains_key(*id))
                .cloned()
                .collect()
        };
        if missing.is_empty() {
            break;
        }
        assert!(
            Instant::now() < end,
            "{} of {} acknowledged events never arrived",
            missing.len(),
            acknowledged.len()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let inbox = inbox.lock().unwrap();
    let mut twice = 0;
    for (id, arrived) in inbox.iter() {
        for time in &arrived.times[1..] {
            twice += 1;
            // What was in flight when the process died: it had arrived just before a kill, and its copy
            // came after that kill.
            let first = arrived.times[0];
            assert!(
                kills.iter().any(|kill| first <= *kill
                    && *time >= *kill
                    && kill.duration_since(first) < Duration::from_secs(2)),
                "{id} arrived twice without having been in flight at a kill"
            );
        }
    }
    println!(
        "{rounds} kills: {} acknowledged, {} delivered, {twice} of them twice",
        acknowledged.len(),
        inbox.len()
    );
}
