use ringfence_domain::{access::Owner, history::Entry};

use super::*;

#[tokio::test]
async fn pages_go_back_to_the_first_entry_and_each_vouches_for_the_one_before() {
    let app = app().await;
    let owner = Owner::Account(app.account.clone());
    for _ in 0..7 {
        app.key_for(owner.clone(), &[Scope::CallsRead]).await;
    }
    let path = format!("/v1/accounts/{}/history", app.account);
    let mut entries: Vec<Entry> = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = get(&app, &app.key, &format!("{path}?limit=3{cursor}")).await;
        assert_eq!(page.status, 200);
        let items: Vec<Entry> = serde_json::from_value(page.json["items"].clone()).unwrap();
        assert!(items.len() <= 3);
        entries.extend(items);
        // What happens meanwhile does not shift the pages that follow.
        app.key_for(owner.clone(), &[Scope::CallsRead]).await;
        let Some(next) = page.json["next_cursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    let order: Vec<_> = entries.iter().map(|entry| entry.seq).collect();
    assert_eq!(order, [8, 7, 6, 5, 4, 3, 2, 1]);
    for pair in entries.windows(2) {
        assert_eq!(pair[0].previous, pair[1].hash);
        assert_eq!(pair[0].hash, pair[0].compute_hash().unwrap());
    }
    assert_eq!(entries[7].item, "account");
    assert_eq!(entries[7].before, Value::Null);
}

#[tokio::test]
async fn an_agency_has_a_history_of_its_own() {
    let app = app().await;
    let page = get(
        &app,
        &app.key,
        &format!("/v1/agencies/{}/history", app.agency),
    )
    .await;
    assert_eq!(page.json["items"].as_array().unwrap().len(), 1);
    assert_eq!(page.json["items"][0]["item"], "agency");
    assert_eq!(page.json["items"][0]["actor"], "system");
    assert_eq!(page.json["next_cursor"], Value::Null);
}

#[tokio::test]
async fn only_ones_own_and_only_with_the_scope() {
    let app = app().await;
    let other = app
        .app
        .create_agency("Other", &Actor::system())
        .await
        .unwrap()
        .value;
    let stranger = app
        .key_for(Owner::Agency(other.id.clone()), &Scope::ALL)
        .await;
    let own = app
        .key_for(Owner::Account(app.account.clone()), &Scope::ALL)
        .await;
    let weak = app
        .key_for(Owner::Account(app.account.clone()), &[Scope::SettingsRead])
        .await;
    let paths = [
        format!("/v1/accounts/{}/history", app.account),
        format!("/v1/agencies/{}/history", app.agency),
    ];
    let absent = [
        "/v1/accounts/acc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b/history",
        "/v1/agencies/agy_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b/history",
    ];
    for (path, absent) in paths.iter().zip(absent) {
        assert_eq!(
            app.request_as(None, "GET", path, &[], Value::Null)
                .await
                .status,
            401
        );
        let foreign = get(&app, &stranger, path).await;
        assert_eq!(foreign.status, 404);
        assert_eq!(foreign.bytes, get(&app, &stranger, absent).await.bytes);
    }
    assert_eq!(get(&app, &own, &paths[0]).await.status, 200);
    assert_eq!(get(&app, &own, &paths[1]).await.status, 404);
    let refused = get(&app, &weak, &paths[0]).await;
    assert_eq!(refused.status, 403);
    assert!(
        refused.json["detail"]
            .as_str()
            .unwrap()
            .contains("history:read")
    );
}

#[tokio::test]
async fn wrong_parameters_are_told() {
    let app = app().await;
    app.key_for(Owner::Account(app.account.clone()), &[Scope::CallsRead])
        .await;
    let account = format!("/v1/accounts/{}/history", app.account);
    for query in [
        "limit=0",
        "limit=101",
        "limit=many",
        "cursor=x",
        "since=yesterday",
    ] {
        let answer = get(&app, &app.key, &format!("{account}?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
    // A cursor is good for its own owner only.
    let page = get(&app, &app.key, &format!("{account}?limit=1")).await;
    let cursor = page.json["next_cursor"].as_str().unwrap();
    let elsewhere = format!("/v1/agencies/{}/history?cursor={cursor}", app.agency);
    let answer = get(&app, &app.key, &elsewhere).await;
    assert_eq!(answer.json["type"], json!("/problems/invalid-cursor"));
}
