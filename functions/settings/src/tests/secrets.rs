//! Signing secrets: made with the first URL, shown once, rotated with an overlap.

use std::time::Duration;

use ringfence_domain::settings::EndpointKind;
use ringfence_webhook::sign;

use super::*;

const ROTATE: &str = "/callbacks/cdr/secret/rotate";
const LIST: &str = "/callbacks/cdr/secrets";

impl Client {
    /// What signs CDRs now, newest first.
    async fn signing(&self) -> Vec<String> {
        let config = self
            .test
            .app
            .account_config(&self.test.account.id)
            .await
            .unwrap()
            .unwrap();
        let endpoint = config.endpoint(EndpointKind::Cdr).unwrap();
        endpoint
            .signing_keys
            .iter()
            .map(sign::Key::reveal_for_receiver)
            .collect()
    }
}

#[tokio::test]
async fn a_secret_is_made_with_the_first_url_and_shown_once() {
    let client = Client::new().await;
    let path = client.account(CALLBACKS);
    ok(client
        .put(&path, &json!({ "cdr": { "timeout_seconds": 3 } }))
        .await);
    assert_eq!(
        ok(client.get(&client.account(LIST)).await),
        json!({ "items": [] })
    );

    let saved = client
        .patch(&path, &cdr_url("https://public.example/"))
        .await;
    assert_eq!(saved.1["cache-control"], "no-store");
    let made = saved.2["secrets"]["cdr"].clone();
    let secret = made["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_") && secret.parse::<sign::Secret>().is_ok());
    assert_eq!(made["type"], "hmac");
    assert_eq!(client.signing().await, [secret.as_str()]);

    let listed = client.get(&client.account(LIST)).await;
    assert_eq!(listed.2["items"][0]["id"], made["id"]);
    let changed = client
        .patch(&path, &cdr_url("https://public.example/two"))
        .await;
    assert!(changed.2.get("secrets").is_none());
    // The same callback keeps its secret over a time without a URL.
    ok(client
        .patch(&path, &json!({ "cdr": { "url": null } }))
        .await);
    let again = ok(client
        .patch(&path, &cdr_url("https://public.example/"))
        .await);
    assert!(again.get("secrets").is_none());
    assert_eq!(client.signing().await, [secret.as_str()]);

    let later = format!(
        "{}{}{}{:?}",
        listed.2,
        client.get(&path).await.2,
        again,
        client.history(&client.test.account.id).await
    );
    assert!(!later.contains(secret.trim_start_matches("whsec_")));
}

#[tokio::test]
async fn during_the_overlap_both_sign_and_then_only_the_new_one() {
    let client = Client::new().await;
    let saved = ok(client
        .put(
            &client.account(CALLBACKS),
            &cdr_url("https://public.example/"),
        )
        .await);
    let first = saved["secrets"]["cdr"]["secret"]
        .as_str()
        .unwrap()
        .to_owned();
    let rotated = client.post(&client.account(ROTATE), &json!({})).await;
    assert_eq!(rotated.0, StatusCode::CREATED, "{}", rotated.2);
    let second = rotated.2["secret"].as_str().unwrap().to_owned();
    assert_eq!(client.signing().await, [second.clone(), first.clone()]);
    let listed = ok(client.get(&client.account(LIST)).await);
    assert_eq!(listed["items"][0]["id"], rotated.2["id"]);
    assert!(listed["items"][0].get("retires_at").is_none());
    assert_eq!(listed["items"][1]["retires_at"], "2026-02-01T08:00:00Z");

    client.test.clock.advance(Duration::from_secs(86_399));
    assert_eq!(client.signing().await, [second.clone(), first]);
    // What is cached may be some seconds old.
    client.test.clock.advance(Duration::from_secs(1 + 3));
    assert_eq!(client.signing().await, [second.as_str()]);
    assert_eq!(
        ok(client.get(&client.account(LIST)).await)["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );

    // Without an overlap the old one stops at once; of Ed25519 only the public key is shown.
    let request = json!({ "type": "ed25519", "overlap_seconds": 0 });
    let third = client.post(&client.account(ROTATE), &request).await;
    assert!(third.2.get("secret").is_none());
    let public = third.2["public_key"].as_str().unwrap().to_owned();
    assert!(public.starts_with("whpk_") && !third.2.to_string().contains("whsk_"));
    assert_eq!(client.signing().await, [public]);
}

#[tokio::test]
async fn a_short_overlap_does_not_lengthen_another_and_their_number_is_bounded() {
    let client = Client::new().await;
    ok(client
        .put(
            &client.account(CALLBACKS),
            &cdr_url("https://public.example/"),
        )
        .await);
    let rotate = async |overlap: u32| {
        client
            .post(
                &client.account(ROTATE),
                &json!({ "overlap_seconds": overlap }),
            )
            .await
    };
    assert_eq!(rotate(60).await.0, StatusCode::CREATED);
    assert_eq!(rotate(600).await.0, StatusCode::CREATED);
    assert_eq!(client.signing().await.len(), 3);
    client.test.clock.advance(Duration::from_secs(60 + 3));
    assert_eq!(client.signing().await.len(), 2);
    for _ in 0..3 {
        assert_eq!(rotate(600).await.0, StatusCode::CREATED);
    }
    assert_eq!(client.signing().await.len(), 5);
    assert_eq!(rotate(600).await.0, StatusCode::CONFLICT);
    assert_eq!(rotate(0).await.0, StatusCode::CREATED);
    assert_eq!(client.signing().await.len(), 1);
}

#[tokio::test]
async fn rotations_that_are_not_right() {
    let client = Client::new().await;
    let path = client.account(ROTATE);
    assert_eq!(
        fields(
            &client
                .post(&path, &json!({ "overlap_seconds": 604_801 }))
                .await
        ),
        ["overlap_seconds"]
    );
    assert_eq!(
        fields(&client.post(&path, &json!({ "overlap_seconds": -1 })).await),
        ["overlap_seconds"]
    );
    assert_eq!(
        fields(&client.post(&path, &json!({ "type": "rsa" })).await),
        ["type"]
    );
    assert_eq!(
        fields(&client.post(&path, &json!({ "kind": "hmac" })).await),
        ["kind"]
    );
    let unknown = client.account("/callbacks/sms/secret/rotate");
    assert_eq!(
        client.post(&unknown, &json!({})).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        client
            .get(&client.account("/callbacks/sms/secrets"))
            .await
            .0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn rotations_at_the_same_time_all_count() {
    let client = Client::new().await;
    ok(client
        .put(
            &client.account(CALLBACKS),
            &cdr_url("https://public.example/"),
        )
        .await);
    let path = client.account(ROTATE);
    let body = json!({ "overlap_seconds": 60 });
    let (a, b) = tokio::join!(client.post(&path, &body), client.post(&path, &body));
    let mut made = [a.2["secret"].clone(), b.2["secret"].clone()]
        .map(|secret| secret.as_str().unwrap().to_owned());
    let mut signing = client.signing().await[..2].to_vec();
    made.sort();
    signing.sort();
    assert_eq!(signing, made);
}

#[tokio::test]
async fn an_agency_rotates_its_own() {
    let client = Client::new().await;
    ok(client
        .put(
            &client.agency(CALLBACKS),
            &cdr_url("https://public.example/"),
        )
        .await);
    let rotated = client
        .post(&client.agency(ROTATE), &json!({ "overlap_seconds": 0 }))
        .await;
    assert_eq!(json!(client.signing().await), json!([rotated.2["secret"]]));
    assert_eq!(
        ok(client.get(&client.account(LIST)).await),
        json!({ "items": [] })
    );
    assert_eq!(
        ok(client.get(&client.agency(LIST)).await)["items"][0]["id"],
        rotated.2["id"]
    );
}
