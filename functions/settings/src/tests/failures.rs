//! A secret that does not open makes sending impossible, not unsafe, and can be mended.

use ringfence_domain::{keyspace, settings::EndpointKind};
use ringfence_ports::{Op, Put, StoreError, Unit, When, contract::Calls};

use super::*;

/// Replaces what is sealed in a row with what nobody sealed.
async fn break_seal(client: &Client, key: ringfence_ports::Key) {
    let row = client.test.app.table.get(&key).await.unwrap().unwrap();
    let at = row.doc.find("\"sealed\":\"").unwrap() + 10;
    let mut doc = row.doc.clone();
    doc.replace_range(at..at + 8, "AAAAAAAA");
    let put = Op::Put(Put::new(key, doc, When::Always));
    client
        .test
        .app
        .table
        .commit(Unit {
            ops: vec![put],
            sends: Vec::new(),
        })
        .await
        .unwrap();
    // Past what is cached.
    client.test.clock.advance(std::time::Duration::from_secs(3));
}

async fn in_force(client: &Client) -> Result<bool, StoreError> {
    let config = client
        .test
        .app
        .account_config(&client.test.account.id)
        .await?;
    Ok(config.unwrap().endpoint(EndpointKind::Cdr).is_some())
}

#[tokio::test]
async fn a_signing_secret_that_does_not_open_stops_sending_until_it_is_rotated() {
    let client = Client::new().await;
    ok(client
        .put(
            &client.account(CALLBACKS),
            &cdr_url("https://public.example/"),
        )
        .await);
    assert_eq!(in_force(&client).await, Ok(true));
    break_seal(
        &client,
        keyspace::signing_secrets(&client.test.account.id, "cdr"),
    )
    .await;
    assert!(matches!(
        in_force(&client).await,
        Err(StoreError::Unavailable(_))
    ));
    assert_eq!(
        client.get(&client.account(CALLBACKS)).await.0,
        StatusCode::OK
    );
    let rotate = client.account("/callbacks/cdr/secret/rotate");
    let rotated = client.post(&rotate, &json!({ "overlap_seconds": 0 })).await;
    assert_eq!(rotated.0, StatusCode::CREATED);
    assert_eq!(in_force(&client).await, Ok(true));
}

#[tokio::test]
async fn headers_that_do_not_open_stop_sending_until_they_are_sent_again() {
    let client = Client::new().await;
    let document =
        json!({ "cdr": { "url": "https://public.example/", "headers": { "x-token": "abc" } } });
    ok(client.put(&client.account(CALLBACKS), &document).await);
    break_seal(
        &client,
        keyspace::settings(&client.test.account.id, "callbacks"),
    )
    .await;
    assert!(matches!(
        in_force(&client).await,
        Err(StoreError::Unavailable(_))
    ));
    let kept = client
        .patch(
            &client.account(CALLBACKS),
            &json!({ "cdr": { "timeout_seconds": 3 } }),
        )
        .await;
    assert_eq!(kept.0, StatusCode::SERVICE_UNAVAILABLE);
    let mended = json!({ "cdr": { "headers": { "x-token": "new" } } });
    ok(client.patch(&client.account(CALLBACKS), &mended).await);
    assert_eq!(in_force(&client).await, Ok(true));
}

#[tokio::test]
async fn a_configuration_costs_two_reads_and_then_none() {
    let client = Client::new().await;
    ok(client
        .put(
            &client.account(CALLBACKS),
            &cdr_url("https://public.example/"),
        )
        .await);
    let counting = client.test.counting();
    counting.take();
    assert_eq!(in_force(&client).await, Ok(true));
    let first = counting.take();
    let expected = Calls {
        get: 1,
        get_many: 1,
        keys: first.keys,
        ..Calls::default()
    };
    assert_eq!(first, expected);
    assert_eq!(in_force(&client).await, Ok(true));
    assert_eq!(counting.take(), Calls::default());
}

#[tokio::test]
async fn an_account_that_does_not_exist_has_no_configuration() {
    let client = Client::new().await;
    for id in [
        "acc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b",
        "acc_",
        "",
        &"x".repeat(5000),
    ] {
        assert!(client.test.app.account_config(id).await.unwrap().is_none());
    }
}
