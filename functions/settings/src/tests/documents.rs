//! What holds for every settings document.

use super::*;
use crate::documents::{CallbacksDocument, SecurityDocument, SourcesDocument};

#[tokio::test]
async fn a_document_that_was_never_saved_is_empty_and_has_an_etag() {
    let client = Client::new().await;
    let paths = [
        client.account(CALLBACKS),
        client.account(SECURITY),
        client.account(SOURCES),
        client.agency(CALLBACKS),
        client.agency(SECURITY),
    ];
    for path in paths {
        let answer = client.get(&path).await;
        assert_eq!(answer.1["etag"], "\"0\"", "{path}");
        assert_eq!(ok(answer), json!({}), "{path}");
    }
}

#[tokio::test]
async fn a_change_names_the_version_that_it_is_meant_for() {
    let client = Client::new().await;
    let path = client.account(SECURITY);
    let on = json!({ "phone_number_masking": true });
    for method in [Method::PUT, Method::PATCH] {
        let answer = client
            .test
            .request(
                &client.router,
                method,
                &path,
                &client.test.account_key,
                Some(&on),
            )
            .await;
        assert_eq!(answer.0, StatusCode::PRECONDITION_REQUIRED);
    }
    assert_eq!(
        client.put_at(1, &path, &on).await.0,
        StatusCode::PRECONDITION_FAILED
    );
    let saved = client.put_at(0, &path, &on).await;
    assert_eq!((saved.0, version(&saved.1)), (StatusCode::OK, 1));
    assert_eq!(
        client.put_at(0, &path, &on).await.0,
        StatusCode::PRECONDITION_FAILED
    );
    let off = json!({ "phone_number_masking": false });
    assert_eq!(version(&client.put_at(1, &path, &off).await.1), 2);
    assert_eq!(client.version(&path).await, 2);
}

#[tokio::test]
async fn of_two_that_race_one_wins_and_the_other_is_told() {
    let client = Client::new().await;
    let path = client.account(SECURITY);
    let (on, off) = (
        json!({ "phone_number_masking": true }),
        json!({ "phone_number_masking": false }),
    );
    for round in 0..20 {
        // Each round saves twice: one of the two that race, and then an empty document again.
        let present = round * 2;
        let (a, b) = tokio::join!(
            client.put_at(present, &path, &on),
            client.put_at(present, &path, &off)
        );
        let mut statuses = [a.0, b.0];
        statuses.sort();
        assert_eq!(statuses, [StatusCode::OK, StatusCode::PRECONDITION_FAILED]);
        let winner = if a.0 == StatusCode::OK { a.2 } else { b.2 };
        assert_eq!(ok(client.get(&path).await), winner);
        assert_eq!(
            version(&client.put_at(present + 1, &path, &json!({})).await.1),
            present + 2
        );
    }
}

#[tokio::test]
async fn what_changes_nothing_is_no_new_version() {
    let client = Client::new().await;
    let path = client.account(CALLBACKS);
    let document =
        json!({ "cdr": { "url": "https://public.example/", "headers": { "x-token": "abc" } } });
    client.put(&path, &document).await;
    let again = client.put_at(1, &path, &document).await;
    assert_eq!(version(&again.1), 1);
    assert!(again.2.get("secrets").is_none());
    let kept = client
        .patch_at(
            1,
            &path,
            &json!({ "cdr": { "headers": { "x-token": "***" } } }),
        )
        .await;
    assert_eq!(version(&kept.1), 1);
    assert_eq!(client.history(&client.test.account.id).await.len(), 3);
}

#[tokio::test]
async fn merge_patch_changes_what_it_names_and_null_removes() {
    let client = Client::new().await;
    let path = client.account(CALLBACKS);
    client
        .put(
            &path,
            &json!({
                "cdr": { "url": "https://public.example/cdr", "timeout_seconds": 10, "events": ["cdr.created"] },
                "call_status": { "url": "https://public.example/status" },
            }),
        )
        .await;
    let patched = client
        .patch(
            &path,
            &json!({ "cdr": { "timeout_seconds": 20, "events": null }, "call_status": null }),
        )
        .await;
    assert_eq!(
        ok(patched),
        json!({ "cdr": { "url": "https://public.example/cdr", "timeout_seconds": 20 } })
    );
    // PUT leaves out what it does not name.
    let put = client
        .put(
            &path,
            &json!({ "cdr": { "url": "https://public.example/cdr" } }),
        )
        .await;
    assert_eq!(ok(put), cdr_url("https://public.example/cdr"));
}

#[tokio::test]
async fn a_body_must_be_json_without_guesses() {
    let client = Client::new().await;
    let path = client.account(SECURITY);
    for (content_type, body, expected) in [
        ("text/plain", "{}", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/json", "{", StatusCode::BAD_REQUEST),
        (
            "application/json",
            r#"{"phone_number_masking": true, "phone_number_masking": false}"#,
            StatusCode::BAD_REQUEST,
        ),
        (
            "application/merge-patch+json",
            r#"{"phone_number_masking": {"console": true, "console": false}}"#,
            StatusCode::BAD_REQUEST,
        ),
        ("application/json", r#""\ud800""#, StatusCode::BAD_REQUEST),
        ("application/json", "[]", StatusCode::BAD_REQUEST),
        ("application/json", "null", StatusCode::BAD_REQUEST),
    ] {
        let request = http::Request::put(&path)
            .header(
                "authorization",
                format!("Bearer {}", client.test.account_key),
            )
            .header("content-type", content_type)
            .header("if-match", "\"0\"")
            .body(axum::body::Body::from(body))
            .unwrap();
        let router = client.router.clone().with_state(client.test.app.clone());
        let answer = tower::ServiceExt::oneshot(router, request).await.unwrap();
        assert_eq!(answer.status(), expected, "{body}");
    }
    let large = json!({ "phone_number_masking": "x".repeat(70_000) });
    assert_eq!(
        client.put_at(0, &path, &large).await.0,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    assert_eq!(client.version(&path).await, 0);
}

#[tokio::test]
async fn documents_are_as_their_schemas_say() {
    let client = Client::new().await;
    let callbacks = json!({
        "allow_override": true,
        "cdr": {
            "url": "https://public.example/", "enabled": false, "headers": { "a": "b" },
            "events": ["cdr.created"], "rate_per_second": 5, "concurrency": 6, "timeout_seconds": 7,
            "format": "i8_form", "allow_override": false,
        },
    });
    client.put(&client.agency(CALLBACKS), &callbacks).await;
    client
        .put(
            &client.agency(SECURITY),
            &json!({ "phone_number_masking": true }),
        )
        .await;
    client
        .put(
            &client.account(SOURCES),
            &json!({ "twilio": { "auth_token": "t" } }),
        )
        .await;
    let shown = ok(client.get(&client.agency(CALLBACKS)).await);
    let read: CallbacksDocument = serde_json::from_value(shown.clone()).unwrap();
    let mut expected = callbacks;
    expected["cdr"]["headers"]["a"] = json!("***");
    assert_eq!(shown, expected);
    assert_eq!(serde_json::to_value(read).unwrap(), expected);
    let security = ok(client.get(&client.agency(SECURITY)).await);
    serde_json::from_value::<SecurityDocument>(security).unwrap();
    let sources = ok(client.get(&client.account(SOURCES)).await);
    assert_eq!(sources, json!({ "twilio": { "auth_token": "***" } }));
    serde_json::from_value::<SourcesDocument>(sources).unwrap();
}

#[tokio::test]
async fn the_masking_switch_sets_all_scopes_and_scopes_are_set_one_by_one() {
    let client = Client::new().await;
    let path = client.account(SECURITY);
    let all = |on: bool| json!({ "phone_number_masking": { "console": on, "exports": on, "callbacks": on, "notifications": on } });
    assert_eq!(
        ok(client
            .put(&path, &json!({ "phone_number_masking": true }))
            .await),
        all(true)
    );
    let mut expected = all(true);
    expected["phone_number_masking"]["exports"] = json!(false);
    let change = json!({ "phone_number_masking": { "exports": false } });
    assert_eq!(ok(client.patch(&path, &change).await), expected);
    let config = client
        .test
        .app
        .account_config(&client.test.account.id)
        .await
        .unwrap()
        .unwrap();
    assert!(config.masking.console && config.masking.callbacks && config.masking.notifications);
    assert!(!config.masking.exports);
    assert_eq!(
        ok(client
            .patch(&path, &json!({ "phone_number_masking": false }))
            .await),
        all(false)
    );
    assert_eq!(
        ok(client
            .patch(&path, &json!({ "phone_number_masking": null }))
            .await),
        json!({})
    );
}

#[tokio::test]
async fn wrong_fields_of_small_documents_are_named() {
    let client = Client::new().await;
    let security = client.account(SECURITY);
    for (body, expected) in [
        (
            json!({ "phone_number_masking": "on" }),
            vec!["phone_number_masking"],
        ),
        (
            json!({ "phone_number_masking": { "console": 1, "screen": true } }),
            vec![
                "phone_number_masking.console",
                "phone_number_masking.screen",
            ],
        ),
        (json!({ "masking": true }), vec!["masking"]),
        // Only an agency has something to allow.
        (json!({ "allow_override": true }), vec!["allow_override"]),
    ] {
        assert_eq!(fields(&client.put(&security, &body).await), expected);
    }
    let sources = client.account(SOURCES);
    for (body, expected) in [
        (
            json!({ "twilio": { "auth_token": "with blank" } }),
            "twilio.auth_token",
        ),
        (
            json!({ "twilio": { "auth_token": "x".repeat(10_000) } }),
            "twilio.auth_token",
        ),
        (
            json!({ "twilio": { "auth_token": "***" } }),
            "twilio.auth_token",
        ),
        (json!({ "twilio": { "token": "x" } }), "twilio.token"),
        (json!({ "twilio": "x" }), "twilio"),
    ] {
        assert_eq!(fields(&client.put(&sources, &body).await), [expected]);
    }
    assert_eq!(client.history(&client.test.account.id).await.len(), 2);
}

#[tokio::test]
async fn a_source_token_is_kept_replaced_and_removed() {
    let client = Client::new().await;
    let path = client.account(SOURCES);
    let token = async || {
        let config = client
            .test
            .app
            .account_config(&client.test.account.id)
            .await
            .unwrap()
            .unwrap();
        config
            .twilio_auth_token
            .as_ref()
            .map(|token| token.reveal().to_owned())
    };
    client
        .put(&path, &json!({ "twilio": { "auth_token": "first" } }))
        .await;
    assert_eq!(token().await.as_deref(), Some("first"));
    client
        .put(&path, &json!({ "twilio": { "auth_token": "***" } }))
        .await;
    assert_eq!(token().await.as_deref(), Some("first"));
    client
        .patch(&path, &json!({ "twilio": { "auth_token": "second" } }))
        .await;
    assert_eq!(token().await.as_deref(), Some("second"));
    assert_eq!(
        ok(client.patch(&path, &json!({ "twilio": null })).await),
        json!({})
    );
    assert_eq!(token().await, None);
}
