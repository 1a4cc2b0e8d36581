//! The real binary as a process, for tests that kill it.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use ringfence_test_support::{sha256_hex, wav};
use serde_json::{Value, json};

use super::http;

/// `ringfence serve` over a folder.
pub struct Server {
    pub address: SocketAddr,
    pub account: String,
    pub key: String,
    folder: PathBuf,
    flags: Vec<String>,
    process: Child,
}

impl Server {
    /// Starts it on a fresh folder and a free port.
    pub fn start(folder: &Path, flags: &[&str]) -> Self {
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let mut process = spawn(folder, "127.0.0.1:0", &flags);
        let (mut address, mut account, mut key) = (None, None, None);
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        while address.is_none() || account.is_none() || key.is_none() {
            let line = lines
                .next()
                .expect("the server ended before it said where it is")
                .unwrap();
            for word in line.split(|c: char| c.is_whitespace() || "\"'<>()".contains(c)) {
                if word.starts_with("rfk_") {
                    key.get_or_insert(word.to_owned());
                }
                if let Some(at) = word.find("acc_") {
                    account.get_or_insert(word[at..].chars().take(36).collect::<String>());
                }
                if let Some(rest) = word.strip_prefix("http://")
                    && let Ok(found) = rest.split('/').next().unwrap_or_default().parse()
                {
                    address.get_or_insert(found);
                }
            }
        }
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            address: address.unwrap(),
            account: account.unwrap(),
            key: key.unwrap(),
            folder: folder.to_owned(),
            flags,
            process,
        }
    }

    /// One request with the operator's key.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        extra: &[(&str, &str)],
        body: &str,
    ) -> (u16, Value) {
        let request = http::request(method, path, &self.key, extra, body.as_bytes());
        let (status, answer) = http::Connection::open(self.address)
            .await
            .unwrap()
            .exchange(&request)
            .await
            .unwrap();
        (status, serde_json::from_slice(&answer).unwrap_or_default())
    }

    /// Registers and uploads some recordings. Answers their ids.
    pub async fn record(&self, numbers: std::ops::Range<usize>) -> Vec<String> {
        let audio = wav(0);
        let mut connection = http::Connection::open(self.address).await.unwrap();
        let mut ids = Vec::new();
        for n in numbers {
            let facts = json!({
                "call_id": format!("call-{n}"), "duration": 1, "content_type": "audio/wav",
                "started_at": format!("2026-01-{:02}T{:02}:{:02}:00Z", 1 + n / 600, n / 60 % 10, n % 60),
                "size": audio.len(), "sha256": sha256_hex(&audio),
            });
            let at = format!("/v1/accounts/{}/recordings", self.account);
            let request = http::request("POST", &at, &self.key, &[], facts.to_string().as_bytes());
            let (status, answer) = connection.exchange(&request).await.unwrap();
            let made: Value = serde_json::from_slice(&answer).unwrap();
            assert_eq!(status, 201, "{made}");
            let id = made["id"].as_str().unwrap().to_owned();
            let at = format!("{at}/{id}/audio");
            let put = http::request("PUT", &at, &self.key, &[], &audio);
            assert_eq!(connection.exchange(&put).await.unwrap().0, 200);
            ids.push(id);
        }
        ids
    }

    /// Gives the sample account's callback a URL.
    pub async fn set_callback(&self, kind: &str, url: &str) {
        let path = format!("/v1/accounts/{}/settings/callbacks", self.account);
        let body = format!(r#"{{"{kind}":{{"url":"{url}"}}}}"#);
        let (status, answer) = self
            .request("PUT", &path, &[("if-match", "\"0\"")], &body)
            .await;
        assert_eq!(status, 200, "{answer}");
    }

    /// Kills it at once (SIGKILL), as a power cut would.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again on the same folder and port.
    pub async fn start_again(&mut self) {
        self.process = spawn(&self.folder, &self.address.to_string(), &self.flags);
        let output = self.process.stdout.take().unwrap();
        std::thread::spawn(move || BufReader::new(output).lines().for_each(drop));
        let end = Instant::now() + Duration::from_secs(20);
        while http::Connection::open(self.address).await.is_err() {
            assert!(Instant::now() < end, "the server did not start again");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(folder: &Path, listen: &str, flags: &[String]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_ringfence"))
        .args(["serve", "--listen", listen, "--data"])
        .arg(folder)
        .args(flags)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}
