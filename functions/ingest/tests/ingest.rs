//! What comes in over HTTP: Ringfence's own form and the platforms', right and wrong, from the samples in
//! `events/ingest`.

use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD};
use ringfence_test_support::{Response, TestApp};
use serde_json::{Value, json};

async fn app() -> TestApp {
    let router = ringfence_settings::router()
        .merge(ringfence_ingest::router())
        .merge(ringfence_activities::router());
    TestApp::new().await.serving(router)
}

fn sample(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../events/ingest")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

async fn post(test: &TestApp, to: &str, content_type: &str, body: Vec<u8>) -> Response {
    let path = format!("/v1/accounts/{}/{to}", test.account);
    test.request_raw(Some(&test.key), "POST", &path, &[], content_type, body)
        .await
}

#[tokio::test]
async fn one_event_an_array_and_ndjson_are_taken() {
    let test = app().await;
    let one = post(
        &test,
        "events",
        "application/json",
        sample("cdr.created.json"),
    )
    .await;
    assert_eq!(
        (one.status.as_u16(), one.json["accepted"].as_u64()),
        (202, Some(1)),
        "{}",
        one.json
    );
    let array = post(
        &test,
        "events",
        "application/json; charset=utf-8",
        sample("batch.json"),
    )
    .await;
    assert_eq!(
        (array.status.as_u16(), array.json["rejected"].as_u64()),
        (202, Some(0)),
        "{}",
        array.json
    );
    let lines = post(
        &test,
        "events",
        "application/x-ndjson",
        sample("batch.ndjson"),
    )
    .await;
    assert_eq!(
        (lines.status.as_u16(), lines.json["rejected"].as_u64()),
        (202, Some(0)),
        "{}",
        lines.json
    );
}

#[tokio::test]
async fn a_bad_event_is_refused_alone_with_its_index_field_and_reason() {
    let test = app().await;
    let good = |id: &str| json!({"type": "cdr.created", "id": id, "data": {"call_id": id}});
    let batch = json!([
        good("a"),
        {"type": "cdr.created", "id": "b", "data": {"call_id": "b", "duration": -1, "from": "+14155550132"}},
        {"type": "cdr.created", "id": "c", "data": {"call_id": "c"}, "colour": "red"},
        good("d"),
    ]);
    let answer = post(
        &test,
        "events",
        "application/json",
        batch.to_string().into_bytes(),
    )
    .await;
    assert_eq!(answer.status, 202);
    let counts = |name: &str| answer.json[name].as_u64().unwrap();
    assert_eq!((counts("accepted"), counts("rejected")), (2, 2));
    let second = &answer.json["results"][1];
    assert_eq!(second["error"]["index"], 1);
    assert_eq!(second["error"]["field"], "data.duration");
    assert!(second["error"]["reason"].as_str().unwrap().len() > 5);
    assert!(
        answer.json["results"][2]["error"]["field"]
            .as_str()
            .unwrap()
            .contains("colour")
    );
    assert!(
        !answer.json.to_string().contains("4155550132"),
        "an error quotes no value"
    );
}

#[tokio::test]
async fn what_cannot_be_read_says_why_and_is_never_a_500() {
    let test = app().await;
    for (content_type, body, status, kind) in [
        ("application/json", &b"{"[..], 400, "malformed-body"),
        ("application/json", b"", 415, "unsupported-media-type"),
        ("application/json", b"[]", 400, "malformed-body"),
        ("application/json", b"\xff\xfe", 400, "malformed-body"),
        (
            "application/json",
            br#"{"type":"cdr.created","id":"x","id":"y","data":{"call_id":"c"}}"#,
            400,
            "invalid-fields",
        ),
        (
            "application/json",
            br#"{"type":"cdr.created","id":"\ud800","data":{"call_id":"c"}}"#,
            400,
            "invalid-fields",
        ),
        ("application/json", b"null", 400, "invalid-fields"),
        ("application/json", b"[1]", 400, "invalid-fields"),
        ("text/plain", b"{}", 415, "unsupported-media-type"),
        ("application/xml", b"<a/>", 415, "unsupported-media-type"),
    ] {
        let answer = post(&test, "events", content_type, body.to_vec()).await;
        let shown = String::from_utf8_lossy(body);
        assert!(answer.status.as_u16() < 500, "{shown}");
        if answer.status.as_u16() == 415 && body.is_empty() {
            continue;
        }
        let got = answer.json["type"].as_str().unwrap_or_default().to_owned();
        assert!(
            answer.status.as_u16() == status
                && (got == format!("/problems/{kind}") || status == 400),
            "{shown}: {} {}",
            answer.status,
            answer.json
        );
        assert!(
            answer.json["next"]
                .as_str()
                .is_some_and(|next| !next.is_empty())
        );
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn limits_come_before_parsing() {
    let test = app().await;
    let large = vec![b' '; 5 * 1024 * 1024 + 1];
    assert_eq!(
        post(&test, "events", "application/json", large)
            .await
            .status,
        413
    );
    let many: Vec<Value> = (0..1001)
        .map(|i| json!({"type": "cdr.created", "id": i.to_string(), "data": {"call_id": "c"}}))
        .collect();
    let answer = post(
        &test,
        "events",
        "application/json",
        json!(many).to_string().into_bytes(),
    )
    .await;
    assert_eq!(answer.status, 413, "{}", answer.json);
    assert!(answer.json["detail"].as_str().unwrap().contains("1000"));
}

#[tokio::test]
async fn late_arrivals_never_move_a_call_back() {
    let test = app().await;
    let event = |kind: &str, id: &str, second: u32, extra: Value| {
        let mut data = json!({"call_id": "c1", "direction": "inbound"});
        for (key, value) in extra.as_object().unwrap() {
            data[key] = value.clone();
        }
        json!({"type": kind, "id": id, "timestamp": format!("2026-01-31T07:59:{second:02}Z"), "data": data})
    };
    let ended = json!({"ended_at": "2026-01-31T07:59:30Z", "hangup_cause": "NORMAL_CLEARING"});
    for body in [
        event("call.disconnected", "e3", 30, ended),
        event(
            "call.ringing",
            "e1",
            10,
            json!({"ringing_at": "2026-01-31T07:59:10Z", "from": "+14155550132"}),
        ),
        event(
            "call.answered",
            "e2",
            20,
            json!({"answered_at": "2026-01-31T07:59:20Z"}),
        ),
    ] {
        assert_eq!(
            post(
                &test,
                "events",
                "application/json",
                body.to_string().into_bytes()
            )
            .await
            .status,
            202
        );
        let path = format!("/v1/accounts/{}/calls/c1", test.account);
        let call = test.request("GET", &path, Value::Null).await.json;
        assert_eq!(call["state"], "disconnected");
    }
    let call = test
        .request(
            "GET",
            &format!("/v1/accounts/{}/calls/c1", test.account),
            Value::Null,
        )
        .await
        .json;
    assert_eq!(call["data"]["answered_at"], "2026-01-31T07:59:20Z");
    assert_eq!(call["data"]["from"], "+14155550132");
}

#[tokio::test]
async fn each_platform_is_read_in_its_own_format_and_a_repeat_is_one() {
    let test = app().await;
    for (to, content_type, file) in [
        (
            "ingest/freeswitch?uuid=a_3da8bf84-c133-4959-9e24-e72875cb33a1",
            "application/json",
            "freeswitch-cdr.json",
        ),
        ("ingest/asterisk", "text/csv", "asterisk-master.csv"),
        (
            "ingest/asterisk?tz=America/New_York",
            "application/json",
            "asterisk-cdr.json",
        ),
        (
            "ingest/connect",
            "application/json",
            "connect-contact-record.json",
        ),
    ] {
        let first = post(&test, to, content_type, sample(file)).await;
        assert_eq!(first.status, 202, "{file}: {}", first.json);
        assert!(
            first.json["accepted"].as_u64().unwrap() > 0,
            "{file}: {}",
            first.json
        );
        // The Master.csv has one broken line.
        assert_eq!(
            first.json["rejected"],
            u64::from(file == "asterisk-master.csv"),
            "{file}: {}",
            first.json
        );
        let again = post(&test, to, content_type, sample(file)).await;
        assert_eq!(again.json["accepted"], 0, "{file}");
        assert_eq!(again.json["duplicates"], first.json["accepted"], "{file}");
    }
    let path = format!(
        "/v1/accounts/{}/calls/3da8bf84-c133-4959-9e24-e72875cb33a1",
        test.account
    );
    let call = test.request("GET", &path, Value::Null).await.json;
    assert_eq!(
        (call["state"].as_str(), call["data"]["billsec"].as_u64()),
        (Some("completed"), Some(68))
    );
}

#[tokio::test]
async fn a_key_also_comes_as_a_basic_password_and_from_firehose() {
    let test = app().await;
    let path = format!("/v1/accounts/{}/ingest/freeswitch", test.account);
    let basic = format!("Basic {}", STANDARD.encode(format!("key:{}", test.key)));
    let headers = [("authorization", basic.as_str())];
    let answer = test
        .request_raw(
            None,
            "POST",
            &path,
            &headers,
            "application/json",
            sample("freeswitch-cdr.json"),
        )
        .await;
    assert_eq!(answer.status, 202, "{}", answer.json);

    let path = format!("/v1/accounts/{}/ingest/connect", test.account);
    let record = STANDARD.encode(sample("connect-contact-record.json"));
    let body = json!({"requestId": "ed4acda5", "timestamp": 1_769_846_400_000_u64, "records": [{"data": record}]});
    let headers = [
        ("x-amz-firehose-access-key", test.key.as_str()),
        ("x-amz-firehose-request-id", "ed4acda5"),
    ];
    let answer = test
        .request_raw(
            None,
            "POST",
            &path,
            &headers,
            "application/json",
            body.to_string().into_bytes(),
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    assert_eq!(answer.json["requestId"], "ed4acda5");
}

#[tokio::test]
async fn twilio_is_known_by_its_signature() {
    let test = app().await;
    let token = "12345678901234567890123456789012";
    let settings = format!("/v1/accounts/{}/settings/sources", test.account);
    let saved = json!({"twilio": {"auth_token": token}});
    let saved = test
        .request_as(
            Some(&test.key),
            "PUT",
            &settings,
            &[("if-match", "\"0\"")],
            saved,
        )
        .await;
    assert_eq!(saved.status, 200, "{}", saved.json);
    assert!(
        !saved.json.to_string().contains(token),
        "the token is never shown"
    );

    let path = format!("/v1/accounts/{}/ingest/twilio", test.account);
    let form = [
        ("AccountSid", "AC00000000000000000000000000000001"),
        ("CallSid", "CA00000000000000000000000000000001"),
        ("CallStatus", "ringing"),
        ("Direction", "inbound"),
        ("From", "+14155550132"),
        ("To", "+14155550199"),
    ];
    let mut signed = format!("https://calls.example.com{path}");
    for (name, value) in form {
        signed.push_str(name);
        signed.push_str(value);
    }
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes());
    let signature = STANDARD.encode(ring::hmac::sign(&key, signed.as_bytes()));
    let pairs: Vec<String> = form
        .iter()
        .map(|(name, value)| format!("{name}={}", value.replace('+', "%2B")))
        .collect();
    let body = pairs.join("&");
    let headers = |signature: &'static str| {
        [
            ("host", "calls.example.com"),
            ("x-forwarded-proto", "https"),
            ("x-twilio-signature", signature),
        ]
    };
    let form_type = "application/x-www-form-urlencoded";
    let right = test
        .request_raw(
            None,
            "POST",
            &path,
            &headers(signature.clone().leak()),
            form_type,
            body.clone().into_bytes(),
        )
        .await;
    assert_eq!(right.status, 202, "{}", right.json);
    assert_eq!(right.json["accepted"], 1);
    let tampered = body.replace("ringing", "in-progress").into_bytes();
    let wrong = test
        .request_raw(
            None,
            "POST",
            &path,
            &headers(signature.leak()),
            form_type,
            tampered,
        )
        .await;
    assert_eq!(wrong.status, 401);
    let none = test
        .request_raw(None, "POST", &path, &[], form_type, body.into_bytes())
        .await;
    assert_eq!(none.status, 401);
}

#[tokio::test]
async fn event_types_are_served_with_their_schemas() {
    let test = app().await;
    let list = test
        .request_as(None, "GET", "/v1/event-types", &[], Value::Null)
        .await
        .json;
    let types: Vec<&str> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["type"].as_str().unwrap())
        .collect();
    assert_eq!(types.len(), 8);
    for name in types {
        let one = test
            .request_as(
                None,
                "GET",
                &format!("/v1/event-types/{name}"),
                &[],
                Value::Null,
            )
            .await;
        assert_eq!(one.headers["content-type"], "application/schema+json");
        assert_eq!(
            one.json["$schema"],
            "https://json-schema.org/draft/2020-12/schema"
        );
    }
}

#[tokio::test]
async fn a_repeat_is_one_whatever_its_time_stamp() {
    let test = app().await;
    // Without a time stamp of its own it is stamped when it is received.
    let event = json!({"type": "recording.available", "id": "r1", "data": {"call_id": "c1", "recording": {"id": "rec-1"}}});
    let body = event.to_string().into_bytes();
    let first = post(&test, "events", "application/json", body.clone()).await;
    assert_eq!(first.json["accepted"], 1, "{}", first.json);
    test.clock.advance(std::time::Duration::from_mins(1));
    let again = post(&test, "events", "application/json", body).await;
    assert_eq!(again.status, 202, "{}", again.json);
    assert_eq!(again.json["results"][0]["status"], "duplicate");

    let mut stamped = event.clone();
    stamped["timestamp"] = json!("2026-01-31T07:00:00Z");
    let both = json!([event, stamped]).to_string().into_bytes();
    let both = post(&test, "events", "application/json", both).await;
    assert_eq!(both.json["duplicates"], 2, "{}", both.json);
}

#[tokio::test]
async fn a_call_id_that_none_can_have_is_not_found() {
    let test = app().await;
    let path = format!("/v1/accounts/{}/calls/{}", test.account, "x".repeat(3000));
    assert_eq!(test.request("GET", &path, Value::Null).await.status, 404);
}
