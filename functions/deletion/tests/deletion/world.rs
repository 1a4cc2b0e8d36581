//! An account with recordings, and deletions whose steps a test takes one by one.

use futures_util::future::join_all;
use ringfence_domain::{App, keyspace, recording::Facts};
use ringfence_ports::{Consumer, Received};
use ringfence_test_support::{Response, TestApp, wav};
use serde_json::{Value, json};

pub struct World {
    pub test: TestApp,
}

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

/// The size of each of these recordings, bytes.
pub const BYTES: u64 = 8_044;

impl World {
    pub async fn new() -> Self {
        let routes = utoipa_axum::router::OpenApiRouter::new()
            .merge(ringfence_deletion::router())
            .merge(ringfence_recordings::router())
            .merge(ringfence_settings::router())
            .merge(ringfence_activities::router())
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

    /// The key of a recording's audio.
    pub fn blob(&self, recording: &str) -> String {
        format!("recordings/{}/{recording}/audio", self.test.account)
    }

    /// A recording that is there.
    pub async fn recording(&self, facts: Facts) -> String {
        recording(&self.test, facts).await
    }

    /// Many of them.
    pub async fn recordings(&self, facts: impl IntoIterator<Item = Facts>) -> Vec<String> {
        let all: Vec<Facts> = facts.into_iter().collect();
        let mut ids = Vec::with_capacity(all.len());
        for some in all.chunks(500) {
            let made = some.iter().map(|facts| self.recording(facts.clone()));
            ids.extend(join_all(made).await);
        }
        ids
    }

    pub async fn status(&self, recording: &str) -> String {
        let read = self.get(&format!("/recordings/{recording}")).await;
        read["status"].as_str().unwrap().to_owned()
    }

    /// Starts a deletion. Answers its id.
    pub async fn delete(&self, body: Value) -> String {
        let answer = self.call("POST", "/deletions", body).await;
        assert_eq!(answer.status, 202, "{}", answer.json);
        answer.json["id"].as_str().unwrap().to_owned()
    }

    pub async fn deletion(&self, job: &str) -> Value {
        self.get(&format!("/deletions/{job}")).await
    }

    /// One step of a deletion. Answers whether it went well.
    pub async fn step(&self, job: &str) -> bool {
        step(&self.test.app, &self.test.app, &self.test.account, job).await
    }

    /// Steps until it is at `phase`.
    pub async fn steps_to(&self, job: &str, phase: &str) {
        for _ in 0..1_000 {
            if self.deletion(job).await["phase"] == phase {
                return;
            }
            assert!(self.step(job).await);
        }
        panic!("it never came to {phase}");
    }

    /// Works until it is done. Answers it; the receipt adds up and is signed.
    pub async fn finish(&self, job: &str) -> Value {
        for _ in 0..10_000 {
            let read = self.deletion(job).await;
            if read["state"] == "done" {
                checked(&read);
                return read;
            }
            assert!(self.step(job).await);
        }
        panic!("it never ends");
    }

    /// The last entry of the account's history.
    pub async fn last_change(&self) -> Value {
        let (entries, _) = self
            .test
            .app
            .history_before(&self.test.account, 1, None)
            .await
            .unwrap();
        serde_json::to_value(&entries[0]).unwrap()
    }

    pub async fn hold(&self, mut body: Value) -> String {
        body["reason"] = json!("Case 26-1042");
        let answer = self.call("POST", "/holds", body).await;
        assert_eq!(answer.status, 201, "{}", answer.json);
        answer.json["id"].as_str().unwrap().to_owned()
    }
}

/// A recording that is there.
pub async fn recording(test: &TestApp, facts: Facts) -> String {
    let config = test.app.account_config(&test.account).await;
    let config = config.unwrap().unwrap();
    let made = test.app.register_recording(&config, facts).await.unwrap();
    let made = made.recording;
    test.blobs.insert(&made.blob, "audio/wav", wav(1));
    test.app
        .complete_recording(&config, &made.id)
        .await
        .unwrap();
    made.id
}

/// One step of a deletion by the jobs function over `app`, as if its message had come.
pub async fn step(reader: &App, app: &std::sync::Arc<App>, account: &str, job: &str) -> bool {
    let row = reader.table.get(&keyspace::deletion(account, job)).await;
    let row: Value = serde_json::from_str(&row.unwrap().unwrap().doc).unwrap();
    let message = Received {
        id: "m".to_owned(),
        body: json!({ "kind": "deletion", "account": account, "job": job, "step": row["step"] })
            .to_string(),
        group: String::new(),
        receives: 1,
    };
    let failed = ringfence_jobs::consumer(app.clone())
        .handle(vec![message])
        .await;
    failed.is_empty()
}

/// A deletion that is done has a receipt that adds up.
pub fn checked(read: &Value) {
    let receipt = &read["receipt"];
    let n = |name: &str| receipt[name].as_u64().unwrap();
    assert_eq!(
        n("planned"),
        n("deleted") + n("already_absent") + n("held") + n("failed"),
        "{receipt}"
    );
    assert_eq!(receipt["signature_valid"], true);
    assert_eq!(read["planned"]["recordings"], receipt["planned"]);
    assert_eq!(read["progress"]["left"], 0);
}
