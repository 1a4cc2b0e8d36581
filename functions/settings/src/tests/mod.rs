mod access;
mod bootstrap;
mod callbacks;
mod challenge;
mod documents;
mod examples;
mod failures;
mod history;
mod keys;
mod override_rule;
mod secrets;
mod tenants;
mod world;

use axum::Router;
use http::{HeaderMap, Method, StatusCode};
use ringfence_http::AppState;

use serde_json::{Value, json};

use world::{Answer, World};

/// The test app behind this function's router.
struct Client {
    test: World,
    router: Router<AppState>,
}

impl Client {
    async fn new() -> Self {
        Self {
            test: World::new().await,
            router: super::router().split_for_parts().0,
        }
    }

    fn account(&self, rest: &str) -> String {
        format!("/v1/accounts/{}{rest}", self.test.account.id)
    }

    fn agency(&self, rest: &str) -> String {
        format!("/v1/agencies/{}{rest}", self.test.agency.id)
    }

    /// As whoever owns what the path names.
    fn key_for(&self, path: &str) -> &str {
        if path == "/v1/agencies" || path.starts_with("/v1/agencies?") {
            &self.test.operator_key
        } else if path.starts_with("/v1/agencies") {
            &self.test.agency_key
        } else {
            &self.test.account_key
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.test
            .request(&self.router, Method::GET, path, self.key_for(path), None)
            .await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.test
            .request(
                &self.router,
                Method::POST,
                path,
                self.key_for(path),
                Some(body),
            )
            .await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.test
            .request(&self.router, Method::DELETE, path, self.key_for(path), None)
            .await
    }

    async fn put_at(&self, version: u64, path: &str, body: &Value) -> Answer {
        let if_match = format!("\"{version}\"");
        let headers = [("if-match", if_match.as_str())];
        self.test
            .send(
                &self.router,
                Method::PUT,
                path,
                self.key_for(path),
                Some(body),
                &headers,
            )
            .await
    }

    async fn patch_at(&self, version: u64, path: &str, body: &Value) -> Answer {
        let if_match = format!("\"{version}\"");
        let headers = [
            ("if-match", if_match.as_str()),
            ("content-type", "application/merge-patch+json"),
        ];
        self.test
            .send(
                &self.router,
                Method::PATCH,
                path,
                self.key_for(path),
                Some(body),
                &headers,
            )
            .await
    }

    async fn version(&self, path: &str) -> u64 {
        let bare = path.split('?').next().unwrap();
        version(&self.get(bare).await.1)
    }

    /// Puts over whatever version is there.
    async fn put(&self, path: &str, body: &Value) -> Answer {
        self.put_at(self.version(path).await, path, body).await
    }

    /// Patches whatever version is there.
    async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.patch_at(self.version(path).await, path, body).await
    }

    /// The whole history of the account or agency, oldest first.
    async fn history(&self, owner: &str) -> Vec<ringfence_domain::history::Entry> {
        let (mut entries, more) = self
            .test
            .app
            .history_before(owner, 1000, None)
            .await
            .unwrap();
        assert!(!more);
        entries.reverse();
        entries
    }
}

fn version(headers: &HeaderMap) -> u64 {
    let etag = headers["etag"].to_str().unwrap();
    etag.trim_matches('"').parse().unwrap()
}

/// The fields that a 400 names.
fn fields(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.0, StatusCode::BAD_REQUEST, "{}", answer.2);
    assert_eq!(answer.1["content-type"], "application/problem+json");
    let mut fields: Vec<_> = answer.2["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            assert!(!error["reason"].as_str().unwrap().is_empty());
            error["field"].as_str().unwrap_or("").to_owned()
        })
        .collect();
    fields.sort();
    fields
}

fn ok(answer: Answer) -> Value {
    assert_eq!(answer.0, StatusCode::OK, "{}", answer.2);
    answer.2
}

const CALLBACKS: &str = "/settings/callbacks";
const SECURITY: &str = "/settings/security";
const SOURCES: &str = "/settings/sources";

/// A callbacks document with a URL for CDRs.
fn cdr_url(url: &str) -> Value {
    json!({ "cdr": { "url": url } })
}
