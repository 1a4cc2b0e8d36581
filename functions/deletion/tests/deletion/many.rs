//! Many recordings: what they cost.

use jiff::{SignedDuration, Timestamp};
use ringfence_domain::recording::Facts;
use serde_json::json;

use crate::world::{World, facts};

fn many(count: i64, tag: impl Fn(i64) -> bool) -> impl Iterator<Item = Facts> {
    let start: Timestamp = "2026-01-10T00:00:00Z".parse().unwrap();
    (0..count).map(move |n| Facts {
        started_at: start + SignedDuration::from_secs(n * 60),
        call_id: format!("call-{n}"),
        tags: if tag(n) {
            vec!["old".to_owned()]
        } else {
            Vec::new()
        },
        ..facts("2026-01-10T00:00:00Z")
    })
}

#[tokio::test]
async fn a_thousand_objects_cost_one_call_and_their_verification_two() {
    let world = World::new().await;
    world.test.blobs.keep_versions();
    world.recordings(many(3_000, |_| false)).await;
    world.test.blobs.take_calls();
    let job = world.delete(json!({"from_date": "2026-01-01"})).await;
    world.test.drain().await;
    let receipt = &world.finish(&job).await["receipt"];
    assert_eq!(receipt["deleted"], 3_000);
    let calls = world.test.blobs.take_calls();
    assert_eq!((calls.delete, calls.deleted), (3, 3_000));
    assert_eq!((calls.versions, calls.open_uploads), (3, 3));
    assert_eq!(world.test.blobs.versions_kept(), 0);
}

#[tokio::test]
async fn few_among_many_still_go_a_thousand_at_a_time() {
    let world = World::new().await;
    // One of three: what stays lies between them.
    world.recordings(many(3_300, |n| n % 3 == 0)).await;
    world.test.blobs.take_calls();
    let job = world.delete(json!({"tag": "old"})).await;
    world.test.drain().await;
    let receipt = &world.finish(&job).await["receipt"];
    assert_eq!(receipt["deleted"], 1_100);
    let calls = world.test.blobs.take_calls();
    assert_eq!((calls.delete, calls.deleted), (2, 1_100));
    assert!(calls.versions <= 12, "{calls:?}");
    assert_eq!(world.test.blobs.keys().len(), 2_200);
}
