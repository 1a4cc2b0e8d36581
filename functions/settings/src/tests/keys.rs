//! API keys.

use std::time::Duration;

use ringfence_domain::access::{Owner, Scope};

use super::*;
use crate::keys::NewKeyBody;

#[tokio::test]
async fn a_key_is_made_shown_once_used_listed_and_revoked() {
    let client = Client::new().await;
    let path = client.account("/api-keys");
    let request = json!({ "name": "PBX", "scopes": ["settings:read", "admin", "admin"], "expires_at": "2026-03-01T00:00:00Z" });
    let made = client.post(&path, &request).await;
    assert_eq!(made.0, StatusCode::CREATED, "{}", made.2);
    assert_eq!(made.1["cache-control"], "no-store");
    serde_json::from_value::<NewKeyBody>(made.2.clone()).unwrap();
    let key = made.2["key"].as_str().unwrap().to_owned();
    assert_eq!(made.2["scopes"], json!(["settings:read", "admin"]));
    let as_new = async |path: &str| {
        client
            .test
            .request(&client.router, Method::GET, path, &key, None)
            .await
            .0
    };
    assert_eq!(as_new(&client.account("")).await, StatusCode::OK);

    let listed = ok(client.get(&path).await);
    assert!(!listed.to_string().contains(&key));
    let mine = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["name"] == "PBX")
        .unwrap();
    assert_eq!(mine["id"], made.2["id"]);
    assert_eq!(mine["owner"], json!(client.test.account.id));

    let one = client.account(&format!("/api-keys/{}", made.2["id"].as_str().unwrap()));
    assert_eq!(client.delete(&one).await.0, StatusCode::NO_CONTENT);
    assert_eq!(client.delete(&one).await.0, StatusCode::NOT_FOUND);
    assert_eq!(as_new(&client.account("")).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn one_can_only_grant_what_one_holds() {
    let client = Client::new().await;
    let owner = Owner::Account(client.test.account.id.clone());
    let narrow = client
        .test
        .key(owner, &[Scope::Admin, Scope::CallsRead])
        .await;
    let path = client.account("/api-keys");
    let ask = async |key: &str, body: Value| {
        client
            .test
            .request(&client.router, Method::POST, &path, key, Some(&body))
            .await
    };
    let beyond = ask(
        &narrow,
        json!({ "name": "a", "scopes": ["calls:read", "settings:read"] }),
    )
    .await;
    assert_eq!(beyond.0, StatusCode::FORBIDDEN);
    assert!(
        beyond.2["detail"]
            .as_str()
            .unwrap()
            .contains("settings:read")
    );
    let within = ask(&narrow, json!({ "name": "a", "scopes": ["calls:read"] })).await;
    assert_eq!(within.0, StatusCode::CREATED);

    let mortal = json!({ "name": "m", "scopes": ["admin"], "expires_at": "2026-02-03T00:00:00Z" });
    let mortal = ask(&narrow, mortal).await.2["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let for_ever = ask(&mortal, json!({ "name": "a", "scopes": ["admin"] })).await;
    assert_eq!(fields(&for_ever), ["expires_at"]);
    let longer = json!({ "name": "a", "scopes": ["admin"], "expires_at": "2026-02-04T00:00:00Z" });
    assert_eq!(fields(&ask(&mortal, longer).await), ["expires_at"]);
    let shorter = json!({ "name": "a", "scopes": ["admin"], "expires_at": "2026-02-02T00:00:00Z" });
    assert_eq!(ask(&mortal, shorter).await.0, StatusCode::CREATED);
    client.test.clock.advance(Duration::from_hours(72));
    assert_eq!(ask(&mortal, json!({})).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn requests_that_are_not_right() {
    let client = Client::new().await;
    let path = client.agency("/api-keys");
    for (body, expected) in [
        (json!({}), vec!["name", "scopes"]),
        (json!({ "name": "", "scopes": [] }), vec!["name", "scopes"]),
        (json!({ "name": "a", "scopes": "admin" }), vec!["scopes"]),
        (
            json!({ "name": "a", "scopes": ["admin", "root", 1] }),
            vec!["scopes.1", "scopes.2"],
        ),
        (
            json!({ "name": "a", "scopes": ["admin"], "expires_at": "2020-01-01T00:00:00Z" }),
            vec!["expires_at"],
        ),
        (
            json!({ "name": "a", "scopes": ["admin"], "expires_at": "tomorrow" }),
            vec!["expires_at"],
        ),
        (
            json!({ "name": "a", "scopes": ["admin"], "owner": "platform" }),
            vec!["owner"],
        ),
    ] {
        assert_eq!(fields(&client.post(&path, &body).await), expected);
    }
}

#[tokio::test]
async fn of_two_that_revoke_a_key_one_finds_it_gone() {
    let client = Client::new().await;
    let request = json!({ "name": "a", "scopes": ["calls:read"] });
    let made = client.post(&client.account("/api-keys"), &request).await.2;
    let one = client.account(&format!("/api-keys/{}", made["id"].as_str().unwrap()));
    let (a, b) = tokio::join!(client.delete(&one), client.delete(&one));
    let mut statuses = [a.0, b.0];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND]);
}

#[tokio::test]
async fn the_list_tells_when_a_key_was_last_used_and_using_it_costs_no_write_each() {
    let client = Client::new().await;
    let path = client.account("/api-keys");
    let owner = Owner::Account(client.test.account.id.clone());
    let busy = client.test.key(owner.clone(), &[Scope::Admin]).await;
    client.test.key(owner, &[Scope::Admin]).await;
    let list = async || {
        client
            .test
            .request(&client.router, Method::GET, &path, &busy, None)
            .await
            .2["items"]
            .clone()
    };
    let first = list().await;
    let told = |items: &Value| -> Vec<Value> {
        items
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["last_used_at"].clone())
            .collect()
    };
    let start = client.test.app.clock.now().to_string();
    assert!(told(&first).contains(&json!(start)));
    assert!(told(&first).contains(&Value::Null));
    client.test.counting().take();
    for _ in 0..20 {
        client.test.clock.advance(Duration::from_secs(29));
        list().await;
    }
    assert_eq!(client.test.counting().take().write, 0);
    client.test.clock.advance(Duration::from_secs(20));
    let later = list().await;
    assert!(told(&later).contains(&json!(client.test.app.clock.now().to_string())));
}
