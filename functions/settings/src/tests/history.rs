//! Every change is on record, and the record holds together.

use ringfence_domain::history::{Action, Entry};

use super::*;

fn assert_chain(entries: &[Entry]) {
    let mut previous = "0".repeat(64);
    for (place, entry) in entries.iter().enumerate() {
        assert_eq!(entry.seq, place as u64 + 1);
        assert_eq!(entry.previous, previous);
        assert_eq!(entry.hash, entry.compute_hash().unwrap());
        previous.clone_from(&entry.hash);
    }
}

#[tokio::test]
async fn every_change_is_recorded_with_before_and_after() {
    let client = Client::new().await;
    let saved = ok(client
        .put(
            &client.account(CALLBACKS),
            &json!({ "cdr": { "url": "https://public.example/", "headers": { "x-token": "hunter2", "x-other": "o" } } }),
        )
        .await);
    let secret = saved["secrets"]["cdr"]["secret"]
        .as_str()
        .unwrap()
        .to_owned();
    ok(client
        .patch(
            &client.account(CALLBACKS),
            &json!({ "cdr": { "headers": { "x-token": "hunter3" } } }),
        )
        .await);
    ok(client
        .put(
            &client.account(SECURITY),
            &json!({ "phone_number_masking": true }),
        )
        .await);
    ok(client
        .put(
            &client.account(SOURCES),
            &json!({ "twilio": { "auth_token": "hunter4" } }),
        )
        .await);
    client
        .post(&client.account("/callbacks/cdr/secret/rotate"), &json!({}))
        .await;
    let key = client
        .post(
            &client.account("/api-keys"),
            &json!({ "name": "a", "scopes": ["admin"] }),
        )
        .await
        .2;
    client
        .delete(&client.account(&format!("/api-keys/{}", key["id"].as_str().unwrap())))
        .await;
    ok(client
        .patch(&client.account(""), &json!({ "name": "Renamed" }))
        .await);

    let entries = client.history(&client.test.account.id).await;
    assert_chain(&entries);
    let told: Vec<_> = entries
        .iter()
        .map(|entry| (entry.item.split("/key_").next().unwrap(), entry.action))
        .collect();
    assert_eq!(
        told,
        [
            ("account", Action::Create),
            ("api-keys", Action::Create),
            ("settings/callbacks", Action::Create),
            ("settings/callbacks", Action::Update),
            ("settings/security", Action::Create),
            ("settings/sources", Action::Create),
            ("callbacks/cdr/secret", Action::Rotate),
            ("api-keys", Action::Create),
            ("api-keys", Action::Delete),
            ("account", Action::Update),
        ]
    );
    let header = |entry: &Entry, name: &str| entry.after["cdr"]["headers"][name].clone();
    assert_eq!(entries[2].before, Value::Null);
    assert_eq!(
        entries[2].after["secrets"]["cdr"][0]["id"],
        saved["secrets"]["cdr"]["id"]
    );
    // A changed value shows as a change, an unchanged one does not.
    assert_ne!(
        header(&entries[2], "x-token"),
        header(&entries[3], "x-token")
    );
    assert_eq!(
        header(&entries[2], "x-other"),
        header(&entries[3], "x-other")
    );
    assert_eq!(
        entries[3].before["cdr"]["headers"]["x-token"],
        header(&entries[2], "x-token")
    );
    assert_eq!(entries[9].before["name"], "Sample account");
    assert_eq!(entries[9].after["name"], "Renamed");

    let everything = serde_json::to_string(&entries).unwrap();
    let key = key["key"].as_str().unwrap();
    for canary in ["hunter", secret.trim_start_matches("whsec_"), key] {
        assert!(!everything.contains(canary));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_changes_at_once_are_one_chain() {
    let client = std::sync::Arc::new(Client::new().await);
    let mut running = Vec::new();
    for number in 0..100 {
        let client = client.clone();
        running.push(tokio::spawn(async move {
            let request = json!({ "name": format!("key {number}"), "scopes": ["calls:read"] });
            client.post(&client.account("/api-keys"), &request).await.0
        }));
    }
    for task in running {
        assert_eq!(task.await.unwrap(), StatusCode::CREATED);
    }
    let entries = client.history(&client.test.account.id).await;
    assert_eq!(entries.len(), 102);
    assert_chain(&entries);
}
