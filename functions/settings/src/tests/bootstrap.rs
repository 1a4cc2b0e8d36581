//! The operator's first key.

use ringfence_domain::access::Owner;

use super::*;
use crate::bootstrap::{Bootstrapped, Order, bootstrap};

fn order(text: &str) -> Result<Order, serde_json::Error> {
    serde_json::from_str(text)
}

#[tokio::test]
async fn the_operator_gets_a_key_once_and_another_only_for_it() {
    let client = Client::new().await;
    let app = &client.test.app;
    let first = order(r#"{"bootstrap": {}}"#).unwrap();
    let replace = order(r#"{"bootstrap": {"replace": true}}"#).unwrap();
    // The test's installation has an operator's key.
    assert!(matches!(
        bootstrap(app, first).await.unwrap(),
        Bootstrapped::Refused(_)
    ));

    let Bootstrapped::Key(key) = bootstrap(app, replace).await.unwrap() else {
        panic!("refused");
    };
    let status = async |key: &str| {
        client
            .test
            .request(&client.router, Method::GET, "/v1/agencies", key, None)
            .await
            .0
    };
    assert_eq!(status(&key).await, StatusCode::OK);
    assert_eq!(
        status(&client.test.operator_key).await,
        StatusCode::UNAUTHORIZED
    );

    for (_, held) in app.api_keys_of(&Owner::Platform).await.unwrap() {
        let actor = ringfence_domain::history::Actor::system();
        assert!(
            app.revoke_api_key(&Owner::Platform, &held.id, &actor)
                .await
                .unwrap()
        );
    }
    let Bootstrapped::Key(anew) = bootstrap(app, first).await.unwrap() else {
        panic!("refused though the operator has no key");
    };
    assert_eq!(status(&anew).await, StatusCode::OK);
}

#[test]
fn nothing_else_is_taken_for_the_order() {
    for text in [
        "{}",
        r#"{"bootstrap": null}"#,
        r#"{"bootstrap": {"replace": "yes"}}"#,
        r#"{"bootstrap": {"name": "x"}}"#,
        r#"{"bootstrap": {}, "version": "2.0"}"#,
        r#"{"version": "2.0", "rawPath": "/v1/agencies", "bootstrap": {}}"#,
    ] {
        assert!(order(text).is_err(), "{text}");
    }
}

#[test]
fn what_it_answers_is_readable_and_debug_shows_no_key() {
    let made = Bootstrapped::Key("rfk_canary".to_owned());
    assert_eq!(
        serde_json::to_value(&made).unwrap(),
        json!({ "key": "rfk_canary" })
    );
    assert!(!format!("{made:?}").contains("canary"));
}
