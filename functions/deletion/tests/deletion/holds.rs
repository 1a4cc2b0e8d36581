//! Legal holds: placed, listed, released; before and in the middle of deletions.

use ringfence_domain::{event::PhoneNumber, recording::Facts};
use serde_json::{Value, json};

use crate::world::{World, checked, facts};

fn of_call(call: &str) -> Facts {
    Facts {
        call_id: call.to_owned(),
        from: Some(PhoneNumber::new("+14155550132")),
        ..facts("2026-01-30T07:15:09Z")
    }
}

#[tokio::test]
async fn whatever_it_is_on_it_keeps() {
    let world = World::new().await;
    let recording = world.recording(of_call("call-1")).await;
    for body in [
        json!({"recording_id": recording}),
        json!({"call_id": "call-1"}),
        json!({"number": "(415) 555-0132"}),
        json!({"account": true}),
    ] {
        let hold = world.hold(body.clone()).await;
        let at = format!("/recordings/{recording}");
        assert_eq!(world.get(&at).await["held"], true, "{body}");
        assert_eq!(world.get("/recordings").await["items"][0]["held"], true);
        let refused = world.call("DELETE", &at, Value::Null).await;
        assert_eq!(refused.status, 409, "{body}: {}", refused.json);
        assert!(refused.json["detail"].as_str().unwrap().contains(&hold));
        let dry = json!({"from_date": "2026-01-01", "dry_run": true});
        let counted = world.call("POST", "/deletions", dry).await;
        assert_eq!(counted.json["planned"]["held"], 1);
        for batch in [
            json!({"from_date": "2026-01-01"}),
            json!({"call_id": "call-1"}),
        ] {
            let job = world.delete(batch).await;
            let done = world.finish(&job).await;
            assert_eq!(done["receipt"]["held"], 1);
            assert_eq!(done["receipt"]["holds"], json!({ (hold.as_str()): 1 }));
        }
        assert_eq!(world.status(&recording).await, "available");
        let at = format!("/holds/{hold}");
        assert_eq!(world.get(&at).await["reason"], "Case 26-1042");
        assert_eq!(world.call("DELETE", &at, Value::Null).await.status, 204);
        assert_eq!(world.call("GET", &at, Value::Null).await.status, 404);
        assert_eq!(world.call("DELETE", &at, Value::Null).await.status, 404);
    }
    assert_eq!(world.get("/holds").await["items"], json!([]));
    let gone = world
        .call("DELETE", &format!("/recordings/{recording}"), Value::Null)
        .await;
    assert_eq!(gone.status, 200);
    let late = json!({"recording_id": recording, "reason": "late"});
    assert_eq!(world.call("POST", "/holds", late).await.status, 410);
}

#[tokio::test]
async fn other_things_are_not_kept() {
    let world = World::new().await;
    world.recording(of_call("call-1")).await;
    let held = world.recording(of_call("call-2")).await;
    world.hold(json!({"number": "+14155550133"})).await;
    world.hold(json!({"call_id": "call-2"})).await;
    let job = world.delete(json!({"from_date": "2026-01-01"})).await;
    let done = world.finish(&job).await;
    assert_eq!(
        (&done["receipt"]["deleted"], &done["receipt"]["held"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(world.test.blobs.keys(), [world.blob(&held)]);
}

#[tokio::test]
async fn two_on_one_thing_are_two() {
    let world = World::new().await;
    let recording = world.recording(of_call("call-1")).await;
    let first = world.hold(json!({"call_id": "call-1"})).await;
    world.hold(json!({"call_id": "call-1"})).await;
    world
        .call("DELETE", &format!("/holds/{first}"), Value::Null)
        .await;
    assert_eq!(
        world.get(&format!("/recordings/{recording}")).await["held"],
        true
    );
}

#[tokio::test]
async fn it_keeps_what_is_still_to_come() {
    let world = World::new().await;
    world.hold(json!({"call_id": "call-1"})).await;
    let recording = world.recording(of_call("call-1")).await;
    let refused = world
        .call("DELETE", &format!("/recordings/{recording}"), Value::Null)
        .await;
    assert_eq!(refused.status, 409);
}

#[tokio::test]
async fn placed_in_the_middle_it_keeps_what_was_not_tombstoned_yet() {
    let world = World::new().await;
    // Two parts of the manifest.
    let all = (0..1_200_u32).map(|n| Facts {
        call_id: format!("call-{}", n % 100),
        ..facts(&format!("2026-01-30T07:{:02}:{:02}Z", n / 60, n % 60))
    });
    world.recordings(all).await;
    let job = world.delete(json!({"from_date": "2026-01-01"})).await;
    world.steps_to(&job, "tombstone").await;
    world.steps_to(&job, "verify").await;
    // The oldest two hundred are tombstoned; of the others, ten are of this call.
    let hold = world.hold(json!({"call_id": "call-7"})).await;
    let done = world.finish(&job).await;
    assert_eq!(
        (&done["receipt"]["deleted"], &done["receipt"]["held"]),
        (&json!(1_190), &json!(10))
    );
    assert_eq!(done["receipt"]["holds"], json!({ (hold.as_str()): 10 }));
    let kept = world
        .get("/recordings?call_id=call-7&status=available")
        .await;
    assert_eq!(kept["items"].as_array().unwrap().len(), 10);
    assert_eq!(world.test.blobs.keys().len(), 10);
}

#[tokio::test]
async fn placed_at_the_same_moment_one_of_the_two_wins() {
    // However the two meet: a hold that was answered with 201 and a recording that was deleted by a job
    // that looked earlier exclude each other.
    for _ in 0..8 {
        let world = World::new().await;
        let recording = world.recording(of_call("call-1")).await;
        let job = world.delete(json!({"call_id": "call-1"})).await;
        world.steps_to(&job, "tombstone").await;
        let body = json!({"recording_id": recording, "reason": "race"});
        let (held, stepped) = tokio::join!(world.call("POST", "/holds", body), world.step(&job));
        assert!(stepped);
        let done = world.finish(&job).await;
        checked(&done);
        match held.status.as_u16() {
            201 => assert_eq!(done["receipt"]["held"], 1),
            410 => assert_eq!(done["receipt"]["deleted"], 1),
            other => panic!("{other}: {}", held.json),
        }
    }
}

#[tokio::test]
async fn what_is_asked_for_must_make_sense() {
    let world = World::new().await;
    let absent = "rec_019c1310e4007a70858c50c604032a89";
    for (body, status) in [
        (json!({"reason": "r"}), 400),
        (json!({"call_id": "c", "account": true, "reason": "r"}), 400),
        (json!({"call_id": "c"}), 400),
        (json!({"call_id": "c", "reason": " "}), 400),
        (json!({"call_id": "", "reason": "r"}), 400),
        (json!({"number": "nobody", "reason": "r"}), 400),
        (json!({"recording_id": absent, "reason": "r"}), 404),
        (json!({"recording_id": "x", "reason": "r"}), 404),
    ] {
        let answer = world.call("POST", "/holds", body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.json);
    }
    // Neither the history nor a masked account shows the number.
    world.hold(json!({"number": "+14155550132"})).await;
    let entry = world.last_change().await.to_string();
    assert!(!entry.contains("4155550132"), "{entry}");
}

#[tokio::test]
async fn numbers_in_ids_are_masked_where_the_console_is() {
    let world = World::new().await;
    let call = "sip:+14155550132@pbx";
    let facts = ringfence_domain::recording::Facts {
        call_id: call.to_owned(),
        ..crate::world::facts("2026-01-30T08:00:00Z")
    };
    world.recording(facts).await;
    let hold = world.hold(json!({"call_id": call})).await;
    let reads = async |job: &str| {
        json!([
            world.get("/holds").await,
            world.get(&format!("/holds/{hold}")).await,
            world.get("/deletions").await,
            world.deletion(job).await,
        ])
        .to_string()
    };
    let job = world
        .delete(json!({"call_id": call, "reason": "asked"}))
        .await;
    world.finish(&job).await;
    let read = reads(&job).await;
    assert_eq!(read.matches(call).count(), 6, "{read}");
    let masking = json!({"phone_number_masking": true});
    let saved = world
        .test
        .request_as(
            Some(&world.test.key),
            "PUT",
            &world.path("/settings/security"),
            &[("if-match", "\"0\"")],
            masking,
        )
        .await;
    assert_eq!(saved.status, 200, "{}", saved.json);
    let read = reads(&job).await;
    assert!(!read.contains("4155550132"), "{read}");
    // What was signed is what is stored.
    assert!(read.contains(r#""signature_valid":true"#), "{read}");
}
