//! Who reaches what: every endpoint of this function, without a key, with too little scope, with
//! another tenant's key.

use ringfence_domain::access::{Owner, Scope};

use super::*;

/// Every operation of the router, with ids filled in.
fn operations(client: &Client, account: &str, agency: &str) -> Vec<(Method, String, String)> {
    let (_, api) = crate::router().split_for_parts();
    let api = serde_json::to_value(&api).unwrap();
    let mut found = Vec::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let Ok(method) = method.to_uppercase().parse::<Method>() else {
                continue;
            };
            let filled = path
                .replace("{account}", account)
                .replace("{agency}", agency)
                .replace("{callback}", "cdr")
                .replace("{key}", "key_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b");
            found.push((method, filled, path.clone()));
        }
    }
    assert_eq!(
        found.len(),
        39,
        "an endpoint came or went: {}",
        client.test.account.id
    );
    found
}

#[tokio::test]
async fn every_endpoint_wants_a_key_a_scope_and_ones_own_ids() {
    let client = Client::new().await;
    let (account, agency) = (
        client.test.account.id.clone(),
        client.test.agency.id.clone(),
    );
    let (other_account, _) = client.test.another_account().await;
    let (_, other_agency_key) = client.test.another_agency().await;
    let absent = (
        "acc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b",
        "agy_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b",
    );
    let powerless = client.test.key(Owner::Platform, &[]).await;
    let send = async |method: Method, path: &str, key: &str| {
        client
            .test
            .request(&client.router, method, path, key, None)
            .await
    };
    let mine = operations(&client, &account, &agency);
    let theirs = operations(&client, &other_account.id, &agency);
    let nobodys = operations(&client, absent.0, absent.1);
    for (((method, path, template), (_, other, _)), (_, nowhere, _)) in
        mine.iter().zip(&theirs).zip(&nobodys)
    {
        let what = format!("{method} {template}");
        for key in ["", "rfk_0000000000000000000000000000000000000000000"] {
            assert_eq!(
                send(method.clone(), path, key).await.0,
                StatusCode::UNAUTHORIZED,
                "{what}"
            );
        }
        let weak = send(method.clone(), path, &powerless).await;
        assert_eq!(weak.0, StatusCode::FORBIDDEN, "{what}: {}", weak.2);

        // Another agency's key; an account's key on another account, and on its own agency.
        let foreign = send(method.clone(), path, &other_agency_key).await;
        let never = send(method.clone(), nowhere, &other_agency_key).await;
        assert_eq!(foreign.0, StatusCode::NOT_FOUND, "{what}");
        assert_eq!(foreign.2, never.2, "{what}");
        let foreign = send(method.clone(), other, &client.test.account_key).await;
        assert_eq!((foreign.0, foreign.2), (never.0, never.2), "{what}");
    }
    assert_eq!(client.history(&account).await.len(), 2);
}

#[tokio::test]
async fn an_agency_key_works_on_its_accounts() {
    let client = Client::new().await;
    let path = client.account(SECURITY);
    let headers = [("if-match", "\"0\"")];
    let body = json!({ "phone_number_masking": true });
    for key in [&client.test.agency_key, &client.test.operator_key] {
        let answer = client
            .test
            .request(&client.router, Method::GET, &path, key, None)
            .await;
        assert_eq!(answer.0, StatusCode::OK);
    }
    let saved = client
        .test
        .send(
            &client.router,
            Method::PUT,
            &path,
            &client.test.agency_key,
            Some(&body),
            &headers,
        )
        .await;
    assert_eq!(saved.0, StatusCode::OK);
    let entry = client.history(&client.test.account.id).await.pop().unwrap();
    assert!(entry.actor.starts_with("key_"));
}

#[tokio::test]
async fn reading_needs_to_read_and_writing_to_write() {
    let client = Client::new().await;
    let owner = Owner::Account(client.test.account.id.clone());
    let reader = client.test.key(owner.clone(), &[Scope::SettingsRead]).await;
    let writer = client.test.key(owner, &[Scope::SettingsWrite]).await;
    let path = client.account(CALLBACKS);
    let get = client
        .test
        .request(&client.router, Method::GET, &path, &writer, None)
        .await;
    assert_eq!(get.0, StatusCode::FORBIDDEN);
    let headers = [("if-match", "\"0\"")];
    let body = json!({});
    let put = client
        .test
        .send(
            &client.router,
            Method::PUT,
            &path,
            &reader,
            Some(&body),
            &headers,
        )
        .await;
    assert_eq!(put.0, StatusCode::FORBIDDEN);
    assert!(put.2["detail"].as_str().unwrap().contains("settings:write"));
}
