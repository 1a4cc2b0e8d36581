//! An export's life: what is refused, how many there are, and its end.

use std::time::Duration;

use ringfence_ports::Consumer as _;
use serde_json::{Value, json};

use crate::world::{World, facts};

const WEEK: u64 = 7 * 24 * 3_600;

#[tokio::test]
async fn what_cannot_be_meant_is_refused_by_name() {
    let world = World::new().await;
    for (body, field) in [
        (json!({"since": "yesterday"}), "since"),
        (json!({"until": "2026-01-31"}), "until"),
        (json!({"from_date": "2026-01-31T00:00:00Z"}), "from_date"),
        (
            json!({"from_date": "2026-02-01", "to_date": "2026-02-01"}),
            "to_date",
        ),
        (
            json!({"since": "2026-01-01T00:00:00Z", "from_date": "2026-01-01"}),
            "since",
        ),
        (
            json!({"until": "2026-01-01T00:00:00Z", "to_date": "2026-01-01"}),
            "until",
        ),
        (
            json!({"since": "2026-01-02T00:00:00Z", "until": "2026-01-02T00:00:00Z"}),
            "until",
        ),
        (
            json!({"since": "2026-01-02T00:00:00Z", "to_date": "2026-01-02"}),
            "to_date",
        ),
        (json!({"team": ""}), "team"),
        (json!({"call_id": "x".repeat(513)}), "call_id"),
    ] {
        let mut asked = body.clone();
        asked["kind"] = json!("recordings");
        let refused = world.call("POST", "/exports", asked).await;
        assert_eq!(refused.status, 400, "{body}");
        assert_eq!(
            refused.json["errors"][0]["field"], field,
            "{}",
            refused.json
        );
    }
    for body in [
        json!({}),
        json!({"kind": "calls"}),
        json!({"kind": "recordings", "status": "deleted"}),
        json!({"kind": "recordings", "number": "+4915112345678"}),
    ] {
        let refused = world.call("POST", "/exports", body.clone()).await;
        assert_eq!(refused.status, 400, "{body}");
    }
    assert_eq!(world.get("/exports").await["items"], json!([]));
}

#[tokio::test]
async fn three_are_made_at_a_time() {
    let world = World::new().await;
    let mut running = Vec::new();
    for _ in 0..3 {
        running.push(world.order(json!({})).await);
    }
    let body = json!({"kind": "recordings"});
    let refused = world.call("POST", "/exports", body.clone()).await;
    assert_eq!(refused.status, 409, "{}", refused.json);
    assert!(
        refused.json["detail"]
            .as_str()
            .unwrap()
            .contains("3 exports")
    );
    // One that is deleted makes room, and so do those that are done.
    let path = format!("/exports/{}", running[0]);
    assert_eq!(world.call("DELETE", &path, Value::Null).await.status, 204);
    world.order(json!({})).await;
    assert_eq!(world.call("POST", "/exports", body).await.status, 409);
    world.test.drain().await;
    for _ in 0..3 {
        world.order(json!({})).await;
    }
    world.test.drain().await;
    let mut seen = Vec::new();
    let mut path = "/exports?limit=2".to_owned();
    loop {
        let page = world.get(&path).await;
        for item in page["items"].as_array().unwrap() {
            assert_eq!(item["state"], "done");
            assert!(item.get("download").is_none());
            seen.push(item["id"].as_str().unwrap().to_owned());
        }
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/exports?limit=2&cursor={next}");
    }
    assert_eq!(seen.len(), 6);
    assert!(seen.is_sorted_by(|a, b| a > b), "newest first");
}

#[tokio::test]
async fn at_once_there_are_three_places_and_no_more() {
    let world = World::new().await;
    let ask = || world.call("POST", "/exports", json!({"kind": "recordings"}));
    let asked = futures_util::future::join_all((0..12).map(|_| ask())).await;
    let taken = asked.iter().filter(|answer| answer.status == 202).count();
    assert_eq!(taken, 3);
    assert!(
        asked
            .iter()
            .all(|answer| [202, 409].contains(&answer.status.as_u16()))
    );
}

#[tokio::test]
async fn after_a_week_file_and_row_are_gone() {
    let world = World::new().await;
    world.test.blobs.keep_versions();
    world.recording(facts("2026-01-30T07:15:09Z")).await;
    let kept = world.test.blobs.versions_kept();
    let export = world.made(json!({"links": true})).await;
    let link = world.lines(&export)[0]["link"].clone();
    assert_eq!(
        world.export(&export).await["expires_at"],
        "2026-02-07T08:00:00Z"
    );
    world.test.after(Duration::from_secs(WEEK - 1)).await;
    assert_eq!(world.export(&export).await["state"], "done");
    world.test.clock.advance(Duration::from_secs(1));
    // Nobody gets it from its last second on, whenever the file goes.
    let path = format!("/exports/{export}");
    assert_eq!(world.call("GET", &path, Value::Null).await.status, 404);
    assert_eq!(world.call("DELETE", &path, Value::Null).await.status, 404);
    assert_eq!(world.get("/exports").await["items"], json!([]));
    assert_eq!(world.files().len(), 1);
    // The store is away for a while.
    world.test.blobs.fail(0, false);
    world.test.after(Duration::from_secs(1)).await;
    assert_eq!(world.files().len(), 1);
    world.test.after(Duration::from_mins(11)).await;
    assert!(world.files().is_empty());
    assert_eq!(
        world.test.blobs.versions_kept(),
        kept,
        "no version, no marker"
    );
    let key = ringfence_domain::keyspace::export(&world.test.account, &export);
    assert_eq!(world.test.app.table.get(&key).await.unwrap(), None);
    // Its links go on for their days.
    assert_eq!(world.visit(&link).await.status, 200);
}

#[tokio::test]
async fn an_export_that_is_deleted_before_it_is_made_never_is() {
    let world = World::new().await;
    world.recording(facts("2026-01-30T07:15:09Z")).await;
    let export = world.order(json!({"links": true})).await;
    let path = format!("/exports/{export}");
    assert_eq!(world.call("DELETE", &path, Value::Null).await.status, 204);
    world.test.drain().await;
    assert!(world.files().is_empty());
    let key = ringfence_domain::keyspace::export(&world.test.account, &export);
    assert_eq!(world.test.app.table.get(&key).await.unwrap(), None);
    // A message that comes late finds what a run left behind.
    world
        .test
        .blobs
        .insert(&world.blob(&export), "text/csv", "id\r\n");
    let failed = ringfence_jobs::consumer(world.test.app.clone())
        .handle(vec![world.message(&export)])
        .await;
    assert!(failed.is_empty());
    assert!(world.files().is_empty());
}

#[tokio::test]
async fn the_history_tells_who_asked_for_what_and_what_came_of_it() {
    let world = World::new().await;
    world.recording(facts("2026-01-30T07:15:09Z")).await;
    let export = world
        .made(json!({"from_date": "2026-01-01", "links": true}))
        .await;
    let told = world.history(&export).await;
    assert_eq!(told.len(), 2);
    let requested_by = &world.export(&export).await["requested_by"];
    assert!(told.iter().all(|entry| &entry["actor"] == requested_by));
    assert_eq!(
        told[1]["after"],
        json!({"kind": "recordings", "links": true,
            "selection": {"time_zone": "UTC", "from_date": "2026-01-01", "since": "2026-01-01T00:00:00Z"}})
    );
    assert_eq!(told[0]["action"], "update");
    let after = &told[0]["after"];
    assert_eq!(
        (&after["state"], &after["rows"], &after["linked"]),
        (&json!("done"), &json!(1), &json!(1))
    );
}

#[tokio::test]
async fn the_file_is_encrypted_under_the_accounts_key_or_it_is_not_made() {
    const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let world = World::new().await;
    let recording = world.recording(facts("2026-01-30T07:15:09Z")).await;
    world.settings("recordings", json!({"kms_key": KEY})).await;
    let export = world.made(json!({"links": true})).await;
    let blob = world.blob(&export);
    assert_eq!(world.test.blobs.kms_key(&blob).as_deref(), Some(KEY));

    world.test.blobs.disable(KEY, true);
    let export = world.order(json!({"links": true})).await;
    world.test.drain().await;
    let read = world.export(&export).await;
    assert_eq!(read["state"], "failed");
    assert_eq!(read["failure"]["code"], "store_key");
    assert!(read.get("download").is_none());
    assert!(!world.files().contains(&world.blob(&export)));
    // Nobody saw its links, and nobody will.
    let links = world.get(&format!("/recordings/{recording}/links")).await;
    let of_it: Vec<_> = links["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|link| link["export_id"] == export.as_str())
        .map(|link| link["state"].as_str().unwrap())
        .collect();
    assert_eq!(of_it, ["revoked"]);
    // It is no longer one that is being made.
    world.test.blobs.disable(KEY, false);
    for _ in 0..3 {
        world.order(json!({})).await;
    }
}

#[tokio::test]
async fn audio_that_ringfence_encrypts_changes_nothing_about_the_file() {
    let world = World::new().await;
    world.recording(facts("2026-01-30T07:15:09Z")).await;
    let encryption = json!({"encryption": "client"});
    world.settings("recordings", encryption).await;
    let lines = world.lines_of(json!({})).await;
    assert_eq!(lines.len(), 1);
}
