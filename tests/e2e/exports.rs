//! `kill -9` at random moments of an export: it is made anew, and no link is left that is not in its file.

#[path = "../load/src/http.rs"]
#[allow(dead_code, reason = "the load benchmark uses all of it")]
mod http;
#[allow(dead_code, reason = "the other test of crashes uses all of it")]
mod process;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use process::Server;
use serde_json::Value;

/// How many recordings: more than one page of an export.
const RECORDINGS: usize = 1_100;

/// How often it is killed. A message that came more often without being done with waits for the sweep.
const KILLS: u64 = 3;

/// The bytes behind a path of the server's.
async fn get(server: &Server, path: &str) -> (u16, Vec<u8>) {
    let request = http::request("GET", path, &server.key, &[], b"");
    let mut connection = http::Connection::open(server.address).await.unwrap();
    connection.exchange(&request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_its_links_are_those_in_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &[]);
    let step = RECORDINGS / 22;
    let all = (0..22).map(|n| server.record(n * step..(n + 1) * step));
    let ids: BTreeSet<String> = futures_util::future::join_all(all)
        .await
        .into_iter()
        .flatten()
        .collect();
    let at = format!("/v1/accounts/{}/exports", server.account);
    let body = r#"{"kind":"recordings","links":true}"#;
    let (status, export) = server.request("POST", &at, &[], body).await;
    assert_eq!(status, 202, "{export}");
    let at = format!("{at}/{}", export["id"].as_str().unwrap());

    let mut moment = u64::from(std::process::id());
    for _ in 0..KILLS {
        moment = moment
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_millis((moment >> 33) % 80)).await;
        server.kill();
        server.start_again().await;
    }
    let end = Instant::now() + Duration::from_mins(2);
    let done = loop {
        let (status, read) = server.request("GET", &at, &[], "").await;
        assert_eq!(status, 200, "{read}");
        if read["state"] == "done" {
            break read;
        }
        assert!(Instant::now() < end, "it never ends: {read}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(
        (&done["rows"], &done["linked"]),
        (&RECORDINGS.into(), &RECORDINGS.into())
    );

    let (status, file) = get(&server, done["download"].as_str().unwrap()).await;
    assert_eq!(status, 200);
    let file = String::from_utf8(file).unwrap();
    assert_eq!(done["size"], file.len());
    // No cell of these holds a comma.
    let rows: Vec<Vec<&str>> = file
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect())
        .collect();
    let found: BTreeSet<String> = rows.iter().map(|row| row[0].to_owned()).collect();
    assert_eq!(found, ids);
    for row in rows.iter().step_by(50) {
        let links = format!(
            "/v1/accounts/{}/recordings/{}/links",
            server.account, row[0]
        );
        let (_, links) = get(&server, &links).await;
        let links: Value = serde_json::from_slice(&links).unwrap();
        assert_eq!(links["items"].as_array().unwrap().len(), 1, "{links}");
        let link = row[12].find("/r/").map(|path| &row[12][path..]).unwrap();
        assert_eq!(get(&server, link).await.0, 200);
    }
}
