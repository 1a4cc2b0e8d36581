//! Callback settings: every rule, all wrong fields at once, and what may only be written.

use super::*;

#[tokio::test]
async fn every_rule_of_a_callback() {
    let client = Client::new().await;
    let path = client.account(CALLBACKS);
    let headers = |name: &str, value: &str| json!({ "headers": { name: value } });
    for (callback, field) in [
        (json!({ "url": 1 }), "url"),
        (json!({ "url": "ftp://public.example/" }), "url"),
        (
            json!({ "url": "https://user:secret@public.example/" }),
            "url",
        ),
        (json!({ "url": "https://public.example/#part" }), "url"),
        (json!({ "url": "https://public.example:22/" }), "url"),
        (json!({ "url": "http://169.254.169.254/latest" }), "url"),
        (json!({ "url": "http://0x7f.1/" }), ""),
        (json!({ "url": "http://[::ffff:10.0.0.1]/" }), "url"),
        (json!({ "url": "https://missing.example/" }), "url"),
        (json!({ "url": "https://private.example/" }), "url"),
        (json!({ "url": "https://mixed.example/" }), "url"),
        (
            json!({ "url": format!("https://public.example/{}", "x".repeat(2048)) }),
            "url",
        ),
        (json!({ "enabled": "yes" }), "enabled"),
        (json!({ "rate_per_second": 0 }), "rate_per_second"),
        (json!({ "rate_per_second": 10_001 }), "rate_per_second"),
        (json!({ "rate_per_second": 1.5 }), "rate_per_second"),
        (json!({ "concurrency": 0 }), "concurrency"),
        (json!({ "concurrency": 257 }), "concurrency"),
        (json!({ "timeout_seconds": 0 }), "timeout_seconds"),
        (json!({ "timeout_seconds": 31 }), "timeout_seconds"),
        (json!({ "timeout_seconds": "15" }), "timeout_seconds"),
        (json!({ "timeout_seconds": -1 }), "timeout_seconds"),
        (json!({ "format": "xml" }), "format"),
        (json!({ "events": [] }), "events"),
        (json!({ "events": "cdr.created" }), "events"),
        (
            json!({ "events": ["cdr.created", "call.ringing"] }),
            "events.1",
        ),
        (json!({ "events": ["no.such"] }), "events.0"),
        (json!({ "headers": ["a"] }), "headers"),
        (json!({ "headers": { "x": 1 } }), "headers.x"),
        (headers("Host", "a"), "headers.Host"),
        (headers("content-length", "1"), "headers.content-length"),
        (
            headers("Content-Type", "text/plain"),
            "headers.Content-Type",
        ),
        (
            headers("Transfer-Encoding", "chunked"),
            "headers.Transfer-Encoding",
        ),
        (headers("Connection", "close"), "headers.Connection"),
        (headers("webhook-id", "a"), "headers.webhook-id"),
        (headers("bad name", "a"), "headers.bad name"),
        (headers("x", "a\r\nhost: b"), "headers.x"),
        (headers("x", ""), "headers.x"),
        (headers("x", "***"), "headers.x"),
        (
            json!({ "headers": { "X-A": "1", "x-a": "2" } }),
            "headers.x-a",
        ),
        (
            json!({ "headers": { "a": "v".repeat(2100), "b": "v".repeat(2100) } }),
            "headers",
        ),
        (json!({ "url_": "https://public.example/" }), "url_"),
        (json!({ "allow_override": true }), "allow_override"),
    ] {
        let answer = client.put(&path, &json!({ "cdr": callback })).await;
        // A loopback address in disguise is allowed in this app, as any of 127.0.0.0/8.
        if field.is_empty() {
            assert_eq!(answer.0, StatusCode::OK, "{callback}");
            client.put(&path, &json!({})).await;
        } else {
            assert_eq!(fields(&answer), [format!("cdr.{field}")], "{callback}");
        }
    }
    assert_eq!(
        fields(&client.put(&path, &json!({ "cdr": true })).await),
        ["cdr"]
    );
    assert_eq!(
        fields(&client.put(&path, &json!({ "sms": {} })).await),
        ["sms"]
    );
    let operational = json!({ "operational": { "events": ["cdr.created"], "format": "i8" } });
    let wrong = fields(&client.put(&path, &operational).await);
    assert_eq!(wrong, ["operational.events", "operational.format"]);
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once_and_no_value_is_echoed() {
    let client = Client::new().await;
    let document = json!({
        "cdr": { "url": "https://private.example/hunter2", "timeout_seconds": 99, "headers": { "host": "hunter2" } },
        "call_status": { "url": "gopher://hunter2", "format": "hunter2" },
        "extra": "hunter2",
    });
    let answer = client.put(&client.account(CALLBACKS), &document).await;
    let expected = [
        "call_status.format",
        "call_status.url",
        "cdr.headers.host",
        "cdr.timeout_seconds",
        "cdr.url",
        "extra",
    ];
    assert_eq!(fields(&answer), expected);
    assert!(!answer.2.to_string().contains("hunter2"), "{}", answer.2);
    assert!(ok(client.get(&client.account(CALLBACKS)).await) == json!({}));
}

#[tokio::test]
async fn only_public_addresses_unless_the_operator_says_otherwise() {
    let strict = World::with_policy(ringfence_webhook::Policy::public()).await;
    let client = Client {
        test: strict,
        router: crate::router().split_for_parts().0,
    };
    for url in [
        "http://127.0.0.1:8080/",
        "http://localhost/",
        "http://2130706433/",
        "http://[::1]/",
    ] {
        let answer = client.put(&client.account(CALLBACKS), &cdr_url(url)).await;
        assert_eq!(fields(&answer), ["cdr.url"], "{url}");
    }
}

#[tokio::test]
async fn a_url_that_stays_is_not_looked_up_again() {
    let client = Client::new().await;
    let path = client.account(CALLBACKS);
    client.put(&path, &cdr_url("https://public.example/")).await;
    // Names in the documents resolve to nothing now, but only a new one is asked for.
    let change = json!({ "cdr": { "timeout_seconds": 5 }, "call_status": { "url": "https://missing.example/" } });
    assert_eq!(
        fields(&client.patch(&path, &change).await),
        ["call_status.url"]
    );
    assert_eq!(
        client
            .patch(&path, &json!({ "cdr": { "timeout_seconds": 5 } }))
            .await
            .0,
        StatusCode::OK
    );
}

#[tokio::test]
async fn what_is_set_is_what_dispatch_gets() {
    let client = Client::new().await;
    let document = json!({ "cdr": {
        "url": "https://public.example/cdr?x=1", "headers": { "X-Api-Key": "abc" }, "events": ["recording.available"],
        "rate_per_second": 7, "concurrency": 9, "timeout_seconds": 11, "format": "cloudevents",
    } });
    ok(client.put(&client.account(CALLBACKS), &document).await);
    let config = client
        .test
        .app
        .account_config(&client.test.account.id)
        .await
        .unwrap()
        .unwrap();
    let endpoint = config
        .endpoint(ringfence_domain::settings::EndpointKind::Cdr)
        .unwrap();
    assert_eq!(endpoint.url, "https://public.example/cdr?x=1");
    assert!(endpoint.enabled);
    assert_eq!(endpoint.rate_per_second, Some(7));
    assert_eq!(endpoint.concurrency, 9);
    assert_eq!(endpoint.timeout.as_secs(), 11);
    assert_eq!(endpoint.signing_keys.len(), 1);
    assert!(endpoint.wants("recording.available".parse().unwrap()));
    assert!(!endpoint.wants("cdr.created".parse().unwrap()));
    let expected = ringfence_webhook::ExtraHeaders::new([("x-api-key", "abc")]).unwrap();
    assert_eq!(format!("{:?}", endpoint.headers), format!("{expected:?}"));
    // The other callbacks have no URL.
    assert_eq!(config.endpoints.iter().flatten().count(), 1);

    ok(client
        .patch(
            &client.account(CALLBACKS),
            &json!({ "cdr": { "enabled": false } }),
        )
        .await);
    let config = client
        .test
        .app
        .account_config(&client.test.account.id)
        .await
        .unwrap()
        .unwrap();
    let endpoint = config
        .endpoint(ringfence_domain::settings::EndpointKind::Cdr)
        .unwrap();
    assert!(!endpoint.wants("recording.available".parse().unwrap()));
}

#[tokio::test]
async fn header_values_are_never_shown_and_go_nowhere_else() {
    let client = Client::new().await;
    let path = client.account(CALLBACKS);
    let document = json!({ "cdr": { "url": "https://public.example/a", "headers": { "Authorization": "Bearer hunter2", "x-b": "two" } } });
    let saved = client.put(&path, &document).await;
    let shown = json!({ "authorization": "***", "x-b": "***" });
    assert_eq!(saved.2["cdr"]["headers"], shown);
    // Another path of the same host keeps the values; names carry no case.
    let change =
        json!({ "cdr": { "url": "https://public.example/b", "headers": { "X-B": "three" } } });
    assert_eq!(
        ok(client.patch(&path, &change).await)["cdr"]["headers"],
        shown
    );
    // Another host, another scheme: whoever points the URL elsewhere must know the values.
    for url in ["https://other.public.example/b", "http://public.example/b"] {
        let wrong = fields(&client.patch(&path, &json!({ "cdr": { "url": url } })).await);
        assert_eq!(wrong, ["cdr.headers.authorization", "cdr.headers.x-b"]);
    }
    // Nor by way of no URL at all.
    ok(client
        .patch(&path, &json!({ "cdr": { "url": null } }))
        .await);
    let wrong = fields(
        &client
            .patch(&path, &cdr_url("https://other.public.example/b"))
            .await,
    );
    assert_eq!(wrong, ["cdr.headers.authorization", "cdr.headers.x-b"]);
    let all_new = json!({ "cdr": { "url": "https://other.public.example/b", "headers": { "authorization": "new", "x-b": null } } });
    let saved = ok(client.patch(&path, &all_new).await);
    assert_eq!(saved["cdr"]["headers"], json!({ "authorization": "***" }));

    let everything = format!(
        "{}{:?}",
        saved,
        client.history(&client.test.account.id).await
    );
    for secret in ["hunter2", "\"two\"", "three"] {
        assert!(!everything.contains(secret), "{secret}");
    }
}
