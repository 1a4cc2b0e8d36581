//! One recording, and all of a call.

use ringfence_domain::{deletion::SignedReceipt, recording::AudioCopy};
use serde_json::{Value, json};

use crate::world::{BYTES, World, checked, facts};

#[tokio::test]
async fn one_recording_goes_and_the_receipt_comes_with_the_answer() {
    let world = World::new().await;
    world.test.blobs.keep_versions();
    let event = json!({
        "type": "cdr.created", "timestamp": "2026-01-31T07:16:09Z", "id": "evt-1",
        "data": {"call_id": "call-1042", "from": "+14155550132"},
    });
    world.call("POST", "/events", event).await;
    let recording = world.recording(facts("2026-01-31T07:15:09Z")).await;
    let link = world
        .call("POST", &format!("/recordings/{recording}/links"), json!({}))
        .await;
    let link = link.json["url"].as_str().unwrap().to_owned();

    let at = format!("/recordings/{recording}");
    let done = world
        .call("DELETE", &at, json!({"reason": "asked for by the caller"}))
        .await;
    assert_eq!(done.status, 200, "{}", done.json);
    checked(&done.json);
    let receipt = &done.json["receipt"];
    assert_eq!(
        (
            &receipt["planned"],
            &receipt["deleted"],
            &receipt["bytes_deleted"]
        ),
        (&json!(1), &json!(1), &json!(BYTES))
    );
    assert_eq!(world.test.blobs.versions_kept(), 0, "no version, no marker");

    let read = world.get(&at).await;
    assert_eq!(
        (
            &read["status"],
            &read["deleted_at"],
            &read["deletion_reason"]
        ),
        (
            &json!("deleted"),
            &json!("2026-01-31T08:00:00Z"),
            &json!("asked for by the caller")
        )
    );
    // The call's record stays, and says so too.
    let call = world.get("/calls/call-1042").await;
    assert_eq!(call["data"]["from"], "+14155550132");
    assert_eq!(
        call["data"]["recording"]["deleted_at"],
        "2026-01-31T08:00:00Z"
    );
    assert_eq!(
        call["data"]["recording"]["deletion_reason"],
        "asked for by the caller"
    );
    let opened = world
        .test
        .request_as(None, "GET", &link, &[], Value::Null)
        .await;
    assert_eq!(opened.status, 410);
    let audio = world.call("GET", &format!("{at}/audio"), Value::Null).await;
    assert_eq!(audio.status, 410);
    assert_eq!(world.call("DELETE", &at, Value::Null).await.status, 410);

    // The history has the receipt; whoever changes a digit of it breaks its signature.
    let entry = world.last_change().await;
    assert_eq!(
        entry["item"],
        format!("deletions/{}", done.json["id"].as_str().unwrap())
    );
    let signed: SignedReceipt = serde_json::from_value(entry["after"].clone()).unwrap();
    assert!(world.test.app.verify_receipt(&signed).await.unwrap());
    for forged in [
        SignedReceipt {
            signature: "00".repeat(32),
            ..signed.clone()
        },
        {
            let mut forged = signed.clone();
            forged.receipt.deleted = 2;
            forged
        },
    ] {
        assert!(!world.test.app.verify_receipt(&forged).await.unwrap());
    }
}

#[tokio::test]
async fn copies_old_versions_and_open_uploads_go_too() {
    let world = World::new().await;
    let blobs = world.test.blobs.clone();
    blobs.keep_versions();
    let recording = world.recording(facts("2026-01-31T07:15:09Z")).await;
    let other = world.recording(facts("2026-01-31T07:15:10Z")).await;
    // A version that was put over it, a redacted copy, and one that nothing knows of.
    blobs.insert(&world.blob(&recording), "audio/wav", "newer");
    let folder = format!("recordings/{}/{recording}", world.test.account);
    blobs.insert(&format!("{folder}/redacted"), "audio/wav", "redacted");
    blobs.insert(&format!("{folder}/stray"), "audio/wav", "stray");
    blobs.begin_upload(&format!("{folder}/sealed-1"));
    blobs.begin_upload(&world.blob(&other));
    let key = ringfence_domain::keyspace::recording(&world.test.account, &recording).unwrap();
    let row = world.test.app.table.get(&key).await.unwrap().unwrap();
    let mut doc: ringfence_domain::recording::Recording = serde_json::from_str(&row.doc).unwrap();
    doc.copies.push(AudioCopy {
        blob: format!("{folder}/redacted"),
        version: None,
        size: 8,
    });
    let put = ringfence_ports::Put::new(
        key,
        serde_json::to_string(&doc).unwrap(),
        ringfence_ports::When::Present,
    );
    let unit = ringfence_ports::Unit {
        ops: vec![ringfence_ports::Op::Put(put)],
        sends: Vec::new(),
    };
    world.test.app.table.commit(unit).await.unwrap();

    let done = world
        .call("DELETE", &format!("/recordings/{recording}"), Value::Null)
        .await;
    assert_eq!(done.status, 200, "{}", done.json);
    assert_eq!(done.json["receipt"]["bytes_deleted"], BYTES + 8);
    assert_eq!(blobs.keys(), [world.blob(&other)]);
    assert_eq!(blobs.versions_kept(), 1);
    assert_eq!(blobs.uploads(), [world.blob(&other)]);
}

#[tokio::test]
async fn what_comes_behind_its_deletion_is_not_kept() {
    let world = World::new().await;
    let config = world.test.app.account_config(&world.test.account).await;
    let config = config.unwrap().unwrap();
    let pending = world
        .test
        .app
        .register_recording(&config, facts("2026-01-31T07:15:09Z"))
        .await
        .unwrap()
        .recording;
    let at = format!("/recordings/{}", pending.id);
    assert_eq!(world.call("DELETE", &at, Value::Null).await.status, 200);
    // The URL was good for a minute.
    world
        .test
        .blobs
        .insert(&pending.blob, "audio/wav", ringfence_test_support::wav(1));
    let told = world
        .call("POST", &format!("{at}/complete"), Value::Null)
        .await;
    assert_eq!(told.status, 410);
    assert!(world.test.blobs.keys().is_empty());
}

#[tokio::test]
async fn all_of_a_call() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for second in 0..3 {
        ids.push(
            world
                .recording(facts(&format!("2026-01-31T07:15:0{second}Z")))
                .await,
        );
    }
    let other = ringfence_domain::recording::Facts {
        call_id: "call-1".to_owned(),
        ..facts("2026-01-31T07:15:09Z")
    };
    let other = world.recording(other).await;
    let job = world.delete(json!({"call_id": "call-1042"})).await;
    world.test.drain().await;
    let done = world.deletion(&job).await;
    checked(&done);
    assert_eq!(done["receipt"]["deleted"], 3);
    assert_eq!(
        done["receipt"]["selection"],
        json!({"call_id": "call-1042"})
    );
    for id in ids {
        assert_eq!(world.status(&id).await, "deleted");
    }
    assert_eq!(world.status(&other).await, "available");
    assert_eq!(world.test.blobs.keys(), [world.blob(&other)]);
}

#[tokio::test]
async fn the_key_of_an_encrypted_recording_goes_with_it() {
    let world = World::new().await;
    let set = world
        .test
        .request_as(
            Some(&world.test.key),
            "PUT",
            &world.path("/settings/recordings"),
            &[("if-match", "\"0\"")],
            json!({"encryption": "client"}),
        )
        .await;
    assert_eq!(set.status, 200, "{}", set.json);
    let config = world.test.app.account_config(&world.test.account).await;
    let config = config.unwrap().unwrap();
    let made = world
        .test
        .app
        .register_recording(&config, facts("2026-01-31T07:15:09Z"))
        .await
        .unwrap()
        .recording;
    let at = format!("/recordings/{}", made.id);
    let uploaded = world
        .test
        .request_raw(
            Some(&world.test.key),
            "PUT",
            &world.path(&format!("{at}/audio")),
            &[],
            "audio/wav",
            ringfence_test_support::wav(1),
        )
        .await;
    assert_eq!(uploaded.status, 200, "{}", uploaded.json);
    let stored = async || {
        let found = world
            .test
            .app
            .recording(&world.test.account, &made.id)
            .await;
        found.unwrap().recording
    };
    let sealing = stored().await.sealing.unwrap();
    // Left behind in the clear where it waited to be encrypted.
    let staged = format!("staging/{}/{}/audio", world.test.account, made.id);
    world.test.blobs.insert(&staged, "audio/wav", "clear");
    let done = world.call("DELETE", &at, Value::Null).await;
    assert_eq!(done.json["receipt"]["bytes_deleted"], sealing.length);
    assert_eq!(stored().await.sealing, None);
    assert!(world.test.blobs.keys().is_empty());
}
