//! Recordings from their registration to the callback that tells of them.

use ringfence_domain::{keyspace, recording::RecordingConsumer};
use ringfence_ports::{Consumer, Received};
use ringfence_test_support::{Receiver, Response, TestApp, sha256_hex, wav};
use serde_json::{Value, json};

async fn app() -> TestApp {
    let routes = utoipa_axum::router::OpenApiRouter::new()
        .merge(ringfence_recordings::router())
        .merge(ringfence_settings::router())
        .merge(ringfence_ingest::router());
    TestApp::new().await.serving(routes)
}

fn path(test: &TestApp, rest: &str) -> String {
    format!("/v1/accounts/{}{rest}", test.account)
}

fn facts(audio: &[u8]) -> Value {
    json!({
        "call_id": "call-1042", "started_at": "2026-01-31T07:15:09Z", "duration": 10,
        "content_type": "audio/x-wav", "size": audio.len(), "sha256": sha256_hex(audio),
    })
}

async fn register(test: &TestApp, facts: Value) -> Response {
    test.request("POST", &path(test, "/recordings"), facts)
        .await
}

fn id(answer: &Response) -> String {
    answer.json["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{}", answer.json))
        .to_owned()
}

async fn complete(test: &TestApp, id: &str) -> Response {
    test.request(
        "POST",
        &path(test, &format!("/recordings/{id}/complete")),
        Value::Null,
    )
    .await
}

async fn list(test: &TestApp, query: &str) -> Value {
    let answer = test
        .request(
            "GET",
            &path(test, &format!("/recordings?{query}")),
            Value::Null,
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    answer.json
}

fn ids(page: &Value) -> Vec<String> {
    page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn tell(test: &TestApp, body: String) -> Vec<String> {
    let message = Received {
        id: "m".to_owned(),
        body,
        group: String::new(),
        receives: 1,
    };
    RecordingConsumer::new(test.app.clone())
        .handle(vec![message])
        .await
}

fn blob_key(test: &TestApp, id: &str) -> String {
    format!("recordings/{}/{id}/audio", test.account)
}

#[tokio::test]
async fn registered_put_and_completed() {
    let test = app().await;
    let audio = wav(10);
    let made = register(&test, facts(&audio)).await;
    assert_eq!(made.status, 201);
    let recording = id(&made);
    assert_eq!(
        made.headers["location"],
        path(&test, &format!("/recordings/{recording}"))
    );
    assert_eq!(made.json["status"], "pending");
    assert_eq!(made.json["upload"]["method"], "PUT");
    assert!(
        made.json["upload"]["url"]
            .as_str()
            .unwrap()
            .starts_with("https://store.test/put/")
    );
    assert_eq!(made.json["upload"]["headers"]["content-type"], "audio/wav");
    let early = complete(&test, &recording).await;
    assert_eq!(early.status, 409, "{}", early.json);
    test.blobs
        .insert(&blob_key(&test, &recording), "audio/wav", audio);
    let done = complete(&test, &recording).await;
    assert_eq!(
        (&done.json["status"], &done.json["size"]),
        (&json!("available"), &json!(80_044))
    );
    assert_eq!(
        complete(&test, &recording).await.json,
        done.json,
        "repeating it changes nothing"
    );
    let read = test
        .request(
            "GET",
            &path(&test, &format!("/recordings/{recording}")),
            Value::Null,
        )
        .await;
    assert_eq!(read.json, done.json);
}

#[tokio::test]
async fn the_store_tells_of_what_was_put() {
    let test = app().await;
    let audio = wav(10);
    let recording = id(&register(&test, facts(&audio)).await);
    let sample = include_str!("../../../events/recordings/object-created.json");
    let key = "recordings/acc_019c1310e4007a70858c50c604032a89/rec_019c1310e4007a70858c50c604032a89/audio";
    assert!(sample.contains(key));
    let notification = sample.replace(key, &blob_key(&test, &recording));
    assert_eq!(
        tell(&test, notification.clone()).await,
        ["m"],
        "told before it is there: again later"
    );
    test.blobs
        .insert(&blob_key(&test, &recording), "audio/wav", audio);
    for _ in 0..2 {
        assert!(tell(&test, notification.clone()).await.is_empty());
    }
    assert_eq!(ids(&list(&test, "status=available").await), [recording]);
    // Other objects, other people's, and what is no notification at all, are nothing to it.
    for body in [
        sample.to_owned(),
        notification.replace("/audio", "/other"),
        "{}".to_owned(),
        "{".to_owned(),
    ] {
        assert!(tell(&test, body).await.is_empty());
    }
}

#[tokio::test]
async fn what_is_not_audio_is_refused_and_removed() {
    let test = app().await;
    let page = b"<!doctype html><script>alert(1)</script>".to_vec();
    let recording = id(&register(&test, facts(&page)).await);
    test.blobs
        .insert(&blob_key(&test, &recording), "audio/wav", page);
    for _ in 0..2 {
        let answer = complete(&test, &recording).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json["type"]),
            (422, &json!("/problems/not-audio"))
        );
        assert!(test.blobs.keys().is_empty());
    }
    let read = test
        .request(
            "GET",
            &path(&test, &format!("/recordings/{recording}")),
            Value::Null,
        )
        .await;
    assert_eq!(
        (&read.json["status"], &read.json["refusal"]),
        (&json!("refused"), &json!("not_audio"))
    );
    // Another file than was announced.
    let recording = id(&register(&test, facts(&wav(10))).await);
    test.blobs
        .insert(&blob_key(&test, &recording), "audio/wav", wav(9));
    assert_eq!(complete(&test, &recording).await.status, 422);
    assert!(test.blobs.keys().is_empty());
    let play = path(&test, &format!("/recordings/{recording}/audio"));
    assert_eq!(test.request("GET", &play, Value::Null).await.status, 422);
}

#[tokio::test]
async fn sent_through_ringfence() {
    let test = app().await;
    let audio = wav(10);
    let recording = id(&register(&test, facts(&audio)).await);
    let at = path(&test, &format!("/recordings/{recording}/audio"));
    let put = async |body: Vec<u8>| {
        test.request_raw(Some(&test.key), "PUT", &at, &[], "audio/wav", body)
            .await
    };
    let other = put(wav(9)).await;
    assert_eq!(other.status, 422, "{}", other.json);
    assert!(test.blobs.keys().is_empty());
    // Nothing of it was kept: the right one may still come.
    assert_eq!(put(audio.clone()).await.json["status"], "available");
    assert_eq!(put(audio).await.status, 409);
    assert_eq!(test.request("GET", &at, Value::Null).await.status, 302);
}

#[tokio::test]
async fn registered_twice_under_one_external_id_is_one() {
    let test = app().await;
    let mut first = facts(&wav(10));
    first["external_id"] = json!("rec-1042");
    let made = register(&test, first.clone()).await;
    let again = register(&test, first.clone()).await;
    assert_eq!((made.status.as_u16(), again.status.as_u16()), (201, 200));
    assert_eq!(id(&made), id(&again));
    assert!(again.json["upload"]["url"].is_string());
    first["sha256"] = json!("00".repeat(32));
    assert_eq!(register(&test, first).await.status, 409);
    // Without one, each is a recording of its own.
    let plain = facts(&wav(10));
    assert_ne!(
        id(&register(&test, plain.clone()).await),
        id(&register(&test, plain).await)
    );
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let test = app().await;
    let sample: Value =
        serde_json::from_str(include_str!("../../../events/recordings/registration.json")).unwrap();
    let good = register(&test, sample.clone()).await;
    assert_eq!(good.status, 201, "{}", good.json);
    for (field, value) in [
        ("call_id", json!("")),
        ("call_id", json!("a b")),
        ("started_at", json!("yesterday")),
        ("started_at", json!("2026-03-31T07:15:09Z")),
        ("started_at", json!("1969-12-31T23:59:59Z")),
        ("duration", json!(4_000_000_000_u64)),
        ("content_type", json!("text/html")),
        ("size", json!(0)),
        ("size", json!(5_000_000_000_u64)),
        ("sha256", json!("00")),
        ("external_id", json!("a b")),
        ("team", json!("")),
        ("tags", json!(["a", "b\u{7}"])),
        ("surprise", json!(1)),
    ] {
        let mut wrong = sample.clone();
        wrong[field] = value.clone();
        let answer = register(&test, wrong).await;
        assert_eq!(answer.status, 400, "{field} {value}");
        let named = answer.json["errors"][0]["field"]
            .as_str()
            .unwrap_or_default();
        assert!(
            named.starts_with(field) || field == "surprise",
            "{field}: {}",
            answer.json
        );
        assert!(
            !answer.json.to_string().contains("4155550"),
            "{}",
            answer.json
        );
    }
}

#[tokio::test]
async fn listed_by_date_call_agent_and_team() {
    let test = app().await;
    let audio = wav(1);
    let mut made = Vec::new();
    for n in 0..40 {
        let mut facts = facts(&audio);
        facts["call_id"] = json!(format!("call-{}", n % 10));
        facts["started_at"] = json!(format!(
            "2026-01-{:02}T{:02}:00:00.5Z",
            1 + n / 4,
            n % 4 * 6
        ));
        facts["agent_id"] = json!(["ada", "bob"][n % 2]);
        facts["team"] = json!(["sales", "support", "night"][n % 3]);
        facts["tags"] = json!([format!("t{}", n % 5)]);
        facts["duration"] = json!(n);
        made.push((n, id(&register(&test, facts).await)));
    }
    made.reverse();
    let which = |keep: &dyn Fn(usize) -> bool| -> Vec<String> {
        made.iter()
            .filter(|(n, _)| keep(*n))
            .map(|(_, id)| id.clone())
            .collect()
    };
    for (query, expected) in [
        ("limit=100", which(&|_| true)),
        ("call_id=call-3", which(&|n| n % 10 == 3)),
        ("agent_id=bob", which(&|n| n % 2 == 1)),
        ("team=night", which(&|n| n % 3 == 2)),
        ("agent_id=ada&team=sales", which(&|n| n % 6 == 0)),
        ("tag=t4", which(&|n| n % 5 == 4)),
        ("shorter_than=7", which(&|n| n < 7)),
        (
            "since=2026-01-02T06:00:00.5Z&until=2026-01-03T00:00:00.5Z",
            which(&|n| (5..8).contains(&n)),
        ),
        (
            "since=2026-01-02T06:00:00.5001Z&until=2026-01-03T00:00:00.5001Z",
            which(&|n| (6..9).contains(&n)),
        ),
        (
            "agent_id=bob&since=2026-01-09T00:00:00Z",
            which(&|n| n % 2 == 1 && n >= 32),
        ),
        ("status=available", Vec::new()),
        ("agent_id=nobody", Vec::new()),
    ] {
        assert_eq!(ids(&list(&test, query).await), expected, "{query}");
        // Page by page it is the same.
        let mut pages = Vec::new();
        let mut cursor = String::new();
        loop {
            let query = query.strip_suffix("limit=100").unwrap_or(query);
            let page = list(
                &test,
                format!("{query}&limit=3{cursor}").trim_start_matches('&'),
            )
            .await;
            pages.extend(ids(&page));
            let Some(next) = page["next_cursor"].as_str() else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(pages, expected, "{query} in pages");
    }
    let page = list(&test, "limit=3").await;
    let cursor = page["next_cursor"].as_str().unwrap();
    let other = test
        .request(
            "GET",
            &path(
                &test,
                &format!("/recordings?agent_id=ada&limit=3&cursor={cursor}"),
            ),
            Value::Null,
        )
        .await;
    assert_eq!(other.status, 400, "a cursor belongs to its query");
}

#[tokio::test]
async fn the_hundredth_page_costs_what_the_first_did() {
    let test = app().await;
    let audio = wav(1);
    for n in 0..300 {
        let mut facts = facts(&audio);
        facts["started_at"] = json!(format!("2026-01-01T00:{:02}:{:02}Z", n / 60, n % 60));
        facts["agent_id"] = json!("ada");
        register(&test, facts).await;
    }
    for filter in ["", "&agent_id=ada"] {
        let mut costs = Vec::new();
        let mut cursor = String::new();
        for _ in 0..100 {
            test.counting.take();
            let page = list(&test, &format!("limit=3{filter}{cursor}")).await;
            let calls = test.counting.take();
            costs.push((calls.query, calls.rows));
            cursor = format!(
                "&cursor={}",
                page["next_cursor"].as_str().unwrap_or_default()
            );
        }
        let (queries, rows) = costs[0];
        let most = costs.iter().max().unwrap();
        assert!(
            most.0 <= queries * 2 && most.1 <= rows * 2 + 8,
            "{filter}: {queries} queries, {rows} rows, then {most:?}"
        );
    }
}

async fn callback(test: &TestApp, receiver: &Receiver) {
    let at = path(test, "/settings/callbacks");
    let headers = [("if-match", "\"0\"")];
    let document = json!({"cdr": {"url": receiver.url()}});
    let saved = test
        .request_as(Some(&test.key), "PUT", &at, &headers, document)
        .await;
    assert_eq!(saved.status, 200, "{}", saved.json);
}

#[tokio::test]
async fn the_callback_has_a_link_and_what_is_stored_has_none() {
    let test = app().await;
    let receiver = Receiver::start().await;
    callback(&test, &receiver).await;
    let audio = wav(10);
    let recording = id(&register(&test, facts(&audio)).await);
    test.blobs
        .insert(&blob_key(&test, &recording), "audio/wav", audio);
    for _ in 0..3 {
        assert_eq!(complete(&test, &recording).await.status, 200);
    }
    test.drain().await;
    let posts = receiver.posts();
    assert_eq!(posts.len(), 1, "told once");
    let body: Value = serde_json::from_slice(&posts[0].body).unwrap();
    assert_eq!(body["type"], "recording.available");
    assert_eq!(body["data"]["recording"]["id"], json!(recording));
    let url = body["data"]["recording"]["url"].as_str().unwrap();
    let open = test
        .app
        .open_link(url.strip_prefix("/r/").unwrap())
        .await
        .unwrap();
    assert_eq!(open.recording.id, recording);
    let links = test
        .request(
            "GET",
            &path(&test, &format!("/recordings/{recording}/links")),
            Value::Null,
        )
        .await;
    assert_eq!(links.json["items"][0]["purpose"], "callback");
    assert_eq!(links.json["items"][0]["expires_at"], "2026-03-02T08:00:00Z");
    // The event that is kept has no link in it.
    let key = keyspace::event(
        &test.account,
        ringfence_domain::event::Subject::Call("call-1042"),
        &format!("{recording}.available"),
    );
    let row = test.app.table.get(&key).await.unwrap().unwrap();
    assert!(!row.doc.contains("/r/"), "{}", row.doc);
}

#[tokio::test]
async fn an_event_may_name_an_object_that_is_there() {
    let test = app().await;
    let receiver = Receiver::start().await;
    callback(&test, &receiver).await;
    let key = format!("imports/{}/2026/01/31/call-7.wav", test.account);
    test.blobs.insert(&key, "application/octet-stream", wav(3));
    let event = |id: &str, url: &str| {
        json!({"type": "recording.available", "timestamp": "2026-01-31T07:59:00Z", "id": id, "data": {
            "call_id": "call-7", "agent_id": "ada", "recording": {"id": "rec-7", "duration": 3, "url": url},
        }})
    };
    let posted = test
        .request(
            "POST",
            &path(&test, "/events"),
            event("e1", &format!("blob:{key}")),
        )
        .await;
    assert_eq!(posted.status, 202, "{}", posted.json);
    test.drain().await;
    let page = list(&test, "agent_id=ada").await;
    assert_eq!(
        (
            &page["items"][0]["status"],
            &page["items"][0]["external_id"]
        ),
        (&json!("available"), &json!("rec-7"))
    );
    assert_eq!(page["items"][0]["content_type"], "audio/wav");
    let posts = receiver.posts();
    assert_eq!(posts.len(), 1, "only Ringfence's own event goes out");
    let body: Value = serde_json::from_slice(&posts[0].body).unwrap();
    assert!(
        body["data"]["recording"]["url"]
            .as_str()
            .unwrap()
            .starts_with("/r/v1."),
        "{body}"
    );
    assert!(!body.to_string().contains("imports/"));
    // One object is one recording: deleting another would take this one's audio.
    let mut second = event("e3", &format!("blob:{key}"));
    second["data"]["recording"]["id"] = json!("rec-8");
    test.request("POST", &path(&test, "/events"), second).await;
    test.drain().await;
    assert_eq!(list(&test, "").await["items"].as_array().unwrap().len(), 1);
    // Nobody names what is not his, or goes around it.
    let foreign = "imports/acc_019c1310e4007a70858c50c604032a89/a.wav";
    let around = format!("imports/{}/../{foreign}", test.account);
    for (n, key) in [foreign, &around, &blob_key(&test, "rec_1"), "imports/", ""]
        .into_iter()
        .enumerate()
    {
        let answer = test
            .request(
                "POST",
                &path(&test, "/events"),
                event(&format!("x{n}"), &format!("blob:{key}")),
            )
            .await;
        assert!(
            answer.json.to_string().contains("data.recording.url"),
            "{key}: {}",
            answer.json
        );
    }
    // A URL elsewhere is the platform's own affair.
    let url = "https://recordings.example.com/a.wav";
    test.request("POST", &path(&test, "/events"), event("e2", url))
        .await;
    test.drain().await;
    let body: Value = serde_json::from_slice(&receiver.posts()[1].body).unwrap();
    assert_eq!(body["data"]["recording"]["url"], url);
}

#[tokio::test]
async fn what_never_arrives_is_forgotten_after_a_day() {
    let test = app().await;
    let recording = id(&register(&test, facts(&wav(1))).await);
    let at = path(&test, &format!("/recordings/{recording}"));
    test.clock.advance(std::time::Duration::from_secs(86_399));
    assert_eq!(test.request("GET", &at, Value::Null).await.status, 200);
    test.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(test.request("GET", &at, Value::Null).await.status, 404);
    assert!(ids(&list(&test, "call_id=call-1042").await).is_empty());
    // An upload that was begun in time and ends after it: no list, retention or deletion would find that.
    let key = blob_key(&test, &recording);
    for key in [key.clone(), key.replace("recordings/", "staging/")] {
        test.blobs.insert(&key, "audio/wav", wav(1));
        let told = json!({"key": key, "length": 1}).to_string();
        assert!(tell(&test, told).await.is_empty());
        assert!(test.blobs.keys().is_empty(), "{key}");
    }
}

#[tokio::test]
async fn numbers_are_masked_where_the_console_is() {
    let test = app().await;
    let mut facts = facts(&wav(1));
    facts["from"] = json!("+14155550123");
    let recording = id(&register(&test, facts).await);
    let at = path(&test, &format!("/recordings/{recording}"));
    assert_eq!(
        test.request("GET", &at, Value::Null).await.json["from"],
        "+14155550123"
    );
    let security = path(&test, "/settings/security");
    let headers = [("if-match", "\"0\"")];
    test.request_as(
        Some(&test.key),
        "PUT",
        &security,
        &headers,
        json!({"phone_number_masking": true}),
    )
    .await;
    // The number stands in other places too, and in one recording nothing says that it is one.
    let mut spread = self::facts(&wav(1));
    spread["from"] = json!("+14155550123");
    spread["call_id"] = json!("sip:+14155550123@pbx");
    spread["external_id"] = json!("x-4155550123");
    spread["agent_id"] = json!("14155550123");
    spread["team"] = json!("line (415) 555-0123");
    spread["tags"] = json!(["called 4155550123", "vip"]);
    let made = register(&test, spread.clone()).await;
    assert_eq!(made.status, 201, "{}", made.json);
    let mut bare = spread;
    bare["external_id"] = json!("y-4155550123");
    bare.as_object_mut().unwrap().remove("from");
    let bare = register(&test, bare).await;
    let one = path(&test, &format!("/recordings/{}", id(&made)));
    for answer in [
        test.request("GET", &at, Value::Null).await.json,
        test.request("GET", &one, Value::Null).await.json,
        made.json,
        bare.json,
        list(&test, "limit=5").await,
    ] {
        let shown = answer.to_string();
        assert!(!shown.contains("4155550123"), "{answer}");
        assert!(!shown.contains("555-0123"), "{answer}");
    }
    // An id without a number stays what it is; and what is masked is still found.
    let plain = test.request("GET", &at, Value::Null).await.json;
    assert_eq!(plain["call_id"], "call-1042");
    let found = list(&test, "call_id=sip:%2B14155550123@pbx").await;
    assert_eq!(found["items"].as_array().unwrap().len(), 2);
    assert_eq!(found["items"][0]["tags"][1], "vip");
}

async fn client_side(test: &TestApp) {
    let at = path(test, "/settings/recordings");
    let headers = [("if-match", "\"0\"")];
    let document = json!({"encryption": "client"});
    let saved = test
        .request_as(Some(&test.key), "PUT", &at, &headers, document)
        .await;
    assert_eq!(saved.status, 200, "{}", saved.json);
}

/// Sends the audio to where the registration says.
async fn send(test: &TestApp, made: &Response, audio: Vec<u8>) -> Response {
    let url = made.json["upload"]["url"].as_str().unwrap();
    test.request_raw(Some(&test.key), "PUT", url, &[], "audio/wav", audio)
        .await
}

#[tokio::test]
async fn what_ringfence_encrypts_plays_byte_for_byte_in_every_range() {
    let test = app().await;
    client_side(&test).await;
    // Several chunks, the last of them not full.
    let audio = wav(30);
    let made = register(&test, facts(&audio)).await;
    let sent = send(&test, &made, audio.clone()).await;
    assert_eq!(sent.json["status"], "available", "{}", sent.json);
    assert_eq!(
        (&sent.json["encryption"], &sent.json["size"]),
        (&json!("client"), &json!(audio.len()))
    );
    assert_eq!(send(&test, &made, audio.clone()).await.status, 409);
    let keys = test.blobs.keys();
    assert_eq!(keys.len(), 1);
    let kept = test.blobs.bytes(&keys[0]);
    assert!(!kept.windows(4).any(|part| part == b"WAVE"));
    let at = path(&test, &format!("/recordings/{}/audio", id(&made)));
    let whole = test.request("GET", &at, Value::Null).await;
    assert_eq!(whole.status, 200);
    assert_eq!(whole.bytes, audio);
    assert_eq!(whole.headers["content-type"], "audio/wav");
    let length = audio.len();
    for (range, expected) in [
        ("bytes=0-0".to_owned(), 0..1),
        ("bytes=-1".to_owned(), length - 1..length),
        ("bytes=-999999".to_owned(), 0..length),
        ("bytes=65535-65536".to_owned(), 65_535..65_537),
        ("bytes=100000-".to_owned(), 100_000..length),
        (format!("bytes=239000-{}", length * 2), 239_000..length),
    ] {
        let headers = [("range", range.as_str())];
        let part = test
            .request_as(Some(&test.key), "GET", &at, &headers, Value::Null)
            .await;
        assert_eq!(part.status, 206, "{range}");
        assert_eq!(part.bytes, audio[expected.clone()], "{range}");
        let told = format!("bytes {}-{}/{length}", expected.start, expected.end - 1);
        assert_eq!(part.headers["content-range"], told);
        assert_eq!(part.headers["content-length"], expected.len().to_string());
    }
    let past = [("range", "bytes=240044-")];
    let past = test
        .request_as(Some(&test.key), "GET", &at, &past, Value::Null)
        .await;
    assert_eq!(past.status, 416);
}

#[tokio::test]
async fn another_recordings_bytes_are_never_played() {
    let test = app().await;
    client_side(&test).await;
    let (first, second) = (wav(1), wav(1));
    let mine = register(&test, facts(&first)).await;
    send(&test, &mine, first).await;
    let key = test.blobs.keys()[0].clone();
    let other = register(&test, facts(&second)).await;
    send(&test, &other, second).await;
    let foreign = test
        .blobs
        .keys()
        .into_iter()
        .find(|found| *found != key)
        .unwrap();
    let bytes = test.blobs.bytes(&foreign);
    test.blobs.insert(&key, "application/octet-stream", bytes);
    let at = path(&test, &format!("/recordings/{}/audio", id(&mine)));
    let heard = test.try_request(&at).await;
    assert!(heard.is_none(), "the body breaks off before its first byte");
}

#[tokio::test]
async fn nothing_of_what_is_refused_is_kept_encrypted_either() {
    let test = app().await;
    client_side(&test).await;
    let audio = wav(10);
    let made = register(&test, facts(&audio)).await;
    let mut other = audio.clone();
    other[5_000] ^= 1;
    for wrong in [wav(9), wav(11), other] {
        let answer = send(&test, &made, wrong).await;
        assert_eq!(answer.status, 422, "{}", answer.json);
        assert!(test.blobs.keys().is_empty());
    }
    assert_eq!(send(&test, &made, audio).await.status, 200);
    let page = b"<!doctype html>".to_vec();
    let made = register(&test, facts(&page)).await;
    assert_eq!(send(&test, &made, page).await.status, 422);
    assert_eq!(test.blobs.keys().len(), 1);
}

/// Where a gateway carries no more than so much of a request or answer.
#[tokio::test]
async fn behind_a_gateway_large_audio_is_sealed_from_the_store_and_played_in_parts() {
    const LIMIT: usize = 100_000;
    let routes = utoipa_axum::router::OpenApiRouter::new()
        .merge(ringfence_recordings::router())
        .merge(ringfence_settings::router());
    let test = TestApp::with_max_message_bytes(LIMIT as u64)
        .await
        .serving(routes);
    client_side(&test).await;
    let audio = wav(30);
    let made = register(&test, facts(&audio)).await;
    let recording = id(&made);
    let staged = format!("staging/{}/{recording}/audio", test.account);
    let url = made.json["upload"]["url"].as_str().unwrap();
    assert!(url.contains(&staged), "{url}");
    test.blobs.insert(&staged, "audio/wav", audio.clone());
    let told = json!({"key": staged, "length": audio.len()}).to_string();
    assert!(tell(&test, told.clone()).await.is_empty());
    let keys = test.blobs.keys();
    assert_eq!(keys.len(), 1, "nothing in the clear stays: {keys:?}");
    assert!(
        !test
            .blobs
            .bytes(&keys[0])
            .windows(4)
            .any(|part| part == b"WAVE")
    );
    // Told twice, and of what somebody put there again.
    assert!(tell(&test, told.clone()).await.is_empty());
    test.blobs.insert(&staged, "audio/wav", audio.clone());
    assert!(tell(&test, told).await.is_empty());
    assert_eq!(test.blobs.keys(), keys);

    let at = path(&test, &format!("/recordings/{recording}/audio"));
    let whole = test.request("GET", &at, Value::Null).await;
    assert_eq!(whole.status, 400);
    assert_eq!(whole.json["type"], "/problems/range-required");
    let mut heard = Vec::new();
    while heard.len() < audio.len() {
        let range = format!("bytes={}-", heard.len());
        let part = test
            .request_as(
                Some(&test.key),
                "GET",
                &at,
                &[("range", &range)],
                Value::Null,
            )
            .await;
        assert_eq!(part.status, 206);
        assert!(part.bytes.len() <= LIMIT);
        let told = format!(
            "bytes {}-{}/{}",
            heard.len(),
            heard.len() + part.bytes.len() - 1,
            audio.len()
        );
        assert_eq!(part.headers["content-range"], told);
        heard.extend(part.bytes);
    }
    assert_eq!(heard, audio);
}

#[tokio::test]
async fn what_an_event_names_is_encrypted_too_and_removed_in_the_clear() {
    let test = app().await;
    client_side(&test).await;
    let audio = wav(3);
    let key = format!("imports/{}/call-7.wav", test.account);
    test.blobs.insert(&key, "audio/wav", audio.clone());
    let event = json!({"type": "recording.available", "timestamp": "2026-01-31T07:59:00Z", "id": "e1", "data": {
        "call_id": "call-7", "recording": {"id": "rec-7", "duration": 3, "url": format!("blob:{key}")},
    }});
    test.request("POST", &path(&test, "/events"), event).await;
    test.drain().await;
    let page = list(&test, "status=available").await;
    let told = &page["items"][0];
    assert_eq!(
        (&told["encryption"], &told["size"]),
        (&json!("client"), &json!(audio.len()))
    );
    let keys = test.blobs.keys();
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert!(
        !test
            .blobs
            .bytes(&keys[0])
            .windows(4)
            .any(|part| part == b"WAVE")
    );
    let at = path(&test, &format!("/recordings/{}/audio", ids(&page)[0]));
    assert_eq!(test.request("GET", &at, Value::Null).await.bytes, audio);
}

#[tokio::test]
async fn looking_with_head_is_not_listening() {
    let test = app().await;
    let audio = wav(10);
    let plain = id(&register(&test, facts(&audio)).await);
    let at = path(&test, &format!("/recordings/{plain}/audio"));
    let early = test.request("HEAD", &at, Value::Null).await;
    assert_eq!(early.status, 409);
    test.blobs
        .insert(&blob_key(&test, &plain), "audio/wav", audio.clone());
    complete(&test, &plain).await;
    client_side(&test).await;
    let made = register(&test, facts(&audio)).await;
    send(&test, &made, audio).await;
    let given = test.blobs.links();
    for recording in [plain, id(&made)] {
        let at = path(&test, &format!("/recordings/{recording}/audio"));
        let seen = test.request("HEAD", &at, Value::Null).await;
        assert_eq!(seen.status, 200);
        assert_eq!(seen.headers["content-type"], "audio/wav");
        assert_eq!(seen.headers["content-length"], "80044");
        assert!(seen.bytes.is_empty());
        let heard = path(&test, &format!("/recordings/{recording}/listens"));
        let heard = test.request("GET", &heard, Value::Null).await;
        assert_eq!(heard.json["items"], json!([]));
    }
    assert_eq!(test.blobs.links(), given);
}

#[tokio::test]
async fn a_range_of_audio_that_was_another_is_all_of_this() {
    let test = app().await;
    client_side(&test).await;
    let audio = wav(1);
    let made = register(&test, facts(&audio)).await;
    send(&test, &made, audio.clone()).await;
    let at = path(&test, &format!("/recordings/{}/audio", id(&made)));
    let ask = async |headers: &[(&str, &str)]| {
        test.request_as(Some(&test.key), "GET", &at, headers, Value::Null)
            .await
    };
    let first = ask(&[("range", "bytes=0-0")]).await;
    assert_eq!((first.status.as_u16(), first.bytes.len()), (206, 1));
    let tag = first.headers["etag"].to_str().unwrap().to_owned();
    assert!(tag.starts_with('"'), "a strong one: {tag}");
    let same = ask(&[("range", "bytes=4-7"), ("if-range", &tag)]).await;
    assert_eq!((same.status.as_u16(), &same.bytes[..]), (206, &audio[4..8]));
    for other in ["\"00\"", "W/\"00\"", "Sat, 31 Jan 2026 08:00:00 GMT"] {
        let whole = ask(&[("range", "bytes=4-7"), ("if-range", other)]).await;
        assert_eq!(
            (whole.status.as_u16(), whole.bytes.len()),
            (200, audio.len())
        );
    }
    // Several at once, and what is no range, are all of it.
    for range in ["bytes=0-1,4-5", "bytes=5-4", "seconds=1-2", "bytes=x-"] {
        let whole = ask(&[("range", range)]).await;
        assert_eq!(
            (whole.status.as_u16(), whole.bytes.len()),
            (200, audio.len()),
            "{range}"
        );
    }
    let endless = ask(&[("range", "bytes=8043-99999999999999999999")]).await;
    assert_eq!((endless.status.as_u16(), endless.bytes.len()), (206, 1));
}

#[tokio::test]
async fn what_was_refused_is_not_brought_back_by_its_link() {
    let test = app().await;
    let page = b"<!doctype html><script>alert(1)</script>".to_vec();
    let recording = id(&register(&test, facts(&page)).await);
    let key = blob_key(&test, &recording);
    test.blobs.insert(&key, "audio/wav", page.clone());
    assert_eq!(complete(&test, &recording).await.status, 422);
    // The upload's URL is good for a minute, and its checksum still fits.
    test.blobs.insert(&key, "audio/wav", page);
    let told = json!({"key": key, "length": 40}).to_string();
    assert!(tell(&test, told).await.is_empty());
    assert!(test.blobs.keys().is_empty(), "{:?}", test.blobs.keys());
}

#[tokio::test]
async fn nothing_is_put_over_what_an_event_named() {
    let test = app().await;
    let key = format!("imports/{}/call-7.wav", test.account);
    let event = json!({"type": "recording.available", "timestamp": "2026-01-31T07:59:00Z", "id": "e1", "data": {
        "call_id": "call-7", "recording": {"id": "rec-7", "duration": 3, "url": format!("blob:{key}")},
    }});
    test.request("POST", &path(&test, "/events"), event).await;
    test.drain().await;
    let page = list(&test, "call_id=call-7").await;
    assert_eq!(page["items"][0]["status"], "pending");
    let at = path(&test, &format!("/recordings/{}/audio", ids(&page)[0]));
    let put = test
        .request_raw(Some(&test.key), "PUT", &at, &[], "audio/wav", wav(1))
        .await;
    assert_eq!(put.status, 409, "{}", put.json);
    assert!(test.blobs.keys().is_empty());
    test.blobs.insert(&key, "audio/wav", wav(3));
    assert_eq!(complete(&test, &ids(&page)[0]).await.status, 200);
}

#[tokio::test]
async fn an_upload_that_broke_off_at_its_start_can_be_sent_again_encrypted_too() {
    let test = app().await;
    client_side(&test).await;
    let audio = wav(10);
    let made = register(&test, facts(&audio)).await;
    for cut in [0, 3, 4_095] {
        let answer = send(&test, &made, audio[..cut].to_vec()).await;
        assert_eq!(answer.status, 422, "{cut}: {}", answer.json);
    }
    assert_eq!(send(&test, &made, audio).await.json["status"], "available");
}

#[tokio::test]
async fn of_two_uploads_at_once_one_is_kept_and_it_plays() {
    let test = app().await;
    for encryption in ["provider", "client"] {
        if encryption == "client" {
            client_side(&test).await;
        }
        let audio = wav(5);
        let mut told = facts(&audio);
        told["call_id"] = json!(encryption);
        let recording = id(&register(&test, told).await);
        let at = path(&test, &format!("/recordings/{recording}/audio"));
        let sent = futures_util::future::join_all((0..8).map(|_| {
            test.request_raw(Some(&test.key), "PUT", &at, &[], "audio/wav", audio.clone())
        }))
        .await;
        assert!(sent.iter().any(|sent| sent.status == 200));
        assert!(
            sent.iter()
                .all(|sent| matches!(sent.status.as_u16(), 200 | 409))
        );
        let kept: Vec<String> = test
            .blobs
            .keys()
            .into_iter()
            .filter(|key| key.contains(&recording))
            .collect();
        assert_eq!(kept.len(), 1, "{kept:?}");
        let played = test.request("GET", &at, Value::Null).await;
        match encryption {
            "client" => assert_eq!(played.bytes, audio),
            _ => assert_eq!(played.status, 302),
        }
    }
}

#[tokio::test]
async fn no_date_and_no_name_is_too_strange_to_search_for() {
    let test = app().await;
    for query in [
        "since=-009999-01-02T01:59:59Z",
        "until=-009999-01-02T01:59:59Z",
        "since=1969-12-31T23:59:59.9999Z&until=1970-01-01T00:00:00.0001Z",
        "until=9999-12-30T22:00:00.999999999Z",
        "since=9999-12-30T22:00:00.999999999Z",
        "since=2026-02-01T00:00:00Z&until=2026-01-01T00:00:00Z",
        "agent_id=a%2F0%2F%00",
        "team=~",
        "call_id=%F0%9F%93%9E",
        "agent_id=",
    ] {
        assert_eq!(list(&test, query).await["items"], json!([]), "{query}");
    }
}

const PUBLIC: &str = include_str!("../../../shared/sealing/tests/customer.public.pem");
const PRIVATE: &str = include_str!("../../../shared/sealing/tests/customer.private.pem");

async fn recording_settings(test: &TestApp, at: &str, document: Value) -> Response {
    let present = test.request("GET", at, Value::Null).await;
    let etag = present.headers["etag"].to_str().unwrap().to_owned();
    let headers = [("if-match", etag.as_str())];
    test.request_as(Some(&test.key), "PUT", at, &headers, document)
        .await
}

/// What the customer does, by nothing but FORMAT.md: the first chunk of the file.
fn first_chunk(file: &[u8], key: &Value) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use ring::{aead, hkdf};
    use rsa::{Oaep, RsaPrivateKey, pkcs8::DecodePrivateKey as _};
    let wrapped = STANDARD
        .decode(key["wrapped_key"].as_str().unwrap())
        .unwrap();
    let private = RsaPrivateKey::from_pkcs8_pem(PRIVATE).unwrap();
    let data_key = private
        .decrypt(Oaep::new::<sha2::Sha256>(), &wrapped)
        .unwrap();
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, &file[12..44]);
    let prk = salt.extract(&data_key);
    let okm = prk
        .expand(&[b"ringfence/sealing/1"], &aead::AES_256_GCM)
        .unwrap();
    let opening = aead::LessSafeKey::new(aead::UnboundKey::from(okm));
    let mut nonce = [0; 12];
    nonce[..7].copy_from_slice(&file[44..51]);
    let aad = [&file[..51], key["context"].as_str().unwrap().as_bytes()].concat();
    let mut chunk = file[51..51 + 65_536 + 16].to_vec();
    let nonce = aead::Nonce::assume_unique_for_key(nonce);
    opening
        .open_in_place(nonce, aead::Aad::from(aad), &mut chunk)
        .unwrap()
        .to_vec()
}

#[tokio::test]
async fn what_only_the_customer_opens_is_downloaded_and_never_played() {
    let test = app().await;
    let at = path(&test, "/settings/recordings");
    for (document, field) in [
        (json!({"encryption": "customer"}), "public_key"),
        (
            json!({"encryption": "customer", "public_key": PRIVATE}),
            "public_key",
        ),
        (json!({"public_key": "ssh-rsa AAAA"}), "public_key"),
        (json!({"public_key": 1}), "public_key"),
    ] {
        let refused = recording_settings(&test, &at, document).await;
        assert_eq!(refused.status, 400);
        assert_eq!(
            refused.json["errors"][0]["field"], field,
            "{}",
            refused.json
        );
        assert!(!refused.json.to_string().contains("BEGIN PRIVATE"));
    }
    let saved = recording_settings(
        &test,
        &at,
        json!({"encryption": "customer", "public_key": PUBLIC}),
    )
    .await;
    assert_eq!(saved.status, 200, "{}", saved.json);
    let audio = wav(10);
    let made = register(&test, facts(&audio)).await;
    let sent = send(&test, &made, audio.clone()).await;
    assert_eq!(
        (&sent.json["status"], &sent.json["encryption"]),
        (&json!("available"), &json!("customer")),
        "{}",
        sent.json
    );
    let keys = test.blobs.keys();
    assert_eq!(keys.len(), 1, "{keys:?}");
    let kept = test.blobs.bytes(&keys[0]);
    let recording = id(&made);
    let key = test
        .request(
            "GET",
            &path(&test, &format!("/recordings/{recording}/key")),
            Value::Null,
        )
        .await;
    assert_eq!(key.status, 200);
    assert!(
        key.headers["content-disposition"]
            .to_str()
            .unwrap()
            .starts_with("attachment")
    );
    assert_eq!(first_chunk(&kept, &key.json), audio[..65_536]);
    let at = path(&test, &format!("/recordings/{recording}/audio"));
    let audio = test.request("GET", &at, Value::Null).await;
    assert_eq!(audio.status, 302, "the sealed file itself");
    assert!(
        audio.headers["location"]
            .to_str()
            .unwrap()
            .contains(&keys[0])
    );
    let seen = test.request("HEAD", &at, Value::Null).await;
    assert_eq!(seen.headers["content-type"], "application/octet-stream");
    assert_eq!(seen.headers["content-length"], kept.len().to_string());
    // Other recordings have no such key.
    recording_settings(
        &test,
        &path(&test, "/settings/recordings"),
        json!({"encryption": "client"}),
    )
    .await;
    let plain = register(&test, facts(&wav(1))).await;
    send(&test, &plain, wav(1)).await;
    let at = path(&test, &format!("/recordings/{}/key", id(&plain)));
    assert_eq!(test.request("GET", &at, Value::Null).await.status, 404);
}

#[tokio::test]
async fn without_a_fit_key_of_the_customers_nothing_is_stored_and_the_sender_is_told_why() {
    let test = app().await;
    let own = path(&test, "/settings/recordings");
    let audio = wav(1);
    recording_settings(
        &test,
        &own,
        json!({"encryption": "customer", "public_key": PUBLIC}),
    )
    .await;
    let made = register(&test, facts(&audio)).await;
    // The key goes after the recording was registered: then it is not kept in another way.
    recording_settings(&test, &own, json!({})).await;
    let sent = send(&test, &made, audio.clone()).await;
    assert_eq!(sent.status, 409, "{}", sent.json);
    assert!(
        sent.json["detail"].as_str().unwrap().contains("public_key"),
        "{}",
        sent.json
    );
    assert!(test.blobs.keys().is_empty());
    // The agency may ask for it and leave the key to its accounts.
    let agency = format!("/v1/agencies/{}/settings/recordings", test.agency);
    let saved = recording_settings(&test, &agency, json!({"encryption": "customer"})).await;
    assert_eq!(saved.status, 200, "{}", saved.json);
    let refused = register(&test, facts(&audio)).await;
    assert_eq!(refused.status, 409);
    assert!(
        refused.json["detail"]
            .as_str()
            .unwrap()
            .contains("none is set"),
        "{}",
        refused.json
    );
    // What an event names stays where it is, and is not forgotten: it is tried again.
    let key = format!("imports/{}/call-7.wav", test.account);
    test.blobs.insert(&key, "audio/wav", audio.clone());
    let event = json!({"type": "recording.available", "timestamp": "2026-01-31T07:59:00Z", "id": "e1", "data": {
        "call_id": "call-7", "recording": {"id": "rec-7", "duration": 1, "url": format!("blob:{key}")},
    }});
    test.request("POST", &path(&test, "/events"), event).await;
    let import = json!({"account": test.account, "call": "call-7", "event": "e1"}).to_string();
    assert_eq!(tell(&test, import.clone()).await, ["m"]);
    assert_eq!(test.blobs.keys(), std::slice::from_ref(&key));
    recording_settings(&test, &own, json!({"public_key": PUBLIC})).await;
    assert_eq!(send(&test, &made, audio).await.status, 200);
    assert!(tell(&test, import).await.is_empty());
    assert!(!test.blobs.keys().contains(&key));
    assert_eq!(ids(&list(&test, "status=available").await).len(), 2);
}

async fn wrapped_key(test: &TestApp, recording: &str) -> String {
    let key = keyspace::recording(&test.account, recording).unwrap();
    let row = test.app.table.get(&key).await.unwrap().unwrap();
    let doc: Value = serde_json::from_str(&row.doc).unwrap();
    doc["sealing"]["wrapped_key"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn keys_are_wrapped_anew_and_the_audio_is_not_touched() {
    let test = app().await;
    let at = path(&test, "/settings/recordings");
    let audio = wav(1);
    let mut made = Vec::new();
    for n in 0..103 {
        let encryption = ["client", "customer", "provider"][if n < 101 { 0 } else { n - 100 }];
        if n == 0 || n > 100 {
            let document = json!({"encryption": encryption, "public_key": PUBLIC});
            recording_settings(&test, &at, document).await;
        }
        let mut told = facts(&audio);
        told["call_id"] = json!(format!("call-{n}"));
        let answer = register(&test, told).await;
        if n <= 101 {
            assert_eq!(send(&test, &answer, audio.clone()).await.status, 200);
        }
        made.push(id(&answer));
    }
    let mut before = Vec::new();
    for recording in &made[..102] {
        before.push(wrapped_key(&test, recording).await);
    }
    let objects: Vec<_> = test
        .blobs
        .keys()
        .into_iter()
        .map(|key| (test.blobs.bytes(&key), key))
        .collect();
    let rewrap = path(&test, "/recordings/rewrap");
    let (mut done, mut requests, mut cursor) = (0, 0, Value::Null);
    loop {
        let answer = test
            .request("POST", &rewrap, json!({"cursor": cursor}))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.json);
        done += answer.json["rewrapped"].as_u64().unwrap();
        requests += 1;
        cursor = answer.json["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!((done, requests), (101, 2));
    for (n, recording) in made[..102].iter().enumerate() {
        let now = wrapped_key(&test, recording).await;
        assert_eq!(now == before[n], n == 101, "only the customer's stays: {n}");
    }
    for (bytes, key) in objects {
        assert_eq!(test.blobs.bytes(&key), bytes);
    }
    let at = path(&test, &format!("/recordings/{}/audio", made[0]));
    assert_eq!(test.request("GET", &at, Value::Null).await.bytes, audio);
    let odd = test.request("POST", &rewrap, json!({"cursor": "x"})).await;
    assert_eq!(odd.status, 400);
}

const KMS_KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

#[tokio::test]
async fn the_store_encrypts_under_the_accounts_own_key() {
    let test = app().await;
    let at = path(&test, "/settings/recordings");
    for wrong in [
        json!("arn:aws:kms:eu-west-1:111122223333:alias/recordings"),
        json!("1234abcd-12ab-34cd-56ef-1234567890ab"),
        json!("arn:aws:s3:::bucket"),
        json!(""),
        json!(1),
    ] {
        let refused = recording_settings(&test, &at, json!({"kms_key": wrong})).await;
        assert_eq!(refused.status, 400, "{wrong}");
        assert_eq!(refused.json["errors"][0]["field"], "kms_key", "{wrong}");
    }
    let header = "x-amz-server-side-encryption-aws-kms-key-id";
    let audio = wav(10);
    let before = register(&test, facts(&audio)).await;
    assert!(before.json["upload"]["headers"].get(header).is_none());
    let saved = recording_settings(&test, &at, json!({"kms_key": KMS_KEY})).await;
    assert_eq!(saved.json["kms_key"], KMS_KEY, "{}", saved.json);

    // By the URL that takes it, and through Ringfence.
    let through = async |made: &Response| {
        let at = path(&test, &format!("/recordings/{}/audio", id(made)));
        test.request_raw(Some(&test.key), "PUT", &at, &[], "audio/wav", audio.clone())
            .await
    };
    let made = register(&test, facts(&audio)).await;
    assert_eq!(
        made.json["upload"]["headers"][header], KMS_KEY,
        "{}",
        made.json
    );
    let sent = through(&made).await;
    assert_eq!(sent.json["status"], "available", "{}", sent.json);
    assert_eq!(
        test.blobs.kms_key(&blob_key(&test, &id(&made))).as_deref(),
        Some(KMS_KEY)
    );

    // One that cannot be used: nothing is stored in another way, and the sender is told why.
    test.blobs.disable(KMS_KEY, true);
    let made = register(&test, facts(&audio)).await;
    let kept = test.blobs.keys();
    let refused = through(&made).await;
    assert_eq!(refused.status, 409, "{}", refused.json);
    let detail = refused.json["detail"].as_str().unwrap();
    for word in ["kms_key", "KMS.DisabledException", "Nothing was stored"] {
        assert!(detail.contains(word), "{detail}");
    }
    assert_eq!(test.blobs.keys(), kept);
    test.blobs.disable(KMS_KEY, false);
    let sent = through(&made).await;
    assert_eq!(sent.json["status"], "available", "{}", sent.json);

    // What Ringfence encrypted itself needs no key of the store's.
    let document = json!({"kms_key": KMS_KEY, "encryption": "client"});
    recording_settings(&test, &at, document).await;
    let made = register(&test, facts(&audio)).await;
    assert_eq!(through(&made).await.json["status"], "available");
    let sealed = test
        .blobs
        .keys()
        .into_iter()
        .find(|key| key.contains("/sealed-"));
    assert_eq!(test.blobs.kms_key(&sealed.unwrap()), None);
}

#[tokio::test]
async fn an_agencys_key_is_its_accounts_key_unless_they_may_choose() {
    let test = app().await;
    let (own, agency) = (
        path(&test, "/settings/recordings"),
        format!("/v1/agencies/{}/settings/recordings", test.agency),
    );
    let other = KMS_KEY.replace("1234abcd", "00000000");
    recording_settings(&test, &own, json!({"kms_key": KMS_KEY})).await;
    recording_settings(&test, &agency, json!({"kms_key": other})).await;
    let effective = async || {
        let at = format!("{own}?effective=true");
        test.request("GET", &at, Value::Null).await.json["kms_key"].clone()
    };
    assert_eq!(effective().await, json!({"value": other, "from": "agency"}));
    let document = json!({"kms_key": other, "allow_override": true});
    recording_settings(&test, &agency, document).await;
    assert_eq!(
        effective().await,
        json!({"value": KMS_KEY, "from": "account"})
    );
    recording_settings(&test, &own, json!({})).await;
    assert_eq!(effective().await, json!({"value": other, "from": "agency"}));
}

#[tokio::test]
async fn the_store_gives_audio_the_type_that_its_bytes_have() {
    let test = app().await;
    let audio = wav(10);
    let mut told = facts(&audio);
    told["content_type"] = json!("audio/mpeg");
    let made = register(&test, told).await;
    let at = path(&test, &format!("/recordings/{}/audio", id(&made)));
    let sent = test
        .request_raw(
            Some(&test.key),
            "PUT",
            &at,
            &[],
            "audio/mpeg",
            audio.clone(),
        )
        .await;
    assert_eq!(sent.json["content_type"], "audio/wav", "{}", sent.json);
    let kept = test
        .app
        .blobs
        .head(&blob_key(&test, &id(&made)))
        .await
        .unwrap();
    assert_eq!(kept.content_type, "audio/wav");
    // What was put by a URL stands there as announced, and is given out as what it is.
    let mut told = facts(&audio);
    told["content_type"] = json!("audio/mpeg");
    let made = register(&test, told).await;
    test.blobs
        .insert(&blob_key(&test, &id(&made)), "audio/mpeg", audio);
    assert_eq!(
        complete(&test, &id(&made)).await.json["content_type"],
        "audio/wav"
    );
    let at = path(&test, &format!("/recordings/{}/audio", id(&made)));
    let played = test.request("GET", &at, Value::Null).await;
    assert_eq!(played.status, 302);
    let location = played.headers["location"].to_str().unwrap();
    assert!(location.contains("type=audio/wav"), "{location}");
}

#[tokio::test]
async fn an_object_that_two_events_name_becomes_one_recording_encrypted_too() {
    let test = app().await;
    client_side(&test).await;
    let key = format!("imports/{}/call-7.wav", test.account);
    let name = async |call: &str, event: &str, recording: &str| {
        let event = json!({"type": "recording.available", "timestamp": "2026-01-31T07:59:00Z", "id": event, "data": {
            "call_id": call, "recording": {"id": recording, "duration": 1, "url": format!("blob:{key}")},
        }});
        let answer = test.request("POST", &path(&test, "/events"), event).await;
        assert_eq!(answer.status, 202, "{}", answer.json);
    };
    // Both are accepted before the object is looked at for either.
    test.blobs.insert(&key, "audio/wav", wav(1));
    name("call-7", "e1", "rec-7").await;
    name("call-8", "e2", "rec-8").await;
    test.drain().await;
    let all = list(&test, "").await;
    assert_eq!(ids(&all).len(), 1, "{all}");
    assert_eq!(all["items"][0]["status"], "available", "{all}");
    let kept = test.blobs.keys();
    assert!(kept.len() == 1 && kept[0].contains("/sealed-"), "{kept:?}");
}

#[tokio::test]
async fn naming_what_is_no_audio_or_anothers_takes_nothing_away() {
    let test = app().await;
    let audio = format!("imports/{}/call-7.wav", test.account);
    let other = format!("imports/{}/contract.pdf", test.account);
    test.blobs.insert(&audio, "audio/wav", wav(1));
    test.blobs
        .insert(&other, "application/pdf", b"%PDF-1.7".to_vec());
    let name = async |recording: &str, key: &str| {
        let event = json!({"type": "recording.available", "timestamp": "2026-01-31T07:59:00Z", "id": recording, "data": {
            "call_id": "call-7", "recording": {"id": recording, "duration": 1, "url": format!("blob:{key}")},
        }});
        let answer = test.request("POST", &path(&test, "/events"), event).await;
        assert_eq!(answer.status, 202, "{}", answer.json);
        test.drain().await;
    };
    name("rec-1", &audio).await;
    name("rec-2", &other).await;
    // What is encrypted from now on is removed in the clear, but not under the recording that plays it.
    client_side(&test).await;
    test.clock.advance(std::time::Duration::from_secs(10));
    name("rec-3", &audio).await;
    name("rec-4", &other).await;
    let mut kept = test.blobs.keys();
    kept.sort_unstable();
    assert_eq!(kept, [audio, other]);
    let playing = ids(&list(&test, "status=available").await);
    assert_eq!(playing.len(), 1);
    let at = path(&test, &format!("/recordings/{}/audio", playing[0]));
    assert_eq!(test.request("GET", &at, Value::Null).await.status, 302);
}
