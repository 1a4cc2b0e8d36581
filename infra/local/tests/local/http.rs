//! The face that all functions show together.

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use ringfence_local::{Config, api, start};
use serde_json::Value;

use crate::process::Folder;

/// A server in this process, over a folder of its own.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    /// The account that events go to, and a key that may post them.
    pub(crate) account: String,
    pub(crate) key: String,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Site {
    pub(crate) fn start() -> Self {
        let (started, site) = std::sync::mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let folder = Folder::new("http");
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let config = Config {
                    listen: ([127, 0, 0, 1], 0).into(),
                    ..Config::new(folder.path())
                };
                let running = start(config).await.unwrap();
                let sample = &running.sample;
                let key = sample.new_key.as_ref().unwrap().reveal().to_owned();
                started
                    .send((running.address, sample.account.clone().unwrap(), key))
                    .unwrap();
                let _ = stopped.await;
                running.shutdown().await;
            });
        });
        let (address, account, key) = site.recv().unwrap();
        Self {
            address,
            account,
            key,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// What comes back until the server closes the connection.
    fn exchange(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        // A server that refuses a request may close before it was read.
        let _ = stream.write_all(request);
        let mut response = Vec::new();
        let _ = stream.read_to_end(&mut response);
        String::from_utf8(response).unwrap()
    }

    /// The head, in lower case, and the body of what comes back.
    fn request(&self, method: &str, path: &str, headers: &str) -> (String, String) {
        let text =
            format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}\r\n");
        let response = self.exchange(text.as_bytes());
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        (head.to_ascii_lowercase(), body.to_owned())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn json(body: &str) -> Value {
    serde_json::from_str(body).unwrap()
}

#[test]
fn what_is_not_there_is_a_problem_that_leads_on() {
    let site = Site::start();
    for (method, path, status, code) in [
        ("GET", "/v1/nothing", 404, "not-found"),
        ("GET", "/..%2f..%2fetc/passwd", 404, "not-found"),
        ("DELETE", "/v1/event-types", 405, "method-not-allowed"),
        ("GET", "/v1/event-types/%ff", 400, "invalid-path"),
        ("GET", "/problems/none", 404, "not-found"),
    ] {
        let (head, body) = site.request(method, path, "");
        assert!(
            head.starts_with(&format!("http/1.1 {status} ")),
            "{path}: {head}"
        );
        assert!(
            head.contains("content-type: application/problem+json"),
            "{path}: {head}"
        );
        let kind = format!("/problems/{code}");
        assert_eq!(json(&body)["type"], kind.as_str());
        let (head, body) = site.request("GET", &kind, "");
        assert!(head.starts_with("http/1.1 200 "));
        assert_eq!(json(&body)["type"], kind.as_str());
    }
    let (head, _) = site.request("DELETE", "/v1/event-types", "");
    assert!(head.contains("\nallow: get,head"), "{head}");
}

#[test]
fn nothing_is_cached_or_guessed() {
    let site = Site::start();
    for path in [
        "/healthz",
        "/v1/event-types",
        "/openapi.json",
        "/docs",
        "/nowhere",
    ] {
        let (head, _) = site.request("GET", path, "");
        assert!(head.contains("cache-control: no-store"), "{path}: {head}");
        assert!(
            head.contains("x-content-type-options: nosniff"),
            "{path}: {head}"
        );
    }
}

#[test]
fn the_document_is_whole_and_every_operation_stands_on_the_page() {
    let site = Site::start();
    let (_, body) = site.request("GET", "/openapi.json", "");
    let document = json(&body);
    assert_eq!(document, api::openapi(None));
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["title"], "Ringfence");
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(
        (&schemes["bearer"]["scheme"], &schemes["basic"]["scheme"]),
        (&"bearer".into(), &"basic".into())
    );
    let described: BTreeSet<&str> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag["name"].as_str().unwrap())
        .collect();

    let (head, page) = site.request("GET", "/docs", "");
    assert!(
        head.contains("content-security-policy: default-src 'none'"),
        "{head}"
    );
    assert!(
        !page.contains("<script") && !page.contains("src=\"http") && !page.contains("href=\"http")
    );
    let mut ids = BTreeSet::new();
    let mut operations = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        assert!(page.contains(&format!("<code>{path}</code>")), "{path}");
        for (method, operation) in item.as_object().unwrap() {
            operations += 1;
            assert!(
                page.contains(operation["summary"].as_str().unwrap()),
                "{method} {path}"
            );
            let tag = operation["tags"][0].as_str().unwrap();
            assert!(described.contains(tag), "the tag {tag} has no description");
            assert!(
                ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
                "{method} {path}"
            );
        }
    }
    assert!(operations > 30, "{operations}");
    assert_eq!(page.matches("<section ").count(), operations);
}

#[test]
fn a_page_for_people_where_one_is_wanted() {
    let site = Site::start();
    let (head, body) = site.request(
        "GET",
        "/problems/invalid-fields",
        "accept: text/html,*/*\r\n",
    );
    assert!(head.contains("content-type: text/html"));
    assert!(body.contains("Mend the fields"));
    let (head, _) = site.request("GET", "/", "");
    assert!(head.contains("location: /docs"), "{head}");
}

#[test]
fn what_is_no_request_costs_little_and_ends() {
    let site = Site::start();
    assert!(
        site.exchange(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
            .starts_with("HTTP/1.1 400 ")
    );
    let large = format!(
        "GET /healthz HTTP/1.1\r\nhost: test\r\nx: {}\r\n\r\n",
        "a".repeat(200_000)
    );
    let answer = site.exchange(large.as_bytes());
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431 "),
        "{answer}"
    );
    let many = format!(
        "GET /healthz HTTP/1.1\r\nhost: test\r\n{}\r\n",
        "x: a\r\n".repeat(500)
    );
    let answer = site.exchange(many.as_bytes());
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431 "),
        "{answer}"
    );
}
