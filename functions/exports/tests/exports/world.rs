//! An account with recordings, and what came out of its exports.

use std::collections::BTreeMap;

use ringfence_domain::recording::Facts;
use ringfence_ports::Received;
use ringfence_test_support::{Response, TestApp, wav};
use serde_json::{Value, json};

pub struct World {
    pub test: TestApp,
}

/// A line of a file, by the names of its columns.
pub type Line = BTreeMap<String, String>;

/// What a recording is of, unless a test says otherwise.
pub fn facts(started_at: &str) -> Facts {
    let audio = wav(1);
    Facts {
        call_id: "call-1042".to_owned(),
        started_at: started_at.parse().unwrap(),
        duration: 1,
        content_type: "audio/wav".to_owned(),
        size: Some(audio.len() as u64),
        sha256: None,
        ..Facts::default()
    }
}

impl World {
    pub async fn new() -> Self {
        let routes = utoipa_axum::router::OpenApiRouter::new()
            .merge(ringfence_exports::router())
            .merge(ringfence_deletion::router())
            .merge(ringfence_recordings::router())
            .merge(ringfence_settings::router())
            .merge(ringfence_playback::router())
            .merge(ringfence_ingest::router());
        Self {
            test: TestApp::new().await.serving(routes),
        }
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/v1/accounts/{}{rest}", self.test.account)
    }

    pub async fn call(&self, method: &str, rest: &str, body: Value) -> Response {
        self.test.request(method, &self.path(rest), body).await
    }

    pub async fn get(&self, rest: &str) -> Value {
        let answer = self.call("GET", rest, Value::Null).await;
        assert_eq!(answer.status, 200, "{rest}: {}", answer.json);
        answer.json
    }

    /// What stands behind a link.
    pub async fn visit(&self, path: &str) -> Response {
        self.test
            .request_raw(None, "GET", path, &[], "text/plain", Vec::new())
            .await
    }

    /// Changes a settings document.
    pub async fn settings(&self, area: &str, change: Value) {
        let path = self.path(&format!("/settings/{area}"));
        let present = self.test.request("GET", &path, Value::Null).await;
        let etag = present.headers["etag"].to_str().unwrap().to_owned();
        let headers = [
            ("if-match", etag.as_str()),
            ("content-type", "application/merge-patch+json"),
        ];
        let saved = self
            .test
            .request_as(Some(&self.test.key), "PATCH", &path, &headers, change)
            .await;
        assert_eq!(saved.status, 200, "{}", saved.json);
    }

    /// A recording that is there.
    pub async fn recording(&self, facts: Facts) -> String {
        let config = self.test.app.account_config(&self.test.account).await;
        let config = config.unwrap().unwrap();
        let made = self.test.app.register_recording(&config, facts).await;
        let made = made.unwrap().recording;
        self.test.blobs.insert(&made.blob, "audio/wav", wav(1));
        let stored = self.test.app.complete_recording(&config, &made.id).await;
        stored.unwrap();
        made.id
    }

    /// Asks for an export. Answers its id.
    pub async fn order(&self, mut body: Value) -> String {
        body["kind"] = json!("recordings");
        let answer = self.call("POST", "/exports", body).await;
        assert_eq!(answer.status, 202, "{}", answer.json);
        assert_eq!(answer.json["state"], "running");
        let id = answer.json["id"].as_str().unwrap().to_owned();
        assert_eq!(
            answer.headers["location"].to_str().unwrap(),
            self.path(&format!("/exports/{id}"))
        );
        id
    }

    pub async fn export(&self, export: &str) -> Value {
        self.get(&format!("/exports/{export}")).await
    }

    /// Asks for an export, and has it made. Answers its id.
    pub async fn made(&self, body: Value) -> String {
        let export = self.order(body).await;
        self.test.drain().await;
        let read = self.export(&export).await;
        assert_eq!(read["state"], "done", "{read}");
        export
    }

    /// The key of the file that an export's first run makes.
    pub fn blob(&self, export: &str) -> String {
        format!("exports/{}/{export}/1.csv", self.test.account)
    }

    /// What stands in the file that the export gives out.
    pub async fn given(&self, export: &str) -> String {
        let read = self.export(export).await;
        let download = read["download"].as_str().unwrap();
        let mut keys = self.files();
        keys.retain(|key| download.contains(key.as_str()));
        assert_eq!(keys.len(), 1, "{download}");
        String::from_utf8(self.test.blobs.bytes(&keys[0]).to_vec()).unwrap()
    }

    /// The keys of all files of exports.
    pub fn files(&self) -> Vec<String> {
        let mut keys = self.test.blobs.keys();
        keys.retain(|key| key.starts_with("exports/"));
        keys
    }

    /// The newest file of an export.
    pub fn text(&self, export: &str) -> String {
        let mut keys = self.files();
        keys.retain(|key| key.contains(export));
        let key = keys.iter().max().unwrap();
        String::from_utf8(self.test.blobs.bytes(key).to_vec()).unwrap()
    }

    /// The lines of an export's file.
    pub fn lines(&self, export: &str) -> Vec<Line> {
        let text = self.text(export);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        reader.deserialize().map(Result::unwrap).collect()
    }

    /// The lines of an export that is made now.
    pub async fn lines_of(&self, body: Value) -> Vec<Line> {
        let export = self.made(body).await;
        self.lines(&export)
    }

    /// The newest entries of the account's history about an export, newest first.
    pub async fn history(&self, export: &str) -> Vec<Value> {
        let found = self
            .test
            .app
            .history_before(&self.test.account, 100, None)
            .await;
        let (entries, _) = found.unwrap();
        entries
            .iter()
            .filter(|entry| entry.item == format!("exports/{export}"))
            .map(|entry| serde_json::to_value(entry).unwrap())
            .collect()
    }

    /// The message that has an export looked at.
    pub fn message(&self, export: &str) -> Received {
        Received {
            id: "m".to_owned(),
            body: json!({"kind": "export", "account": self.test.account, "export": export})
                .to_string(),
            group: String::new(),
            receives: 1,
        }
    }
}
