use super::*;

async fn redact(app: &TestApp, rest: &str, body: Value) -> Response {
    app.request("POST", &path(app, rest), body).await
}

async fn verified(app: &TestApp) -> bool {
    let answer = redact(app, "/verification", json!({})).await;
    answer.json["status"] == "verified"
}

async fn text(app: &TestApp) -> String {
    let list = get(app, &app.key, &path(app, "?limit=100")).await;
    let file = get(app, &app.key, &path(app, "/export")).await;
    String::from_utf8([list.bytes, file.bytes].concat()).unwrap()
}

#[tokio::test]
async fn a_personal_value_is_shown_until_it_is_erased_and_the_chain_stays_valid() {
    let app = app().await;
    person(&app, "usr_ada", "Ada").await;
    person(&app, "usr_bob", "Bob").await;
    let answer = get(&app, &app.key, &path(&app, "?item=users/usr_ada")).await;
    let entry = &answer.json["items"][0];
    assert_eq!(entry["after"]["name"]["value"], "Ada");
    assert_eq!(entry["after"]["status"], "active");
    assert_eq!(entry["changes"][0]["field"], "/email");
    assert_eq!(entry["changes"][0]["after"]["value"], "Ada@example.com");
    // The chain itself never held it.
    assert!(!stored(&app, 2).await.contains("Ada"));

    let seq = entry["seq"].as_u64().unwrap();
    let answer = redact(&app, &format!("/{seq}/redaction"), Value::Null).await;
    assert_eq!(answer.json, json!({"entries": [seq], "more": false}));
    let answer = get(&app, &app.key, &path(&app, "?item=users/usr_ada")).await;
    let name = &answer.json["items"][0]["after"]["name"];
    assert_eq!(name["redacted"], true);
    assert_eq!(name["value"], Value::Null);
    assert_eq!(name["commitment"].as_str().unwrap().len(), 64);
    let text = text(&app).await;
    assert!(!text.contains("Ada") && text.contains("Bob"));
    assert!(verified(&app).await);

    // It is on record, once.
    let answer = get(&app, &app.key, &path(&app, "?item=history")).await;
    assert_eq!(answer.json["items"].as_array().unwrap().len(), 1);
    assert_eq!(answer.json["items"][0]["action"], "redact");
    assert_eq!(answer.json["items"][0]["after"], json!({"entries": [seq]}));
    let answer = redact(&app, &format!("/{seq}/redaction"), Value::Null).await;
    assert_eq!(answer.json, json!({"entries": [], "more": false}));
    assert!(verified(&app).await);
}

#[tokio::test]
async fn a_person_is_erased_from_every_entry_and_nobody_else_is() {
    let app = app().await;
    for at in 0..100 {
        person(&app, "usr_ada", &format!("Ada {at}")).await;
    }
    person(&app, "usr_bob", "Bob").await;
    let body = json!({"person": "usr_ada"});
    let first = redact(&app, "/redactions", body.clone()).await;
    assert_eq!(first.json["entries"].as_array().unwrap().len(), 90);
    assert_eq!(first.json["more"], true);
    let second = redact(&app, "/redactions", body.clone()).await;
    assert_eq!(second.json["entries"].as_array().unwrap().len(), 10);
    assert_eq!(second.json["more"], false);
    let third = redact(&app, "/redactions", body).await;
    assert_eq!(third.json, json!({"entries": [], "more": false}));
    let text = text(&app).await;
    assert!(!text.contains("Ada ") && text.contains("Bob"));
    assert!(verified(&app).await);
    let answer = get(&app, &app.key, &path(&app, "?item=history")).await;
    assert_eq!(answer.json["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_not_there_or_not_an_id_is_told() {
    let app = app().await;
    for seq in ["99", "0", "first", "-1"] {
        let answer = redact(&app, &format!("/{seq}/redaction"), Value::Null).await;
        assert_eq!(answer.status, 404, "{seq}");
    }
    for person in ["", "Ada Lovelace", "+15550100"] {
        let answer = redact(&app, "/redactions", json!({"person": person})).await;
        assert_eq!(answer.status, 400, "{person}");
    }
    let reader = key(&app, &[Scope::HistoryRead]).await;
    let answer = app
        .request_as(
            Some(&reader),
            "POST",
            &path(&app, "/1/redaction"),
            &[],
            Value::Null,
        )
        .await;
    assert_eq!(answer.status, 403);
}
