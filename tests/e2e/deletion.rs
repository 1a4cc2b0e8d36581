//! `kill -9` at random moments of a deletion: it goes on where it was, and its receipt is the one that
//! it would have been anyway.
//!
//! `RINGFENCE_CRASH_ROUNDS` kills that often (6 unless set; 50 and more is the long run by hand).

#[path = "../load/src/http.rs"]
#[allow(dead_code, reason = "the load benchmark uses all of it")]
mod http;
#[allow(dead_code, reason = "the other test of crashes uses all of it")]
mod process;

use std::time::{Duration, Instant};

use process::Server;
use ringfence_test_support::{sha256_hex, wav};

/// How many recordings: more than one part of a manifest.
const RECORDINGS: usize = 1_100;

/// The digest that the receipt must have where everything was deleted.
fn outcomes(ids: &mut [String]) -> String {
    ids.sort_by(|a, b| b.cmp(a));
    let mut digest = String::new();
    for part in ids.chunks(1_000).rev() {
        let mut text = digest;
        for id in part {
            text.push_str(&["\n", id, " deleted ", &wav(0).len().to_string()].concat());
        }
        digest = sha256_hex(text.as_bytes());
    }
    digest
}

fn files(folder: &std::path::Path) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        count += if path.is_dir() { files(&path) } else { 1 };
    }
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_it_comes_to_the_same_receipt() {
    let rounds: u64 = std::env::var("RINGFENCE_CRASH_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(6);
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &[]);
    let step = RECORDINGS / 22;
    let all = (0..22).map(|n| server.record(n * step..(n + 1) * step));
    let mut ids: Vec<String> = futures_util::future::join_all(all)
        .await
        .into_iter()
        .flatten()
        .collect();
    let at = format!("/v1/accounts/{}/deletions", server.account);
    let body = r#"{"from_date":"2026-01-01"}"#;
    let (status, job) = server.request("POST", &at, &[], body).await;
    assert_eq!(status, 202, "{job}");
    let at = format!("{at}/{}", job["id"].as_str().unwrap());

    let mut moment = u64::from(std::process::id());
    let mut kills = 0;
    let end = Instant::now() + Duration::from_mins(5);
    let done = loop {
        let (status, read) = server.request("GET", &at, &[], "").await;
        assert_eq!(status, 200, "{read}");
        if read["state"] == "done" {
            break read;
        }
        assert!(Instant::now() < end, "it never ends: {read}");
        moment = moment
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_millis((moment >> 33) % 60)).await;
        if kills < rounds {
            server.kill();
            kills += 1;
            server.start_again().await;
        }
    };
    let receipt = &done["receipt"];
    for (name, expected) in [
        ("planned", RECORDINGS),
        ("deleted", RECORDINGS),
        ("already_absent", 0),
        ("held", 0),
        ("failed", 0),
        ("bytes_deleted", RECORDINGS * wav(0).len()),
    ] {
        assert_eq!(receipt[name], expected, "{name}: {receipt}");
    }
    assert_eq!(receipt["outcomes_sha256"], outcomes(&mut ids));
    assert_eq!(receipt["signature_valid"], true);
    // Files are unlinked behind the rows that named them.
    while files(&folder.path().join("blobs")) > 0 {
        assert!(Instant::now() < end, "files are left");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("{kills} kills");
}
