//! `ringfence rotate-key`, and then new wrappings of recordings' keys, without touching audio.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ringfence_domain::keyspace;
use ringfence_embedded::{Embedded, FileKeys, Options, WhenMissing};
use ringfence_ports::{Keys as _, SystemClock, Table as _};
use ringfence_test_support::sha256_hex;
use serde_json::{Value, json};

use crate::process::{Folder, Server, complaint, run};

/// Mu-law of a call at 8 kHz that says nothing; every byte of it is ASCII, for the test's own sake.
fn wav() -> String {
    let head = "RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x07\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\0\0\x01\0";
    format!("{head}{}", "a quiet call. ".repeat(8_000))
}

struct Installation {
    folder: Folder,
    account: String,
    key: String,
    recording: String,
}

impl Installation {
    /// One with a recording that Ringfence encrypts itself.
    fn new() -> Self {
        let folder = Folder::new("rotation");
        let server = Server::start(&folder, &[]);
        let mut made = Self {
            account: server.told("Account").to_owned(),
            key: server.told("API key").to_owned(),
            recording: String::new(),
            folder,
        };
        let settings = json!({"encryption": "client"}).to_string();
        let kind = "content-type: application/merge-patch+json\r\nif-match: \"0\"";
        made.request(&server, "PATCH", "settings/recordings", kind, &settings);
        let facts = json!({
            "call_id": "c1", "started_at": "2026-01-31T08:00:00Z", "duration": 14,
            "content_type": "audio/wav", "size": wav().len(), "sha256": sha256_hex(wav().as_bytes())
        });
        let kind = "content-type: application/json";
        let answer = made.request(&server, "POST", "recordings", kind, &facts.to_string());
        let told: Value = serde_json::from_str(&answer).unwrap();
        let id = told.pointer("/recording/id").or_else(|| told.get("id"));
        id.and_then(Value::as_str)
            .unwrap()
            .clone_into(&mut made.recording);
        let path = format!("recordings/{}/audio", made.recording);
        made.request(&server, "PUT", &path, "content-type: audio/wav", &wav());
        made
    }

    /// The body of an answer that says yes.
    fn request(&self, server: &Server, method: &str, path: &str, more: &str, body: &str) -> String {
        let head = format!(
            "{method} /v1/accounts/{}/{path} HTTP/1.1\r\nauthorization: Bearer {}\r\n{more}",
            self.account, self.key
        );
        let answer = server.request(head.trim_end(), body);
        assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    fn hear(&self, server: &Server) -> String {
        let path = format!("recordings/{}/audio", self.recording);
        self.request(server, "GET", &path, "", "")
    }

    /// Every file of audio.
    fn audio(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        for fan in fs::read_dir(self.folder.path().join("blobs")).unwrap() {
            for file in fs::read_dir(fan.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                let bytes = fs::read(&path).unwrap();
                files.push((path, bytes));
            }
        }
        files.sort();
        files
    }

    /// Whether the recording's wrapped key opens with these keys alone.
    async fn opens_with(&self, keys: &[u8]) -> bool {
        // A copy: a process that another test is just starting may hold this one's lock for a moment.
        let copy = Folder::new("rotated");
        fs::create_dir_all(copy.path().join("keys")).unwrap();
        for file in ["ringfence.db", "ringfence.db-wal", "keys/master.key"] {
            let from = self.folder.path().join(file);
            if from.exists() {
                fs::copy(from, copy.path().join(file)).unwrap();
            }
        }
        let clock = Arc::new(SystemClock);
        let store = Embedded::open(copy.path(), &Options::default(), clock).unwrap();
        let key = keyspace::recording(&self.account, &self.recording).unwrap();
        let row = store.get(&key).await.unwrap().unwrap();
        drop(store);
        let row: Value = serde_json::from_str(&row.doc).unwrap();
        let wrapped = row["sealing"]["wrapped_key"].as_str().unwrap();
        let wrapped = STANDARD.decode(wrapped).unwrap();
        let file = copy.path().join("alone.key");
        fs::write(&file, keys).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let keys = FileKeys::open(&file, WhenMissing::Refuse).unwrap();
        let context = format!("{}/recording/{}", self.account, self.recording);
        keys.open(&context, &wrapped).await.is_ok()
    }
}

#[tokio::test]
async fn after_a_rotation_recordings_come_under_the_new_key_and_audio_stays_as_it_is() {
    let made = Installation::new();
    let key_file = made.folder.path().join("keys/master.key");
    let audio = made.audio();
    assert_eq!(audio.len(), 1);

    let output = run(&["rotate-key", "--data", made.folder.text()]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("2 keys"), "{said}");
    let keys = fs::read(&key_file).unwrap();
    let (old, new) = keys.split_at(32);
    assert_eq!(new.len(), 32);
    assert!(
        made.opens_with(old).await && !made.opens_with(new).await,
        "not yet"
    );

    let server = Server::start(&made.folder, &[]);
    assert_eq!(made.hear(&server), wav(), "it plays under the old key");
    let line = complaint(&run(&["rotate-key", "--data", made.folder.text()]));
    assert!(line.contains("in use by another"), "{line}");
    let kind = "content-type: application/json";
    let done = made.request(&server, "POST", "recordings/rewrap", kind, "{}");
    let done: Value = serde_json::from_str(&done).unwrap();
    assert_eq!(done, json!({"rewrapped": 1, "next_cursor": null}));
    assert_eq!(made.hear(&server), wav(), "and under the new one");
    drop(server);
    assert!(made.opens_with(new).await && !made.opens_with(old).await);
    assert!(made.audio() == audio, "no byte of audio was touched");
    assert_eq!(
        fs::read(&key_file).unwrap(),
        keys,
        "nobody changed it meanwhile"
    );
}

#[test]
fn there_is_nothing_to_rotate_where_there_is_no_folder() {
    let folder = Folder::new("no-rotation");
    let line = complaint(&run(&["rotate-key", "--data", folder.text()]));
    assert!(line.contains("no data folder"), "{line}");
    assert!(!folder.path().exists());
}
