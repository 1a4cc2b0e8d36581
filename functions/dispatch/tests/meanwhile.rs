//! What happens while a delivery waits or is under way: settings change, it is sent again, a sweep takes
//! its order to be lost, another process opens the callback.

use std::{sync::Arc, time::Duration};

use ringfence_domain::{
    App, callback::Dispatcher, history::Actor, keyspace, settings::EndpointKind,
};
use ringfence_ports::{Consumer, Received};
use ringfence_test_support::{Answer, Receiver, TestApp};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};

async fn app() -> TestApp {
    let router = ringfence_settings::router()
        .merge(ringfence_ingest::router())
        .merge(ringfence_callbacks::router());
    TestApp::new().await.serving(router)
}

async fn save(test: &TestApp, area: &str, settings: Value) {
    let path = format!("/v1/accounts/{}/settings/{area}", test.account);
    let etag = test.request("GET", &path, Value::Null).await.headers["etag"]
        .to_str()
        .unwrap()
        .to_owned();
    let headers = [("if-match", etag.as_str())];
    let saved = test
        .request_as(Some(&test.key), "PUT", &path, &headers, settings)
        .await;
    assert_eq!(saved.status, 200, "{}", saved.json);
}

/// Posts one CDR, and answers its delivery's id.
async fn post(test: &TestApp, id: &str) -> String {
    let event = json!({
        "type": "cdr.created", "id": id, "timestamp": "2026-01-31T07:59:00Z",
        "data": {"call_id": format!("call-{id}"), "from": "+14155550132", "to": "1002"},
    });
    let path = format!("/v1/accounts/{}/events", test.account);
    let answer = test.request("POST", &path, event).await;
    answer.json["results"][0]["delivery"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn delivery(test: &TestApp, id: &str) -> Value {
    let path = format!("/v1/accounts/{}/deliveries/{id}", test.account);
    test.request("GET", &path, Value::Null).await.json
}

async fn act(test: &TestApp, path: &str) {
    let path = format!("/v1/accounts/{}/{path}", test.account);
    let answer = test.request("POST", &path, Value::Null).await;
    assert!(answer.status.is_success(), "{}", answer.json);
}

/// A receiver that answers each request with the status that it is given, when it is given.
struct Patient {
    url: String,
    /// The bodies of the requests, as they come.
    got: mpsc::UnboundedReceiver<Value>,
    answers: mpsc::UnboundedSender<u16>,
}

impl Patient {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (come, got) = mpsc::unbounded_channel();
        let (answers, given) = mpsc::unbounded_channel::<u16>();
        let given = Arc::new(tokio::sync::Mutex::new(given));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (come, given) = (come.clone(), given.clone());
                tokio::spawn(async move {
                    let mut buffer = Vec::new();
                    while stream.read_buf(&mut buffer).await.unwrap_or(0) > 0 {
                        let text = String::from_utf8_lossy(&buffer).into_owned();
                        let Some((_, body)) = text.split_once("\r\n\r\n") else {
                            continue;
                        };
                        let Ok(body) = serde_json::from_str(body) else {
                            continue;
                        };
                        buffer.clear();
                        let _ = come.send(body);
                        let Some(status) = given.lock().await.recv().await else {
                            return;
                        };
                        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
                        let _ = stream.write_all(answer.as_bytes()).await;
                    }
                });
            }
        });
        Self { url, got, answers }
    }

    /// The id of the event that came next.
    async fn next(&mut self) -> String {
        let body = tokio::time::timeout(Duration::from_secs(20), self.got.recv()).await;
        body.expect("a request").unwrap()["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    fn answer(&self, status: u16) {
        self.answers.send(status).unwrap();
    }
}

fn drain(test: &TestApp) -> tokio::task::JoinHandle<usize> {
    let pump = test.pump();
    tokio::spawn(async move { pump.drain().await })
}

#[tokio::test]
async fn an_attempt_is_on_record_though_it_was_sent_again_meanwhile() {
    let (test, mut receiver) = (app().await, Patient::start().await);
    save(&test, "callbacks", json!({"cdr": {"url": receiver.url}})).await;
    let id = post(&test, "e1").await;
    receiver.answer(500);
    test.drain().await;
    receiver.next().await;

    test.clock.advance(Duration::from_secs(7));
    let draining = drain(&test);
    receiver.next().await;
    act(&test, &format!("deliveries/{id}/resend")).await;
    receiver.answer(503);
    receiver.answer(204);
    draining.await.unwrap();
    test.after(Duration::from_mins(5)).await;

    let seen = delivery(&test, &id).await;
    let statuses: Vec<_> = seen["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| attempt["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [500, 503, 204]);
    assert_eq!(seen["status"], "delivered");
}

#[tokio::test]
async fn what_waits_for_a_place_goes_out_as_the_settings_then_say() {
    let (test, mut receiver) = (app().await, Patient::start().await);
    let callbacks = json!({"cdr": {"url": receiver.url, "concurrency": 1}});
    save(&test, "callbacks", callbacks).await;
    for id in ["e1", "e2", "e3"] {
        post(&test, id).await;
    }
    let draining = drain(&test);
    receiver.next().await;
    // Two wait behind it.
    save(&test, "security", json!({"phone_number_masking": true})).await;
    receiver.answer(204);
    let second = receiver.got.recv().await.unwrap();
    assert_eq!(second["data"]["from"], "+141****0132");
    act(&test, "callbacks/cdr/pause").await;
    receiver.answer(204);
    draining.await.unwrap();
    assert!(
        receiver.got.try_recv().is_err(),
        "paused, so nothing more goes out"
    );
    let path = format!("/v1/accounts/{}/deliveries?status=held", test.account);
    let held = test.request("GET", &path, Value::Null).await.json;
    assert_eq!(held["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_long_wait_for_a_place_neither_repeats_nor_loses_what_waits() {
    let (test, mut receiver) = (app().await, Patient::start().await);
    let callbacks = json!({"cdr": {"url": receiver.url, "concurrency": 1}});
    save(&test, "callbacks", callbacks).await;
    let ids = [post(&test, "e1").await, post(&test, "e2").await];
    receiver.answer(500);
    receiver.answer(500);
    test.drain().await;
    for _ in &ids {
        receiver.next().await;
    }

    test.clock.advance(Duration::from_secs(7));
    let draining = drain(&test);
    let first = receiver.next().await;
    // So slow that sweeps take both orders to be lost, and send them once more.
    for _ in 0..3 {
        test.clock.advance(Duration::from_secs(150));
        test.app.sweep_due_deliveries().await.unwrap();
    }
    receiver.answer(204);
    let second = receiver.next().await;
    assert_ne!(first, second);
    receiver.answer(204);
    draining.await.unwrap();
    test.after(Duration::from_mins(10)).await;
    assert!(receiver.got.try_recv().is_err(), "each went out once");
    for id in ids {
        assert_eq!(delivery(&test, &id).await["status"], "delivered");
    }
}

#[tokio::test]
async fn what_is_held_by_a_process_that_has_not_seen_the_resumption_goes_out() {
    let (test, receiver) = (app().await, Receiver::start().await);
    let other = App::new(
        test.app.table.clone(),
        test.app.queue.clone(),
        test.app.keys.clone(),
        test.app.clock.clone(),
        test.app.random.clone(),
        test.app.sender.clone(),
    );
    save(&test, "callbacks", json!({"cdr": {"url": receiver.url()}})).await;
    act(&test, "callbacks/cdr/pause").await;
    let id = post(&test, "e1").await;
    test.drain().await;
    assert_eq!(delivery(&test, &id).await["status"], "held");

    // Elsewhere, so that this process still believes that it is paused.
    let config = other.account_config(&test.account).await.unwrap().unwrap();
    other
        .resume(&config, EndpointKind::Cdr, &Actor::system())
        .await
        .unwrap();
    test.drain().await;
    assert_eq!(receiver.posts().len(), 1);
    assert_eq!(delivery(&test, &id).await["status"], "delivered");
}

#[tokio::test]
async fn another_url_is_not_held_to_what_the_first_one_did() {
    let (test, broken, mended) = (
        app().await,
        Receiver::start().await,
        Receiver::start().await,
    );
    save(&test, "callbacks", json!({"cdr": {"url": broken.url()}})).await;
    broken.always(Some(Answer::status(503)));
    for id in ["e1", "e2", "e3", "e4", "e5"] {
        post(&test, id).await;
    }
    test.drain().await;
    let held_back = post(&test, "e6").await;
    test.drain().await;
    assert_eq!(delivery(&test, &held_back).await["status"], "waiting");

    save(&test, "callbacks", json!({"cdr": {"url": mended.url()}})).await;
    let id = post(&test, "e7").await;
    test.drain().await;
    assert_eq!(delivery(&test, &id).await["status"], "delivered");
}

#[tokio::test]
async fn a_higher_rate_holds_at_once() {
    let (test, receiver) = (app().await, Receiver::start().await);
    let at = |rate: u32| json!({"cdr": {"url": receiver.url(), "rate_per_second": rate}});
    save(&test, "callbacks", at(1)).await;
    for index in 0..30 {
        post(&test, &format!("slow-{index}")).await;
    }
    test.drain().await;
    save(&test, "callbacks", at(1000)).await;
    let id = post(&test, "fast").await;
    test.drain().await;
    assert_eq!(delivery(&test, &id).await["status"], "delivered");
}

#[tokio::test]
async fn an_attempt_that_died_is_made_again_as_soon_as_its_claim_is_over() {
    let (test, mut receiver) = (app().await, Patient::start().await);
    save(&test, "callbacks", json!({"cdr": {"url": receiver.url}})).await;
    let id = post(&test, "e1").await;
    receiver.answer(500);
    test.drain().await;
    receiver.next().await;
    test.clock.advance(Duration::from_secs(7));
    let order = order_of(&test, &id).await;
    let dying = tokio::spawn({
        let (dispatcher, order) = (Dispatcher::new(test.app.clone()), order.clone());
        async move { dispatcher.handle(vec![order]).await }
    });
    receiver.next().await;
    dying.abort();

    // The order comes again at once, as after a restart; the deadline of 15 s and a margin of 10 s hold.
    test.drain().await;
    test.clock.advance(Duration::from_secs(24));
    test.drain().await;
    assert!(receiver.got.try_recv().is_err());
    receiver.answer(204);
    receiver.answer(204);
    test.clock.advance(Duration::from_secs(2));
    test.drain().await;
    receiver.next().await;
    assert_eq!(delivery(&test, &id).await["status"], "delivered");
}

/// The order for a delivery at its present turn, as the queue hands it out.
async fn order_of(test: &TestApp, id: &str) -> Received {
    let key = keyspace::delivery(&test.account, id).unwrap();
    let row = test.app.table.get(&key).await.unwrap().unwrap();
    let seen: Value = serde_json::from_str(&row.doc).unwrap();
    let body = json!({
        "delivery": id, "account": test.account, "kind": "cdr", "type": "cdr.created",
        "about": seen["about"], "event_id": seen["event_id"], "turn": seen["turn"],
    });
    Received {
        id: "1".to_owned(),
        body: body.to_string(),
        group: "g".to_owned(),
        receives: 1,
    }
}

#[tokio::test]
async fn that_an_old_url_is_gone_is_not_held_against_a_new_one() {
    let (test, mut old) = (app().await, Patient::start().await);
    save(&test, "callbacks", json!({"cdr": {"url": old.url}})).await;
    post(&test, "e1").await;
    let draining = drain(&test);
    old.next().await;
    let new = Receiver::start().await;
    save(&test, "callbacks", json!({"cdr": {"url": new.url()}})).await;
    old.answer(410);
    draining.await.unwrap();
    let second = post(&test, "e2").await;
    test.drain().await;
    assert_eq!(delivery(&test, &second).await["status"], "delivered");
    assert_eq!(new.posts().len(), 1);
}
