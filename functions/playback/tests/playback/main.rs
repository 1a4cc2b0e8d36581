//! What stands behind a link, as a listener, a scanner and a stranger meet it.

mod budget;
mod expiry;
mod links;
mod page;
mod pin;

use ringfence_test_support::{Response, TestApp, sha256_hex, wav};
use serde_json::{Value, json};

/// An account with recordings, behind the routers that they need.
struct World {
    test: TestApp,
}

impl World {
    async fn new() -> Self {
        let routes = utoipa_axum::router::OpenApiRouter::new()
            .merge(ringfence_recordings::router())
            .merge(ringfence_settings::router())
            .merge(ringfence_playback::router());
        Self {
            test: TestApp::new().await.serving(routes),
        }
    }

    fn account(&self, rest: &str) -> String {
        format!("/v1/accounts/{}{rest}", self.test.account)
    }

    /// Saves recording settings over whatever is there.
    async fn settings(&self, document: Value) {
        self.settings_of(&self.account("/settings/recordings"), document)
            .await;
    }

    async fn settings_of(&self, path: &str, document: Value) {
        let present = self.test.request("GET", path, Value::Null).await;
        let etag = present.headers["etag"].to_str().unwrap().to_owned();
        let headers = [("if-match", etag.as_str())];
        let saved = self
            .test
            .request_as(Some(&self.test.key), "PUT", path, &headers, document)
            .await;
        assert_eq!(saved.status, 200, "{}", saved.json);
    }

    /// A recording of ten seconds that can be played.
    async fn recording(&self) -> String {
        let audio = wav(10);
        let facts = json!({
            "call_id": "call-1042", "started_at": "2026-01-31T07:15:09Z", "duration": 10,
            "content_type": "audio/wav", "size": audio.len(), "sha256": sha256_hex(&audio),
            "from": "+14155550123", "to": "+14155550199", "agent_id": "ada",
        });
        let made = self
            .test
            .request("POST", &self.account("/recordings"), facts)
            .await;
        assert_eq!(made.status, 201, "{}", made.json);
        let id = made.json["id"].as_str().unwrap().to_owned();
        let path = self.account(&format!("/recordings/{id}/audio"));
        let sent = self
            .test
            .request_raw(Some(&self.test.key), "PUT", &path, &[], "audio/wav", audio)
            .await;
        assert_eq!(sent.json["status"], "available", "{}", sent.json);
        id
    }

    /// A link to it: its path and id.
    async fn link(&self, recording: &str) -> (String, String) {
        let path = self.account(&format!("/recordings/{recording}/links"));
        let made = self.test.request("POST", &path, json!({})).await;
        assert_eq!(made.status, 201, "{}", made.json);
        let url = made.json["url"].as_str().unwrap().to_owned();
        assert!(url.starts_with("/r/v1."), "{url}");
        (url, made.json["id"].as_str().unwrap().to_owned())
    }

    async fn get(&self, path: &str) -> Response {
        self.visit("GET", path, &[]).await
    }

    async fn visit(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        self.test
            .request_raw(None, method, path, headers, "text/plain", Vec::new())
            .await
    }

    /// Gives a PIN as the page's form does.
    async fn give(&self, path: &str, pin: &str) -> Response {
        let form = format!("pin={pin}").into_bytes();
        self.test
            .request_raw(
                None,
                "POST",
                path,
                &[],
                "application/x-www-form-urlencoded",
                form,
            )
            .await
    }

    async fn listens(&self, recording: &str) -> Vec<Value> {
        let path = self.account(&format!("/recordings/{recording}/listens"));
        let answer = self.test.request("GET", &path, Value::Null).await;
        answer.json["items"].as_array().unwrap().clone()
    }
}

/// What a browser sends back of a `Set-Cookie`.
fn cookie_of(response: &Response) -> String {
    let set = response.headers["set-cookie"].to_str().unwrap();
    set.split(';').next().unwrap().to_owned()
}

fn text(response: &Response) -> &str {
    std::str::from_utf8(&response.bytes).unwrap()
}
