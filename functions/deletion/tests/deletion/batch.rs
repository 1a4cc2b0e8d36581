//! Batches: what they mean, counted first, watched, stopped and resumed.

use ringfence_domain::{event::PhoneNumber, recording::Facts};
use serde_json::{Value, json};

use crate::world::{BYTES, World, facts};

async fn zone(world: &World, zone: &str) {
    let patched = world
        .test
        .request_as(
            Some(&world.test.key),
            "PATCH",
            &world.path(""),
            &[("if-match", "\"1\"")],
            json!({"time_zone": zone}),
        )
        .await;
    assert_eq!(patched.status, 200, "{}", patched.json);
    assert_eq!(patched.json["time_zone"], zone);
}

/// How many of the recordings begun at these instants a range of days means.
async fn counted(world: &World, from: &str, to: &str) -> u64 {
    let body = json!({"from_date": from, "to_date": to, "dry_run": true});
    let answer = world.call("POST", "/deletions", body).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    answer.json["planned"]["recordings"].as_u64().unwrap()
}

/// From, to, and the instants at the ends of what lies between.
type Days = (&'static str, &'static str, &'static [&'static str]);

#[tokio::test]
async fn days_are_those_of_the_account() {
    // The first and last second of each day, and the seconds beside them.
    let cases: [(&str, &[Days]); 3] = [
        (
            "America/New_York",
            &[
                (
                    "2025-03-09",
                    "2025-03-10",
                    &["2025-03-09T05:00:00Z", "2025-03-10T03:59:59Z"],
                ),
                (
                    "2025-11-02",
                    "2025-11-03",
                    &["2025-11-02T04:00:00Z", "2025-11-03T04:59:59Z"],
                ),
            ],
        ),
        (
            "America/Santiago",
            &[(
                "2025-09-07",
                "2025-09-08",
                &["2025-09-07T04:00:00Z", "2025-09-08T02:59:59Z"],
            )],
        ),
        (
            "Pacific/Apia",
            &[
                (
                    "2011-12-29",
                    "2011-12-30",
                    &["2011-12-29T10:00:00Z", "2011-12-30T09:59:59Z"],
                ),
                ("2011-12-30", "2011-12-31", &[]),
                (
                    "2011-12-31",
                    "2012-01-01",
                    &["2011-12-30T10:00:00Z", "2011-12-31T09:59:59Z"],
                ),
            ],
        ),
    ];
    for (name, days) in cases {
        let world = World::new().await;
        zone(&world, name).await;
        for (_, _, inside) in days {
            for (at, step) in inside.iter().zip([-1, 1]) {
                let at: jiff::Timestamp = at.parse().unwrap();
                let beside = at + jiff::SignedDuration::from_secs(step);
                // Ids differ by what is random.
                world
                    .recordings([facts(&at.to_string()), facts(&beside.to_string())])
                    .await;
            }
        }
        for (from, to, inside) in days {
            // Days that touch share the seconds beside their ends.
            let shared = match (name, *from) {
                ("Pacific/Apia", "2011-12-29" | "2011-12-31") => 1,
                _ => 0,
            };
            let expected = inside.len() as u64 + shared;
            assert_eq!(counted(&world, from, to).await, expected, "{name} {from}");
        }
    }
}

fn of(second: u32, change: impl FnOnce(&mut Facts)) -> Facts {
    let mut facts = facts(&format!("2026-01-30T07:15:{second:02}Z"));
    change(&mut facts);
    facts
}

#[tokio::test]
async fn all_conditions_hold_together() {
    let world = World::new().await;
    world
        .recordings([
            of(1, |f| f.agent_id = Some("ada".to_owned())),
            of(2, |f| {
                f.agent_id = Some("ada".to_owned());
                f.team = Some("sales".to_owned());
                f.duration = 2;
            }),
            of(3, |f| f.team = Some("sales".to_owned())),
            of(4, |f| f.tags = vec!["spam".to_owned(), "x".to_owned()]),
            of(5, |f| f.from = Some(PhoneNumber::new("+1 (415) 555-0132"))),
            of(6, |f| f.to = Some(PhoneNumber::new("0014155550132"))),
            of(7, |f| f.to = Some(PhoneNumber::new("4155550132"))),
        ])
        .await;
    for (filter, expected) in [
        (json!({"agent_id": "ada"}), 2),
        (json!({"agent_id": "ada", "team": "sales"}), 1),
        (json!({"team": "sales", "shorter_than": 2}), 1),
        (json!({"tag": "spam"}), 1),
        (json!({"number": "+14155550132"}), 2),
        (json!({"shorter_than": 2}), 6),
        (json!({"from_date": "2026-01-30"}), 7),
        (json!({"from_date": "2026-01-31"}), 0),
        (json!({"to_date": "2026-01-30"}), 0),
        (json!({"agent_id": "nobody"}), 0),
    ] {
        let mut body = filter.clone();
        body["dry_run"] = json!(true);
        let answer = world.call("POST", "/deletions", body).await;
        assert_eq!(answer.status, 200, "{}", answer.json);
        assert_eq!(
            (
                &answer.json["planned"]["recordings"],
                &answer.json["planned"]["bytes"]
            ),
            (&json!(expected), &json!(expected * BYTES)),
            "{filter}"
        );
        assert_eq!(answer.json["state"], "done");
        assert_eq!(answer.json["receipt"], Value::Null);
    }
    assert_eq!(world.test.drain().await, 0, "nothing was started");
    assert_eq!(world.test.blobs.keys().len(), 7);
    assert_ne!(
        world.last_change().await["item"]
            .as_str()
            .unwrap()
            .split('/')
            .next(),
        Some("deletions")
    );
    // The number does not stand in the answer.
    let shown = world.get("/deletions?limit=100").await.to_string();
    assert!(!shown.contains("4155550132"), "{shown}");
}

#[tokio::test]
async fn what_is_asked_for_must_make_sense() {
    let world = World::new().await;
    for (body, field) in [
        (json!({}), None),
        (json!({"dry_run": true}), None),
        (
            json!({"from_date": "2026-02-01", "to_date": "2026-02-01"}),
            Some("to_date"),
        ),
        (json!({"from_date": "2026-02-30"}), Some("from_date")),
        (
            json!({"from_date": "2026-02-01T00:00:00Z"}),
            Some("from_date"),
        ),
        (json!({"call_id": "c", "team": "sales"}), Some("call_id")),
        (json!({"team": ""}), Some("team")),
        (json!({"number": "+1, +2"}), Some("number")),
        (json!({"team": "sales", "reason": ""}), Some("reason")),
        (
            json!({"team": "sales", "reason": "x".repeat(257)}),
            Some("reason"),
        ),
        (json!({"everything": true}), Some("everything")),
    ] {
        let answer = world.call("POST", "/deletions", body.clone()).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.json);
        if let Some(field) = field {
            assert_eq!(
                answer.json["errors"][0]["field"], field,
                "{body}: {}",
                answer.json
            );
        }
    }
    assert_eq!(world.get("/deletions").await["items"], json!([]));
}

#[tokio::test]
async fn what_arrives_meanwhile_stays() {
    let world = World::new().await;
    let planned = world.recordings((0..3).map(|n| of(n, |_| {}))).await;
    let job = world.delete(json!({"from_date": "2026-01-01"})).await;
    world.test.clock.advance(std::time::Duration::from_secs(1));
    // Before it is planned, before it is tombstoned, and before it is deleted.
    let mut late = vec![world.recording(of(10, |_| {})).await];
    world.steps_to(&job, "tombstone").await;
    late.push(world.recording(of(11, |_| {})).await);
    world.steps_to(&job, "delete").await;
    late.push(world.recording(of(12, |_| {})).await);
    let done = world.finish(&job).await;
    assert_eq!(
        (&done["receipt"]["planned"], &done["receipt"]["deleted"]),
        (&json!(3), &json!(3))
    );
    for id in &planned {
        assert_eq!(world.status(id).await, "deleted");
    }
    let mut kept: Vec<String> = late.iter().map(|id| world.blob(id)).collect();
    kept.sort();
    assert_eq!(world.test.blobs.keys(), kept);
    for id in &late {
        assert_eq!(world.status(id).await, "available");
    }
}

#[tokio::test]
async fn stopped_and_resumed() {
    let world = World::new().await;
    world.recordings((0..3).map(|n| of(n, |_| {}))).await;
    let job = world.delete(json!({"from_date": "2026-01-01"})).await;
    world.steps_to(&job, "delete").await;
    let stop = format!("/deletions/{job}/stop");
    let stopped = world.call("POST", &stop, Value::Null).await;
    assert_eq!(
        (stopped.status.as_u16(), &stopped.json["state"]),
        (200, &json!("stopped"))
    );
    assert_eq!(world.call("POST", &stop, Value::Null).await.status, 200);
    world.test.after(std::time::Duration::from_hours(2)).await;
    assert_eq!(
        world.test.blobs.keys().len(),
        3,
        "nothing goes on by itself"
    );
    let read = world.deletion(&job).await;
    assert_eq!(
        read["progress"],
        json!({"done": 0, "left": 3, "per_second": null})
    );

    let resume = format!("/deletions/{job}/resume");
    assert_eq!(world.call("POST", &resume, Value::Null).await.status, 200);
    world.test.drain().await;
    let done = world.finish(&job).await;
    assert_eq!(done["receipt"]["deleted"], 3);
    assert!(world.test.blobs.keys().is_empty());
    for path in [stop, resume] {
        assert_eq!(world.call("POST", &path, Value::Null).await.status, 409);
    }
}

#[tokio::test]
async fn a_lost_message_is_found_again() {
    let world = World::new().await;
    world.recordings((0..3).map(|n| of(n, |_| {}))).await;
    let job = world.delete(json!({"from_date": "2026-01-01"})).await;
    // Its message is taken and the process dies: only the due time is left.
    world.step(&job).await;
    world.test.drain().await;
    world.test.after(std::time::Duration::from_mins(11)).await;
    assert_eq!(world.finish(&job).await["receipt"]["deleted"], 3);
}

#[tokio::test]
async fn what_the_store_does_not_delete_is_told_and_can_be_tried_again() {
    let world = World::new().await;
    let ids = world.recordings((0..3).map(|n| of(n, |_| {}))).await;
    let stuck = world.blob(&ids[1]);
    world.test.blobs.stick(&stuck, true);
    let job = world.delete(json!({"from_date": "2026-01-01"})).await;
    for _ in 0..10 {
        world.test.after(std::time::Duration::from_mins(20)).await;
    }
    let done = world.finish(&job).await;
    assert_eq!(
        (&done["receipt"]["deleted"], &done["receipt"]["failed"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(done["receipt"]["bytes_deleted"], 2 * BYTES);
    world.test.blobs.stick(&stuck, false);
    let resumed = world
        .call("POST", &format!("/deletions/{job}/resume"), Value::Null)
        .await;
    assert_eq!(resumed.status, 200, "{}", resumed.json);
    world.test.drain().await;
    let done = world.finish(&job).await;
    assert_eq!(
        (&done["receipt"]["deleted"], &done["receipt"]["failed"]),
        (&json!(3), &json!(0))
    );
    assert!(world.test.blobs.keys().is_empty());
}

#[tokio::test]
async fn two_deletions_of_the_same_count_each_recording_once() {
    let world = World::new().await;
    world.recordings((0..3).map(|n| of(n, |_| {}))).await;
    let one = world.delete(json!({"from_date": "2026-01-01"})).await;
    world
        .test
        .clock
        .advance(std::time::Duration::from_millis(1));
    let two = world.delete(json!({"shorter_than": 10})).await;
    world.steps_to(&one, "tombstone").await;
    world.steps_to(&two, "tombstone").await;
    let (one, two) = (world.finish(&one).await, world.finish(&two).await);
    assert_eq!(one["receipt"]["deleted"], 3);
    assert_eq!(two["receipt"]["already_absent"], 3);
    let listed = world.get("/deletions").await;
    assert_eq!(listed["items"][0]["id"], two["id"], "newest first");
    assert_eq!(listed["items"][1]["id"], one["id"]);
}
