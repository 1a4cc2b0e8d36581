//! Every example in the API's description, and every file of `events/settings`, does what it says.

use super::*;

#[tokio::test]
async fn every_documented_request_is_accepted_and_answered_as_documented() {
    let (_, api) = crate::router().split_for_parts();
    let api = serde_json::to_value(&api).unwrap();
    let mut tried = 0;
    for (template, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Some(content) = operation["requestBody"]["content"].as_object() else {
                continue;
            };
            let (content_type, body) = content.iter().next().unwrap();
            let example = &body["example"];
            assert!(example.is_object(), "{method} {template} has no example");
            let client = Client::new().await;
            let path = template
                .replace("{account}", &client.test.account.id)
                .replace("{agency}", &client.test.agency.id)
                .replace("{callback}", "cdr");
            let version = if method == "post" {
                0
            } else {
                client.version(&path).await
            };
            let if_match = format!("\"{version}\"");
            let headers = [
                ("if-match", if_match.as_str()),
                ("content-type", content_type.as_str()),
            ];
            let answer = client
                .test
                .send(
                    &client.router,
                    method.to_uppercase().parse().unwrap(),
                    &path,
                    &client.test.operator_key,
                    Some(example),
                    &headers,
                )
                .await;
            assert!(answer.0.is_success(), "{method} {template}: {}", answer.2);
            tried += 1;
            // A patch of nothing answers less than its example shows.
            if method != "patch" {
                let documented = &operation["responses"][answer.0.as_str()]["content"]["application/json"]
                    ["example"];
                assert_eq!(names(&answer.2), names(documented), "{method} {template}");
            }
        }
    }
    assert_eq!(tried, 22);
}

fn names(value: &Value) -> Vec<&str> {
    let mut names: Vec<_> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names
}

fn sample(name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/settings");
    let text = std::fs::read(format!("{folder}/{name}.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[tokio::test]
async fn the_samples_work_in_turn() {
    let client = Client::new().await;
    let made = client
        .put(&client.account(CALLBACKS), &sample("callbacks"))
        .await;
    assert_eq!(
        made.2["secrets"].as_object().unwrap().len(),
        4,
        "{}",
        made.2
    );
    let patched = ok(client
        .patch(&client.account(CALLBACKS), &sample("callbacks-patch"))
        .await);
    assert_eq!(patched["cdr"]["timeout_seconds"], 20);
    assert!(patched.get("predictive_task").is_none());
    ok(client
        .put(&client.agency(CALLBACKS), &sample("agency-callbacks"))
        .await);
    ok(client
        .put(&client.agency(SECURITY), &sample("agency-security"))
        .await);
    ok(client
        .put(&client.account(SECURITY), &sample("security"))
        .await);
    ok(client
        .patch(&client.account(SECURITY), &sample("security-patch"))
        .await);
    ok(client
        .put(&client.account(SOURCES), &sample("sources"))
        .await);
    ok(client
        .put(
            &client.account("/settings/recordings"),
            &sample("recordings"),
        )
        .await);
    for (path, name) in [
        (
            client.account("/callbacks/cdr/secret/rotate"),
            "rotate-secret",
        ),
        (client.account("/api-keys"), "api-key"),
        (client.agency("/accounts"), "account"),
    ] {
        let answer = client.post(&path, &sample(name)).await;
        assert_eq!(answer.0, StatusCode::CREATED, "{name}: {}", answer.2);
    }
    let wrong = fields(
        &client
            .put(&client.account(CALLBACKS), &sample("broken-callbacks"))
            .await,
    );
    let expected = [
        "call_status.events.0",
        "call_status.url",
        "cdr.headers.host",
        "cdr.timeout_seconds",
        "cdr.url",
    ];
    assert_eq!(wrong, expected);
}
