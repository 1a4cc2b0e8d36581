//! From an accepted event to the receiver, under a test clock: nothing here waits.

use std::time::Duration;

use ringfence_test_support::{Answer, Receiver, TestApp};
use ringfence_webhook::sign::{DEFAULT_TOLERANCE, Verifier, verify};
use serde_json::{Value, json};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

async fn app() -> TestApp {
    let router = ringfence_settings::router()
        .merge(ringfence_ingest::router())
        .merge(ringfence_callbacks::router());
    TestApp::new().await.serving(router)
}

/// Saves the account's callback settings; answers the CDR callback's secret, if one was made.
async fn callbacks(test: &TestApp, settings: Value) -> Option<String> {
    save(test, "callbacks", settings).await["secrets"]["cdr"]["secret"]
        .as_str()
        .map(str::to_owned)
}

async fn save(test: &TestApp, area: &str, settings: Value) -> Value {
    let path = format!("/v1/accounts/{}/settings/{area}", test.account);
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
    saved.json
}

/// Posts one CDR, and answers its delivery's id.
async fn post(test: &TestApp, id: &str) -> String {
    let event = json!({
        "type": "cdr.created", "id": id, "timestamp": "2026-01-31T07:59:00Z",
        "data": {"call_id": format!("call-{id}"), "from": "+14155550132", "to": "1002"},
    });
    let answer = test
        .request(
            "POST",
            &format!("/v1/accounts/{}/events", test.account),
            event,
        )
        .await;
    assert_eq!(answer.status, 202, "{}", answer.json);
    answer.json["results"][0]["delivery"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

async fn delivery(test: &TestApp, id: &str) -> Value {
    let path = format!("/v1/accounts/{}/deliveries/{id}", test.account);
    test.request("GET", &path, Value::Null).await.json
}

async fn listed(test: &TestApp, query: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!(
            "/v1/accounts/{}/deliveries?limit=7&{query}{cursor}",
            test.account
        );
        let page = test.request("GET", &path, Value::Null).await;
        assert_eq!(page.status, 200, "{}", page.json);
        found.extend(page.json["items"].as_array().unwrap().clone());
        match page.json["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

async fn act(test: &TestApp, action: &str, body: Value) -> Value {
    let path = format!("/v1/accounts/{}/callbacks/cdr/{action}", test.account);
    let answer = test.request("POST", &path, body).await;
    assert!(answer.status.is_success(), "{}", answer.json);
    answer.json
}

#[tokio::test]
async fn an_event_arrives_signed_and_is_on_record() {
    let (test, receiver) = (app().await, Receiver::start().await);
    let secret = callbacks(
        &test,
        json!({"cdr": {"url": receiver.url(), "headers": {"x-tenant": "blue"}}}),
    )
    .await
    .unwrap();
    let id = post(&test, "e1").await;
    assert_eq!(test.drain().await, 1);

    let posts = receiver.posts();
    assert_eq!(posts.len(), 1);
    let post = &posts[0];
    assert_eq!(post.header("webhook-id"), id);
    assert_eq!(post.header("x-tenant"), "blue");
    assert_eq!(post.header("content-type"), "application/json");
    let verifier: Verifier = secret.parse().unwrap();
    let now = ringfence_test_support::START
        .parse::<jiff::Timestamp>()
        .unwrap()
        .as_second();
    verify(
        &[verifier],
        post.header("webhook-id"),
        post.header("webhook-timestamp"),
        post.header("webhook-signature"),
        &post.body,
        now,
        DEFAULT_TOLERANCE,
    )
    .unwrap();
    assert_eq!(post.json()["data"]["from"], "+14155550132");

    let seen = delivery(&test, &id).await;
    assert_eq!(seen["status"], "delivered");
    assert_eq!(seen["attempts"][0]["status"], 204);
    assert_eq!(seen["body"].as_str().unwrap().as_bytes(), post.body);
}

#[tokio::test]
async fn a_repeat_delivers_nothing_new_and_a_changed_repeat_is_refused() {
    let (test, receiver) = (app().await, Receiver::start().await);
    callbacks(&test, json!({"cdr": {"url": receiver.url()}})).await;
    let event = json!({"type": "cdr.created", "id": "e1", "timestamp": "2026-01-31T07:59:00Z", "data": {"call_id": "c"}});
    let path = format!("/v1/accounts/{}/events", test.account);
    let both = test.request("POST", &path, json!([event, event])).await;
    assert_eq!(
        (
            both.json["accepted"].as_u64(),
            both.json["duplicates"].as_u64()
        ),
        (Some(1), Some(1))
    );
    let again = test.request("POST", &path, event.clone()).await;
    assert_eq!(again.status, 202);
    assert_eq!(again.json["results"][0]["status"], "duplicate");
    let mut changed = event.clone();
    changed["data"]["duration"] = json!(5);
    let changed = test.request("POST", &path, changed).await;
    assert_eq!(changed.status, 400);
    assert_eq!(changed.json["errors"][0]["code"], "id_reused");
    test.drain().await;
    assert_eq!(receiver.posts().len(), 1);
}

#[tokio::test]
async fn failures_follow_the_schedule_and_end() {
    let (test, receiver) = (app().await, Receiver::start().await);
    callbacks(&test, json!({"cdr": {"url": receiver.url()}})).await;
    receiver.always(Some(Answer {
        body: "no".to_owned(),
        ..Answer::status(500)
    }));
    let id = post(&test, "e1").await;
    test.drain().await;
    assert_eq!(delivery(&test, &id).await["status"], "retrying");

    // Just before the earliest moment nothing happens; after the latest it has.
    let base = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
    for (index, seconds) in base.into_iter().enumerate() {
        let tried = |seen: &Value| seen["attempts"].as_array().unwrap().len();
        test.after(Duration::from_secs(seconds * 79 / 100)).await;
        assert_eq!(
            tried(&delivery(&test, &id).await),
            index + 1,
            "too early: retry {}",
            index + 1
        );
        // Orders that stand in the due index are given two minutes of grace for a queue that lost them.
        test.after(Duration::from_secs(seconds * 42 / 100 + 125))
            .await;
        assert_eq!(
            tried(&delivery(&test, &id).await),
            index + 2,
            "too late: retry {}",
            index + 1
        );
    }
    let seen = delivery(&test, &id).await;
    assert_eq!(seen["status"], "failed");
    assert_eq!(seen["attempts"][0]["response"], "no");
    test.after(DAY * 3).await;
    let posts = receiver.posts();
    assert_eq!(posts.len(), 10);
    let mut times: Vec<&str> = posts
        .iter()
        .map(|post| post.header("webhook-timestamp"))
        .collect();
    assert!(posts.iter().all(|post| post.header("webhook-id") == id));
    times.dedup();
    assert_eq!(times.len(), 10, "each attempt is signed with its own time");
    assert_eq!(listed(&test, "status=failed").await.len(), 1);
    assert_eq!(listed(&test, "status=retrying").await.len(), 0);
}

#[tokio::test]
async fn retry_after_is_heeded() {
    let (test, receiver) = (app().await, Receiver::start().await);
    callbacks(&test, json!({"cdr": {"url": receiver.url()}})).await;
    receiver.next(Answer {
        headers: "retry-after: 240\r\n".to_owned(),
        ..Answer::status(429)
    });
    let id = post(&test, "e1").await;
    test.drain().await;
    test.after(Duration::from_secs(235)).await;
    assert_eq!(receiver.posts().len(), 1);
    test.after(Duration::from_secs(130)).await;
    assert_eq!(receiver.posts().len(), 2);
    assert_eq!(delivery(&test, &id).await["status"], "delivered");
}

#[tokio::test]
async fn gone_disables_at_once_and_resuming_sends_what_was_held() {
    let (test, receiver) = (app().await, Receiver::start().await);
    callbacks(&test, json!({"cdr": {"url": receiver.url()}})).await;
    receiver.next(Answer::status(410));
    post(&test, "e1").await;
    test.drain().await;
    for id in ["e2", "e3"] {
        post(&test, id).await;
    }
    test.drain().await;
    assert_eq!(
        receiver.posts().len(),
        1,
        "a disabled endpoint gets nothing"
    );
    let state = test
        .request(
            "GET",
            &format!("/v1/accounts/{}/callbacks", test.account),
            Value::Null,
        )
        .await
        .json;
    assert_eq!(state["items"][0]["state"], "disabled");
    assert_eq!(listed(&test, "status=held").await.len(), 3);
    let events = test
        .request(
            "GET",
            &format!("/v1/accounts/{}/operational-events", test.account),
            Value::Null,
        )
        .await;
    assert_eq!(events.json["items"][0]["type"], "callback.disabled");

    act(&test, "resume", Value::Null).await;
    test.drain().await;
    let mut got: Vec<String> = receiver.posts()[1..]
        .iter()
        .map(|post| post.json()["id"].as_str().unwrap().to_owned())
        .collect();
    got.sort();
    assert_eq!(got, ["e1", "e2", "e3"]);
    assert_eq!(listed(&test, "status=held").await.len(), 0);
}

#[tokio::test]
async fn five_days_without_success_disable_it_and_say_so() {
    let (test, receiver, operations) = (
        app().await,
        Receiver::start().await,
        Receiver::start().await,
    );
    callbacks(
        &test,
        json!({"cdr": {"url": receiver.url()}, "operational": {"url": operations.url()}}),
    )
    .await;
    receiver.always(Some(Answer::status(500)));
    for day in 0..5 {
        post(&test, &format!("day-{day}")).await;
        test.drain().await;
        test.after(if day < 4 { DAY } else { HOUR * 23 }).await;
    }
    let said: Vec<Value> = operations
        .posts()
        .iter()
        .map(|post| post.json()["type"].clone())
        .collect();
    assert_eq!(said, ["callback.failing"]);
    test.clock.advance(HOUR);
    post(&test, "day-5").await;
    test.drain().await;
    let last = operations.posts().last().unwrap().json();
    assert_eq!(last["type"], "callback.disabled");
    assert_eq!(last["data"]["callback"], "cdr");
    let before = receiver.posts().len();
    post(&test, "day-6").await;
    test.after(HOUR * 20).await;
    assert_eq!(
        receiver.posts().len(),
        before,
        "nothing is sent to a disabled endpoint"
    );

    receiver.always(None);
    act(&test, "resume", Value::Null).await;
    test.drain().await;
    test.after(MINUTE * 10).await;
    assert!(
        receiver
            .posts()
            .iter()
            .any(|post| post.json()["id"] == "day-6")
    );
}

#[tokio::test]
async fn a_success_ends_failing() {
    let (test, receiver, operations) = (
        app().await,
        Receiver::start().await,
        Receiver::start().await,
    );
    callbacks(
        &test,
        json!({"cdr": {"url": receiver.url()}, "operational": {"url": operations.url()}}),
    )
    .await;
    // One failure is none of the endpoint's: three one after the other are.
    receiver.next(Answer::status(503));
    post(&test, "e0").await;
    test.drain().await;
    test.after(Duration::from_secs(10)).await;
    assert!(operations.posts().is_empty());
    for _ in 0..3 {
        receiver.next(Answer::status(503));
    }
    post(&test, "e1").await;
    test.drain().await;
    for wait in [MINUTE, MINUTE * 10, HOUR] {
        test.after(wait).await;
        test.drain().await;
    }
    let said: Vec<Value> = operations
        .posts()
        .iter()
        .map(|post| post.json()["type"].clone())
        .collect();
    assert_eq!(said, ["callback.failing", "callback.recovered"]);
}

#[tokio::test]
async fn pausing_holds_and_resuming_sends() {
    let (test, receiver) = (app().await, Receiver::start().await);
    callbacks(&test, json!({"cdr": {"url": receiver.url()}})).await;
    act(&test, "pause", Value::Null).await;
    let id = post(&test, "e1").await;
    test.drain().await;
    assert!(receiver.posts().is_empty());
    assert_eq!(
        delivery(&test, &id).await["reason"],
        "the callback is paused"
    );
    let answer = act(&test, "resume", Value::Null).await;
    test.drain().await;
    assert_eq!(receiver.posts().len(), 1);
    let job = answer["job"]["id"].as_str().unwrap();
    let job = test
        .request(
            "GET",
            &format!("/v1/accounts/{}/jobs/{job}", test.account),
            Value::Null,
        )
        .await
        .json;
    assert_eq!(
        (job["state"].as_str(), job["queued"].as_u64()),
        (Some("done"), Some(1))
    );
}

#[tokio::test]
async fn what_was_on_its_way_when_the_callback_was_switched_off_goes_out_when_it_is_on_again() {
    let (test, receiver) = (app().await, Receiver::start().await);
    let on = |enabled| json!({"cdr": {"url": receiver.url(), "enabled": enabled}});
    callbacks(&test, on(true)).await;
    let waiting = post(&test, "e1").await;
    callbacks(&test, on(false)).await;
    post(&test, "e2").await;
    test.drain().await;
    assert_eq!(
        delivery(&test, &waiting).await["reason"],
        "the callback is switched off"
    );
    callbacks(&test, on(true)).await;
    test.drain().await;
    assert_eq!(delivery(&test, &waiting).await["status"], "delivered");
    assert_eq!(
        receiver.posts().len(),
        1,
        "what came while it was off is not sent"
    );
    // Taken away, and given another URL.
    let waiting = post(&test, "e3").await;
    callbacks(&test, json!({})).await;
    test.drain().await;
    assert_eq!(
        delivery(&test, &waiting).await["reason"],
        "the callback has no URL"
    );
    let other = Receiver::start().await;
    callbacks(&test, json!({"cdr": {"url": other.url()}})).await;
    test.drain().await;
    assert_eq!((receiver.posts().len(), other.posts().len()), (1, 1));
}

#[tokio::test]
async fn a_range_is_counted_dry_and_then_replayed() {
    let (test, receiver) = (app().await, Receiver::start().await);
    callbacks(&test, json!({"cdr": {"url": receiver.url()}})).await;
    for index in 0..250 {
        post(&test, &format!("early-{index}")).await;
    }
    test.drain().await;
    test.after(HOUR).await;
    post(&test, "late").await;
    test.drain().await;
    assert_eq!(receiver.take().len(), 251);
    assert_eq!(listed(&test, "status=delivered").await.len(), 251);
    assert_eq!(listed(&test, "since=2026-01-31T08:30:00Z").await.len(), 1);

    let range = json!({"since": "2026-01-31T07:00:00Z", "until": "2026-01-31T08:30:00Z", "status": ["delivered"], "dry_run": true});
    let dry = act(&test, "replay", range.clone()).await;
    test.drain().await;
    let job = |id: &Value| {
        format!(
            "/v1/accounts/{}/jobs/{}",
            test.account,
            id.as_str().unwrap()
        )
    };
    let done = test
        .request("GET", &job(&dry["id"]), Value::Null)
        .await
        .json;
    assert_eq!(
        (
            done["matched"].as_u64(),
            done["queued"].as_u64(),
            done["state"].as_str()
        ),
        (Some(250), Some(0), Some("done"))
    );
    assert!(receiver.posts().is_empty());

    let mut range = range;
    range["dry_run"] = json!(false);
    let wet = act(&test, "replay", range).await;
    test.drain().await;
    let done = test
        .request("GET", &job(&wet["id"]), Value::Null)
        .await
        .json;
    assert_eq!(
        (done["matched"].as_u64(), done["queued"].as_u64()),
        (Some(250), Some(250))
    );
    let mut ids: Vec<String> = receiver
        .posts()
        .iter()
        .map(|post| post.json()["id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 250);
    assert!(ids.iter().all(|id| id.starts_with("early-")));
}

#[tokio::test]
async fn one_delivery_can_be_sent_again() {
    let (test, receiver) = (app().await, Receiver::start().await);
    callbacks(&test, json!({"cdr": {"url": receiver.url()}})).await;
    let id = post(&test, "e1").await;
    test.drain().await;
    let path = format!("/v1/accounts/{}/deliveries/{id}/resend", test.account);
    assert_eq!(test.request("POST", &path, Value::Null).await.status, 202);
    test.drain().await;
    let posts = receiver.posts();
    assert_eq!(posts.len(), 2);
    assert_eq!(posts[0].body, posts[1].body);
    assert_eq!(posts[1].header("webhook-id"), id);
    assert_eq!(
        delivery(&test, &id).await["attempts"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn the_breaker_spares_an_endpoint_that_keeps_failing_and_loses_nothing() {
    let (test, receiver) = (app().await, Receiver::start().await);
    callbacks(
        &test,
        json!({"cdr": {"url": receiver.url(), "concurrency": 1}}),
    )
    .await;
    receiver.always(Some(Answer::status(503)));
    for index in 0..30 {
        post(&test, &format!("e{index}")).await;
    }
    test.drain().await;
    assert_eq!(receiver.posts().len(), 5, "five failures open the breaker");
    assert_eq!(listed(&test, "status=waiting").await.len(), 25);
    receiver.always(None);
    for _ in 0..20 {
        test.after(MINUTE).await;
    }
    assert_eq!(listed(&test, "status=delivered").await.len(), 30);
}

#[tokio::test]
async fn masking_covers_what_was_queued_before_it_was_switched_on() {
    let (test, receiver) = (app().await, Receiver::start().await);
    callbacks(&test, json!({"cdr": {"url": receiver.url()}})).await;
    let id = post(&test, "e1").await;
    save(&test, "security", json!({"phone_number_masking": true})).await;
    test.drain().await;
    assert_eq!(receiver.posts()[0].json()["data"]["from"], "+141****0132");
    assert_eq!(receiver.posts()[0].json()["data"]["to"], "****");
    assert!(
        !delivery(&test, &id).await["body"]
            .as_str()
            .unwrap()
            .contains("0132\",\"to\":\"1002")
    );
}

#[tokio::test]
async fn a_receiver_that_quotes_a_number_does_not_show_it_in_a_masked_log() {
    let (test, receiver) = (app().await, Receiver::start().await);
    callbacks(&test, json!({"cdr": {"url": receiver.url()}})).await;
    save(&test, "security", json!({"phone_number_masking": true})).await;
    receiver.next(Answer {
        body: "no route to +1 (415) 555-0132".to_owned(),
        ..Answer::status(400)
    });
    let id = post(&test, "e1").await;
    test.drain().await;
    let shown = delivery(&test, &id).await.to_string();
    assert!(
        !shown.contains("555-0132") && !shown.contains("5550132"),
        "{shown}"
    );
    let list = listed(&test, "status=retrying").await;
    assert!(!json!(list).to_string().contains("555-0132"));
}

#[tokio::test]
async fn a_rate_limit_spreads_and_loses_nothing() {
    let (test, receiver) = (app().await, Receiver::start().await);
    callbacks(
        &test,
        json!({"cdr": {"url": receiver.url(), "rate_per_second": 1}}),
    )
    .await;
    for index in 0..12 {
        post(&test, &format!("e{index}")).await;
    }
    test.drain().await;
    assert!(
        receiver.posts().len() <= 3,
        "{} at once",
        receiver.posts().len()
    );
    for _ in 0..30 {
        test.after(MINUTE).await;
    }
    assert_eq!(receiver.posts().len(), 12);
}

#[tokio::test]
async fn a_test_event_answers_with_what_came_back() {
    let (test, receiver) = (app().await, Receiver::start().await);
    callbacks(&test, json!({"cdr": {"url": receiver.url()}})).await;
    let answer = act(&test, "test", Value::Null).await;
    assert_eq!(
        (answer["ok"].as_bool(), answer["status"].as_u64()),
        (Some(true), Some(204))
    );
    assert_eq!(receiver.posts()[0].json()["data"]["tags"], json!(["test"]));
    receiver.next(Answer {
        headers: "location: http://169.254.169.254/\r\n".to_owned(),
        ..Answer::status(302)
    });
    let answer = act(&test, "test", Value::Null).await;
    assert_eq!(answer["ok"], false);
    assert!(answer["explanation"].as_str().unwrap().contains("redirect"));
}

#[tokio::test]
async fn calls_are_found_in_the_log_even_while_they_wait_in_the_queue() {
    let (test, receiver) = (app().await, Receiver::start().await);
    callbacks(&test, json!({"cdr": {"url": receiver.url()}})).await;
    let id = post(&test, "e1").await;
    post(&test, "e2").await;
    let found = listed(&test, "call_id=call-e1").await;
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0]["id"].as_str(), found[0]["status"].as_str()),
        (Some(id.as_str()), Some("queued"))
    );
    test.drain().await;
    assert_eq!(
        listed(&test, "call_id=call-e1").await[0]["status"],
        "delivered"
    );
    assert_eq!(listed(&test, "callback=call_status").await.len(), 0);
}

#[tokio::test]
async fn a_replay_whose_message_was_lost_goes_on() {
    let (test, receiver) = (app().await, Receiver::start().await);
    callbacks(&test, json!({"cdr": {"url": receiver.url()}})).await;
    post(&test, "e1").await;
    test.drain().await;
    let job = act(
        &test,
        "replay",
        json!({"status": ["delivered"], "until": "2026-01-31T08:00:01Z"}),
    )
    .await;
    // The message of its first step vanishes, as it does with a process that dies before it sends it.
    let key = ringfence_domain::keyspace::job(&test.account, job["id"].as_str().unwrap());
    let row = test.app.table.get(&key).await.unwrap().unwrap();
    test.drain().await;
    let unsent = ringfence_ports::Put {
        index: row.index.clone(),
        ..ringfence_ports::Put::new(key.clone(), row.doc.clone(), ringfence_ports::When::Always)
    };
    test.app
        .table
        .commit(ringfence_ports::Unit {
            ops: vec![ringfence_ports::Op::Put(unsent)],
            sends: Vec::new(),
        })
        .await
        .unwrap();
    receiver.take();
    test.after(MINUTE * 11).await;
    assert_eq!(receiver.posts().len(), 1);
    let path = format!(
        "/v1/accounts/{}/jobs/{}",
        test.account,
        job["id"].as_str().unwrap()
    );
    assert_eq!(
        test.request("GET", &path, Value::Null).await.json["state"],
        "done"
    );
}

#[tokio::test]
async fn the_log_hides_numbers_in_ids_and_in_what_receivers_quote() {
    let (test, receiver) = (app().await, Receiver::start().await);
    callbacks(&test, json!({"cdr": {"url": receiver.url()}})).await;
    save(&test, "security", json!({"phone_number_masking": true})).await;
    receiver.always(Some(Answer {
        body: "no such caller: 14155550132".to_owned(),
        ..Answer::status(400)
    }));
    let event = json!({
        "type": "cdr.created", "id": "cdr-14155550132-7", "timestamp": "2026-01-31T07:59:00Z",
        "data": {"call_id": "sip:+14155550132@pbx", "from": "+14155550132", "to": "1002"},
    });
    let events = format!("/v1/accounts/{}/events", test.account);
    let answer = test.request("POST", &events, event).await;
    let id = answer.json["results"][0]["delivery"]
        .as_str()
        .unwrap()
        .to_owned();
    test.drain().await;

    let one = delivery(&test, &id).await;
    let found = listed(&test, "status=retrying").await;
    let of_call = listed(&test, "call_id=sip:%2B14155550132@pbx").await;
    assert_eq!((found.len(), of_call.len()), (1, 1));
    for seen in [&one, &found[0], &of_call[0]] {
        let shown = seen.to_string();
        assert!(!shown.contains("4155550132"), "{shown}");
        assert_eq!(seen["about"]["call"], "sip:+141****0132@pbx");
        assert_eq!(seen["event_id"], "cdr-141****0132-7");
        assert_eq!(
            seen["attempts"][0]["response"],
            "no such caller: 141****0132"
        );
    }

    save(&test, "security", json!({"phone_number_masking": false})).await;
    assert_eq!(listed(&test, "").await[0]["event_id"], "cdr-14155550132-7");
}

#[tokio::test]
async fn an_id_that_no_call_can_have_finds_nothing() {
    let test = app().await;
    assert!(
        listed(&test, &format!("call_id={}", "x".repeat(3000)))
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_time_that_cannot_be_read_is_explained() {
    let test = app().await;
    let path = |since: &str| format!("/v1/accounts/{}/deliveries?since={since}", test.account);
    for since in ["yesterday", "2026-01-31T08:15:00+01:00"] {
        let answer = test.request("GET", &path(since), Value::Null).await;
        assert_eq!(answer.status, 400);
        let detail = answer.json["detail"].as_str().unwrap();
        assert!(
            detail.starts_with("since must be an RFC 3339 time"),
            "{detail}"
        );
    }
    let good = path("2026-01-31T08:15:00%2B01:00");
    assert_eq!(test.request("GET", &good, Value::Null).await.status, 200);
}

#[tokio::test]
async fn that_an_old_url_failed_is_not_held_against_a_new_one() {
    let (test, old, new) = (
        app().await,
        Receiver::start().await,
        Receiver::start().await,
    );
    callbacks(&test, json!({"cdr": {"url": old.url()}})).await;
    old.always(Some(Answer::status(500)));
    for day in 0..4 {
        post(&test, &format!("old-{day}")).await;
        test.drain().await;
        test.after(DAY).await;
    }
    callbacks(&test, json!({"cdr": {"url": new.url()}})).await;
    new.always(Some(Answer::status(500)));
    for day in 0..3 {
        post(&test, &format!("new-{day}")).await;
        test.drain().await;
        test.after(DAY).await;
    }
    let path = format!("/v1/accounts/{}/callbacks", test.account);
    let seen = test.request("GET", &path, Value::Null).await.json;
    assert_eq!(seen["items"][0]["state"], "failing", "{seen}");
    assert!(!seen.to_string().contains(&new.url()));
}

#[tokio::test]
async fn a_search_by_call_goes_through_it_page_by_page_and_no_further_than_a_call_goes() {
    let (test, receiver) = (app().await, Receiver::start().await);
    callbacks(&test, json!({"cdr": {"url": receiver.url()}})).await;
    let path = format!("/v1/accounts/{}/events", test.account);
    let events = |call: &str, count: usize, note: &str| -> Value {
        (0..count)
            .map(|at| {
                json!({"type": "cdr.created", "id": format!("{call}-{at}"), "timestamp": "2026-01-31T07:59:00Z",
                       "data": {"call_id": call, "source": {"note": note}}})
            })
            .collect()
    };
    test.request("POST", &path, events("c-long", 250, "")).await;
    let search = format!(
        "/v1/accounts/{}/deliveries?call_id=c-long&limit=100",
        test.account
    );
    let mut seen: Vec<String> = Vec::new();
    let mut next = String::new();
    loop {
        let page = test
            .request("GET", &format!("{search}{next}"), Value::Null)
            .await;
        let items = page.json["items"].as_array().unwrap();
        seen.extend(items.iter().map(|item| item["id"].to_string()));
        match page.json["next_cursor"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 250);
    assert!(seen.is_sorted_by(|a, b| a > b), "newest first, each once");

    for batch in 0..4 {
        let call = json!(events(&format!("c-{batch}"), 18, &"x".repeat(250_000)));
        let mut call = call.as_array().unwrap().clone();
        for event in &mut call {
            event["data"]["call_id"] = json!("c-huge");
        }
        let posted = test.request("POST", &path, json!(call)).await;
        assert_eq!(posted.json["accepted"], 18, "{}", posted.json["errors"]);
    }
    let search = format!("/v1/accounts/{}/deliveries?call_id=c-huge", test.account);
    let refused = test.request("GET", &search, Value::Null).await;
    assert_eq!(refused.status, 409);
    assert!(refused.json["detail"].to_string().contains("by time"));
}
