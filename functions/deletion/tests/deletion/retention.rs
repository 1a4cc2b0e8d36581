//! Retention: what has been kept long enough goes, by the same jobs.

use std::time::Duration;

use ringfence_domain::recording::Facts;
use serde_json::{Value, json};

use crate::world::{World, facts};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

async fn set(world: &World, path: &str, version: u64, body: Value) {
    let tag = format!("\"{version}\"");
    let answer = world
        .test
        .request_as(
            Some(&world.test.key),
            "PUT",
            path,
            &[("if-match", &tag)],
            body,
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.json);
}

async fn set_own(world: &World, version: u64, body: Value) {
    set(world, &world.path("/settings/recordings"), version, body).await;
}

fn tagged(started_at: &str, tag: &str) -> Facts {
    Facts {
        tags: vec![tag.to_owned()],
        ..facts(started_at)
    }
}

async fn left(world: &World) -> Vec<String> {
    let page = world.get("/recordings?status=available").await;
    let items = page["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["started_at"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_shortest_that_applies_wins() {
    // It is 2026-01-31, 08:00.
    let world = World::new().await;
    world
        .recordings([
            facts("2026-01-30T12:00:00Z"),
            facts("2026-01-21T00:00:00Z"),
            facts("2026-01-20T23:59:59Z"),
            tagged("2026-01-29T00:00:00Z", "voicemail"),
            tagged("2026-01-28T23:59:59Z", "voicemail"),
            // Longer by its label: the account's ten days win.
            tagged("2026-01-10T00:00:00Z", "contract"),
        ])
        .await;
    let days =
        json!({"retention_days": 10, "retention_by_tag": {"voicemail": 2, "contract": 3650}});
    set_own(&world, 0, days).await;
    world.test.after(SECOND).await;
    assert_eq!(
        left(&world).await,
        [
            "2026-01-30T12:00:00Z",
            "2026-01-29T00:00:00Z",
            "2026-01-21T00:00:00Z"
        ]
    );
    let jobs = world.get("/deletions").await;
    let by_tag = jobs["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|job| job["selection"]["tag"] == "voicemail");
    let by_tag = by_tag.unwrap();
    assert_eq!(by_tag["receipt"]["deleted"], 1);
    assert_eq!(
        (
            &by_tag["requested_by"],
            &by_tag["receipt"]["signature_valid"]
        ),
        (&json!("system"), &json!(true))
    );
    assert_eq!(by_tag["reason"], "retention: kept for 2 days, by its label");

    // Once a day: another sweep starts nothing.
    let count = jobs["items"].as_array().unwrap().len();
    world.test.after(Duration::from_mins(1)).await;
    assert_eq!(
        world.get("/deletions").await["items"]
            .as_array()
            .unwrap()
            .len(),
        count
    );
    // The next day takes the next.
    world.test.after(DAY).await;
    assert_eq!(left(&world).await, ["2026-01-30T12:00:00Z"]);
}

#[tokio::test]
async fn an_agency_decides_for_its_accounts() {
    let world = World::new().await;
    world.recording(facts("2026-01-20T12:00:00Z")).await;
    set_own(&world, 0, json!({"retention_days": 100})).await;
    world.test.after(SECOND).await;
    assert_eq!(left(&world).await.len(), 1);
    let agency = format!("/v1/agencies/{}/settings/recordings", world.test.agency);
    set(&world, &agency, 0, json!({"retention_days": 5})).await;
    let effective = world.get("/settings/recordings?effective=true").await;
    assert_eq!(
        effective["retention_days"],
        json!({"value": 5, "from": "agency"})
    );
    // The agency's row finds its accounts; the account's own was looked at today.
    world.test.after(SECOND).await;
    world.test.after(DAY).await;
    assert!(left(&world).await.is_empty());
    // Whoever may override keeps what it says.
    world.recording(facts("2026-01-20T12:00:00Z")).await;
    set(
        &world,
        &agency,
        1,
        json!({"retention_days": 5, "allow_override": true}),
    )
    .await;
    world.test.after(DAY).await;
    world.test.after(DAY).await;
    assert_eq!(left(&world).await.len(), 1);
}

#[tokio::test]
async fn a_hold_beats_it_and_what_it_kept_goes_when_it_is_released() {
    let world = World::new().await;
    world.recording(facts("2026-01-20T12:00:00Z")).await;
    let hold = world.hold(json!({"call_id": "call-1042"})).await;
    set_own(&world, 0, json!({"retention_days": 5})).await;
    world.test.after(SECOND).await;
    assert_eq!(left(&world).await.len(), 1);
    let jobs = world.get("/deletions").await;
    assert_eq!(
        jobs["items"][0]["receipt"]["holds"],
        json!({ (hold.as_str()): 1 })
    );
    world.test.after(DAY).await;
    assert_eq!(left(&world).await.len(), 1);
    world
        .call("DELETE", &format!("/holds/{hold}"), Value::Null)
        .await;
    world.test.after(DAY).await;
    assert!(left(&world).await.is_empty());
}

#[tokio::test]
async fn without_a_rule_nothing_is_looked_at() {
    let world = World::new().await;
    world.recording(facts("2016-01-20T12:00:00Z")).await;
    world.test.after(DAY).await;
    assert_eq!(world.get("/deletions").await["items"], json!([]));
    // Set and taken back.
    set_own(&world, 0, json!({"retention_days": 36500})).await;
    world.test.after(DAY).await;
    set_own(&world, 1, json!({})).await;
    world.test.after(DAY).await;
    world.test.counting.take();
    world.test.after(DAY).await;
    let calls = world.test.counting.take();
    assert_eq!(
        (calls.get, calls.units),
        (0, 0),
        "only the index of due times"
    );
    for wrong in [
        json!({"retention_days": 0}),
        json!({"retention_by_tag": {"x": 0}}),
        json!({"retention_by_tag": {"": 1}}),
        json!({"retention_by_tag": [1]}),
    ] {
        let answer = world
            .test
            .request_as(
                Some(&world.test.key),
                "PUT",
                &world.path("/settings/recordings"),
                &[("if-match", "\"2\"")],
                wrong.clone(),
            )
            .await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn what_is_registered_late_goes_within_the_week() {
    let world = World::new().await;
    set_own(&world, 0, json!({"retention_days": 5})).await;
    world.test.after(SECOND).await;
    // Begun long ago, told of today.
    world.recording(facts("2025-06-01T12:00:00Z")).await;
    for _ in 0..8 {
        world.test.after(DAY).await;
    }
    assert!(left(&world).await.is_empty());
}
