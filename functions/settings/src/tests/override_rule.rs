//! Agency and account: which one wins, and where each value in force comes from.

use ringfence_domain::settings::EndpointKind;
use ringfence_webhook::sign;

use super::*;

fn from(value: &Value, origin: &str) -> Value {
    json!({ "value": value, "from": origin })
}

#[tokio::test]
async fn parent_set_or_not_by_override_by_account_set_or_not() {
    let client = Client::new().await;
    for (parent, allow, own, value, origin) in [
        (None, None, None, 15, "default"),
        (None, Some(false), Some(5), 5, "account"),
        (None, Some(true), Some(5), 5, "account"),
        (Some(9), None, None, 9, "agency"),
        (Some(9), None, Some(5), 9, "agency"),
        (Some(9), Some(false), Some(5), 9, "agency"),
        (Some(9), Some(true), Some(5), 5, "account"),
        (Some(9), Some(true), None, 9, "agency"),
    ] {
        // The document's own switch, and the one of the callback, which wins over it.
        for block in [false, true] {
            let mut agency = json!({ "cdr": { "timeout_seconds": parent } });
            if block {
                agency["cdr"]["allow_override"] = json!(allow);
                agency["allow_override"] = json!(allow.map(|allow| !allow));
            } else {
                agency["allow_override"] = json!(allow);
            }
            ok(client.put(&client.agency(CALLBACKS), &agency).await);
            ok(client
                .put(
                    &client.account(CALLBACKS),
                    &json!({ "cdr": { "timeout_seconds": own } }),
                )
                .await);
            let effective = ok(client
                .get(&client.account("/settings/callbacks?effective=true"))
                .await);
            assert_eq!(
                effective["cdr"]["timeout_seconds"],
                from(&json!(value), origin),
                "{agency} {own:?}"
            );
            assert_eq!(
                effective["call_status"]["timeout_seconds"],
                from(&json!(15), "default")
            );
        }
    }
}

#[tokio::test]
async fn masking_is_resolved_scope_by_scope() {
    let client = Client::new().await;
    let path = client.account("/settings/security?effective=true");
    let agency = json!({ "phone_number_masking": { "callbacks": true } });
    ok(client.put(&client.agency(SECURITY), &agency).await);
    ok(client
        .put(
            &client.account(SECURITY),
            &json!({ "phone_number_masking": { "callbacks": false, "console": true } }),
        )
        .await);
    let in_force = async || {
        client
            .test
            .app
            .account_config(&client.test.account.id)
            .await
            .unwrap()
            .unwrap()
            .masking
    };
    let effective = ok(client.get(&path).await);
    let scopes = &effective["phone_number_masking"];
    assert_eq!(scopes["callbacks"], from(&json!(true), "agency"));
    assert_eq!(scopes["console"], from(&json!(true), "account"));
    assert_eq!(scopes["exports"], from(&json!(false), "default"));
    assert!(in_force().await.callbacks);
    ok(client
        .patch(&client.agency(SECURITY), &json!({ "allow_override": true }))
        .await);
    let effective = ok(client.get(&path).await);
    assert_eq!(
        effective["phone_number_masking"]["callbacks"],
        from(&json!(false), "account")
    );
    assert!(!in_force().await.callbacks && in_force().await.console);
}

#[tokio::test]
async fn whoever_names_the_receiver_signs_and_says_what_it_gets() {
    let client = Client::new().await;
    let own = json!({ "cdr": { "url": "https://public.example/own", "headers": { "x-own": "1" }, "concurrency": 3 } });
    let own_secret =
        ok(client.put(&client.account(CALLBACKS), &own).await)["secrets"]["cdr"]["secret"].clone();
    let parents = json!({ "cdr": { "url": "https://public.example/parent", "headers": { "x-parent": "2" } } });
    let parents_secret =
        ok(client.put(&client.agency(CALLBACKS), &parents).await)["secrets"]["cdr"]["secret"]
            .clone();
    assert_ne!(own_secret, parents_secret);
    for (allow, url, header, secret, origin) in [
        (
            false,
            "https://public.example/parent",
            "x-parent",
            &parents_secret,
            "agency",
        ),
        (
            true,
            "https://public.example/own",
            "x-own",
            &own_secret,
            "account",
        ),
    ] {
        ok(client
            .patch(
                &client.agency(CALLBACKS),
                &json!({ "allow_override": allow }),
            )
            .await);
        let config = client
            .test
            .app
            .account_config(&client.test.account.id)
            .await
            .unwrap()
            .unwrap();
        let endpoint = config.endpoint(EndpointKind::Cdr).unwrap();
        assert_eq!(endpoint.url, url);
        assert_eq!(endpoint.concurrency, 3);
        assert!(format!("{:?}", endpoint.headers).contains(header));
        let [sign::Key::Symmetric(key)] = endpoint.signing_keys.as_slice() else {
            panic!("one key")
        };
        assert_eq!(json!(key.reveal()), *secret);
        let effective = ok(client
            .get(&client.account("/settings/callbacks?effective=true"))
            .await);
        assert_eq!(effective["cdr"]["url"], from(&json!(url), origin));
        assert_eq!(
            effective["cdr"]["headers"],
            from(&json!({ header: "***" }), origin)
        );
        assert_eq!(effective["cdr"]["signed_by"], json!(origin));
        assert_eq!(effective["cdr"]["enabled"], from(&json!(true), "default"));
        assert_eq!(effective["cdr"]["concurrency"], from(&json!(3), "account"));
    }
    let nowhere = ok(client
        .get(&client.account("/settings/callbacks?effective=true"))
        .await);
    assert_eq!(
        nowhere["call_status"]["enabled"],
        from(&json!(false), "default")
    );
    assert_eq!(nowhere["call_status"]["url"], from(&Value::Null, "default"));
    assert_eq!(nowhere["call_status"]["signed_by"], Value::Null);
}

#[tokio::test]
async fn an_agency_sees_what_is_in_force_for_an_account_that_sets_nothing() {
    let client = Client::new().await;
    ok(client
        .put(
            &client.agency(CALLBACKS),
            &json!({ "cdr": { "concurrency": 4 } }),
        )
        .await);
    let effective = ok(client
        .get(&client.agency("/settings/callbacks?effective=true"))
        .await);
    assert_eq!(effective["cdr"]["concurrency"], from(&json!(4), "agency"));
    assert_eq!(
        effective["cdr"]["events"],
        from(&json!(["cdr.created", "recording.available"]), "default")
    );
    let answer = client
        .get(&client.agency("/settings/callbacks?effective=perhaps"))
        .await;
    assert_eq!(answer.0, StatusCode::BAD_REQUEST);
}
