//! What one event costs in calls to Table and Queue: counted, and the same however much is stored.

use ringfence_domain::event::{ContentKind, native};
use ringfence_ports::contract::Calls;
use ringfence_test_support::{Receiver, TestApp};
use serde_json::{Value, json};

async fn app() -> TestApp {
    let router = ringfence_settings::router()
        .merge(ringfence_ingest::router())
        .merge(ringfence_callbacks::router());
    TestApp::new().await.serving(router)
}

async fn set(test: &TestApp, settings: Value) {
    let path = format!("/v1/accounts/{}/settings/callbacks", test.account);
    let etag = test.request("GET", &path, Value::Null).await.headers["etag"]
        .to_str()
        .unwrap()
        .to_owned();
    let saved = test
        .request_as(
            Some(&test.key),
            "PUT",
            &path,
            &[("if-match", &etag)],
            settings,
        )
        .await;
    assert_eq!(saved.status, 200, "{}", saved.json);
}

fn events(name: &str, count: usize) -> Value {
    (0..count)
        .map(|index| {
            json!({"type": "cdr.created", "id": format!("{name}-{index}"), "timestamp": "2026-01-31T07:59:00Z",
                   "data": {"call_id": format!("call-{name}-{index}"), "from": "+14155550132"}})
        })
        .collect()
}

/// The calls of accepting `count` events in one request, and of delivering them.
async fn cost(test: &TestApp, name: &str, count: usize) -> (Calls, Calls) {
    let path = format!("/v1/accounts/{}/events", test.account);
    // What is cached for seconds is in the cache.
    test.request("POST", &path, events(&format!("{name}-warm"), 1))
        .await;
    test.drain().await;
    test.counting.take();
    let answer = test.request("POST", &path, events(name, count)).await;
    assert_eq!(answer.json["accepted"], count, "{}", answer.json);
    let accepting = test.counting.take();
    assert_eq!(test.drain().await, count);
    (accepting, test.counting.take())
}

/// Stores events for which no callback is on.
async fn store(test: &TestApp, from: usize, to: usize) {
    let config = test
        .app
        .account_config(&test.account)
        .await
        .unwrap()
        .unwrap();
    for first in (from..to).step_by(1000) {
        let last = (first + 1000).min(to);
        let body: Vec<String> = (first..last)
            .map(|index| format!(r#"{{"type":"cdr.created","id":"s{index}","timestamp":"2026-01-31T07:59:00Z","data":{{"call_id":"c{index}"}}}}"#))
            .collect();
        let now = "2026-01-31T08:00:00Z".parse().unwrap();
        let parsed = native::parse(
            ContentKind::Ndjson,
            body.join("\n").as_bytes(),
            &test.account,
            now,
        )
        .unwrap();
        test.app.accept(&config, parsed).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_costs_the_same_at_10_and_at_100_000_stored_events() {
    let (test, receiver) = (app().await, Receiver::start().await);
    store(&test, 0, 10).await;
    set(&test, json!({"cdr": {"url": receiver.url()}})).await;
    let one_early = cost(&test, "early", 1).await;
    let hundred_early = cost(&test, "early-batch", 100).await;

    // Accepting: one write, with a row and a message an event, and nothing read.
    let expected = |events| Calls {
        write: 1,
        units: events,
        puts: events,
        unit_sends: events,
        ..Calls::default()
    };
    assert_eq!(one_early.0, expected(1));
    assert_eq!(hundred_early.0, expected(100));
    // Delivering: one row each, and nothing read.
    let expected = |events| Calls {
        write: events,
        units: events,
        puts: events,
        ..Calls::default()
    };
    assert_eq!(one_early.1, expected(1));
    assert_eq!(hundred_early.1, expected(100));

    set(
        &test,
        json!({"cdr": {"url": receiver.url(), "enabled": false}}),
    )
    .await;
    store(&test, 10, 100_000).await;
    set(
        &test,
        json!({"cdr": {"url": receiver.url(), "enabled": true}}),
    )
    .await;
    assert_eq!(cost(&test, "late", 1).await, one_early);
    assert_eq!(cost(&test, "late-batch", 100).await, hundred_early);
}
