//! The verification challenge, against receivers on this machine.

use std::sync::{Arc, Mutex};

use axum::{Router as Receiver, body::Bytes, extract::State, routing::post};
use ringfence_webhook::{Verifier, verify};

use super::*;

type Reply = fn(&str) -> (StatusCode, String);
type Seen = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// A receiver that answers with what `answer` makes of the challenge.
async fn receiver(answer: Reply) -> (String, Seen) {
    let seen = Seen::default();
    let handler = move |State(seen): State<Seen>, headers: HeaderMap, body: Bytes| async move {
        let event: Value = serde_json::from_slice(&body).unwrap();
        let reply = answer(event["data"]["challenge"].as_str().unwrap());
        seen.lock().unwrap().push((headers, body));
        reply
    };
    let router = Receiver::new()
        .route("/hook", post(handler))
        .with_state(seen.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, seen)
}

const VERIFY: &str = "/settings/callbacks?verify=true";

#[tokio::test]
async fn a_receiver_that_answers_is_saved() {
    let client = Client::new().await;
    let (url, seen) = receiver(|challenge| {
        (
            StatusCode::OK,
            format!(r#"{{"challenge": "{challenge}", "more": 1}}"#),
        )
    })
    .await;
    let document = json!({ "cdr": { "url": url, "headers": { "x-token": "abc" } } });
    let saved = ok(client.put(&client.account(VERIFY), &document).await);
    let secret = saved["secrets"]["cdr"]["secret"]
        .as_str()
        .unwrap()
        .to_owned();
    let (headers, body) = seen.lock().unwrap().remove(0);
    let event: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(event["type"], "ringfence.challenge");
    assert_eq!(event["account_id"], json!(client.test.account.id));
    assert_eq!(event["data"]["callback"], "cdr");
    assert_eq!(headers["x-token"], "abc");
    let text = |name: &str| headers[name].to_str().unwrap();
    let now = ringfence_ports::Clock::now(&client.test.clock).as_second();
    verify(
        &[secret.parse::<Verifier>().unwrap()],
        text("webhook-id"),
        text("webhook-timestamp"),
        text("webhook-signature"),
        &body,
        now,
        std::time::Duration::from_secs(1),
    )
    .unwrap();
    // A URL that stays is not asked again; a new one is.
    let change = json!({ "cdr": { "timeout_seconds": 5 } });
    ok(client.patch(&client.account(VERIFY), &change).await);
    assert!(seen.lock().unwrap().is_empty());
    let change = cdr_url(&format!("{url}?two"));
    ok(client.patch(&client.account(VERIFY), &change).await);
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_receiver_that_does_not_is_explained_and_nothing_is_saved() {
    let client = Client::new().await;
    let path = client.account(VERIFY);
    let cases: [(Reply, &str); 6] = [
        (
            |_| (StatusCode::OK, r#"{"challenge": "guess"}"#.to_owned()),
            "wrong_challenge",
        ),
        (
            |_| (StatusCode::OK, r#"{"ok": true}"#.to_owned()),
            "answer_without_challenge",
        ),
        (
            |challenge| (StatusCode::OK, challenge.to_owned()),
            "answer_not_json",
        ),
        (
            |c| {
                (
                    StatusCode::CREATED,
                    format!(r#"{{"challenge": "{c}", "x": "{}"}}"#, "x".repeat(2000)),
                )
            },
            "answer_too_long",
        ),
        (
            |c| (StatusCode::FORBIDDEN, format!(r#"{{"challenge": "{c}"}}"#)),
            "rejected",
        ),
        (
            |c| (StatusCode::FOUND, format!(r#"{{"challenge": "{c}"}}"#)),
            "redirect",
        ),
    ];
    for (answer, code) in cases {
        let (url, _) = receiver(answer).await;
        let answer = client.put(&path, &cdr_url(&url)).await;
        assert_eq!(answer.0, StatusCode::UNPROCESSABLE_ENTITY, "{code}");
        assert_eq!(answer.2["type"], "/problems/challenge-failed");
        assert_eq!(answer.2["errors"][0]["field"], "cdr.url");
        assert_eq!(answer.2["errors"][0]["code"], code);
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let answer = client.put(&path, &cdr_url(&nobody)).await;
    assert_eq!(answer.2["errors"][0]["code"], "connection_refused");

    assert_eq!(client.version(&path).await, 0);
    assert_eq!(
        ok(client.get(&client.account("/callbacks/cdr/secrets")).await),
        json!({ "items": [] })
    );
    assert_eq!(client.history(&client.test.account.id).await.len(), 2);
}
