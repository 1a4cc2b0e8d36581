//! Agencies and accounts.

use super::*;
use crate::{
    answer::PageBody,
    tenants::{AccountBody, AgencyBody},
};

#[tokio::test]
async fn an_agency_is_made_read_renamed() {
    let client = Client::new().await;
    let made = client
        .post("/v1/agencies", &json!({ "name": "Northern" }))
        .await;
    assert_eq!(made.0, StatusCode::CREATED);
    serde_json::from_value::<AgencyBody>(made.2.clone()).unwrap();
    let path = made.1["location"].to_str().unwrap().to_owned();
    assert_eq!(
        path,
        format!("/v1/agencies/{}", made.2["id"].as_str().unwrap())
    );
    let as_operator = |method, body: Option<Value>, if_match: &'static str| {
        let (client, path) = (&client, path.clone());
        async move {
            let key = &client.test.operator_key;
            client
                .test
                .send(
                    &client.router,
                    method,
                    &path,
                    key,
                    body.as_ref(),
                    &[("if-match", if_match)],
                )
                .await
        }
    };
    let read = as_operator(Method::GET, None, "").await;
    assert_eq!(read.2, made.2);
    assert_eq!(read.1["etag"], "\"1\"");
    let renamed = as_operator(Method::PATCH, Some(json!({ "name": "Southern" })), "\"1\"").await;
    assert_eq!(
        (renamed.2["name"].as_str(), version(&renamed.1)),
        (Some("Southern"), 2)
    );
    let lost = as_operator(Method::PATCH, Some(json!({ "name": "Eastern" })), "\"1\"").await;
    assert_eq!(lost.0, StatusCode::PRECONDITION_FAILED);
}

#[tokio::test]
async fn an_account_is_made_read_renamed() {
    let client = Client::new().await;
    let made = client
        .post(&client.agency("/accounts"), &json!({ "name": "Harbour" }))
        .await;
    assert_eq!(made.0, StatusCode::CREATED);
    serde_json::from_value::<AccountBody>(made.2.clone()).unwrap();
    assert_eq!(made.2["agency"], json!(client.test.agency.id));

    let path = client.account("");
    let renamed = client.patch(&path, &json!({ "name": "Hill" })).await;
    assert_eq!(ok(client.get(&path).await), ok(renamed));
    assert_eq!(
        fields(&client.patch(&path, &json!({ "name": null })).await),
        ["name"]
    );
    assert_eq!(
        fields(&client.patch(&path, &json!({ "name": 1 })).await),
        ["name"]
    );
    assert_eq!(
        fields(&client.patch(&path, &json!({ "agency": "agy_0" })).await),
        ["agency"]
    );
    for name in ["", " a", "a\n", &"x".repeat(201)] {
        assert_eq!(
            fields(&client.patch(&path, &json!({ "name": name })).await),
            ["name"],
            "{name:?}"
        );
        assert_eq!(
            fields(
                &client
                    .post(&client.agency("/accounts"), &json!({ "name": name }))
                    .await
            ),
            ["name"]
        );
    }
    assert_eq!(
        fields(&client.post(&client.agency("/accounts"), &json!({})).await),
        [""]
    );
}

#[tokio::test]
async fn lists_are_paged_and_whole() {
    let client = Client::new().await;
    for number in 0..6 {
        client
            .post(
                &client.agency("/accounts"),
                &json!({ "name": format!("Account {number}") }),
            )
            .await;
    }
    let mut names = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = ok(client
            .get(&client.agency(&format!("/accounts?limit=3{cursor}")))
            .await);
        let page: PageBody<AccountBody> = serde_json::from_value(page).unwrap();
        assert!(page.items.len() <= 3);
        for item in page.items {
            names.push(
                serde_json::to_value(item).unwrap()["name"]
                    .as_str()
                    .unwrap()
                    .to_owned(),
            );
        }
        let Some(next) = page.next_cursor else { break };
        cursor = format!("&cursor={next}");
    }
    names.sort();
    let expected: Vec<_> = (0..6)
        .map(|n| format!("Account {n}"))
        .chain(["Sample account".to_owned()])
        .collect();
    assert_eq!(names, expected);

    let (other, _) = client.test.another_agency().await;
    let agencies = ok(client.get("/v1/agencies?limit=1").await);
    assert_eq!(agencies["items"].as_array().unwrap().len(), 1);
    let next = agencies["next_cursor"].as_str().unwrap();
    let rest = ok(client.get(&format!("/v1/agencies?cursor={next}")).await);
    let ids = [&agencies["items"][0]["id"], &rest["items"][0]["id"]]
        .map(|id| id.as_str().unwrap().to_owned());
    assert!(ids.contains(&other.id) && ids.contains(&client.test.agency.id));

    // Cursors belong to one list.
    let moved = client
        .get(&client.agency(&format!("/accounts?cursor={next}")))
        .await;
    assert_eq!(moved.2["type"], "/problems/invalid-cursor");
    for query in ["limit=0", "limit=101", "limit=x", "sort=name", "cursor=%25"] {
        let answer = client
            .get(&client.agency(&format!("/accounts?{query}")))
            .await;
        assert_eq!(answer.0, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(answer.1["content-type"], "application/problem+json");
    }
}
