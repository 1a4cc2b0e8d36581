//! Until when a link opens.

use std::time::Duration;

use serde_json::json;

use super::*;

const DAY: u64 = 86_400;

#[tokio::test]
async fn a_link_plays_at_its_last_second_and_not_one_later() {
    let world = World::new().await;
    world.settings(json!({"link_days": 7})).await;
    let recording = world.recording().await;
    let (path, _) = world.link(&recording).await;
    world.test.clock.advance(Duration::from_secs(7 * DAY - 1));
    assert_eq!(world.get(&path).await.status, 200);
    assert_eq!(world.get(&format!("{path}/audio")).await.status, 302);
    world.test.clock.advance(Duration::from_secs(1));
    for path in [path.clone(), format!("{path}/audio")] {
        let answer = world.get(&path).await;
        assert_eq!(answer.status, 410, "{path}");
        assert!(text(&answer).contains("expired"), "{}", text(&answer));
    }
    assert_eq!(world.give(&path, "1234").await.status, 410);
    assert_eq!(world.listens(&recording).await.len(), 1);
}

#[tokio::test]
async fn fewer_days_bind_links_that_were_made_before() {
    let world = World::new().await;
    world.settings(json!({"link_days": 30})).await;
    let recording = world.recording().await;
    let (path, _) = world.link(&recording).await;
    world.test.clock.advance(Duration::from_secs(3 * DAY));
    world.settings(json!({"link_days": 5})).await;
    assert_eq!(world.get(&path).await.status, 200);
    world.test.clock.advance(Duration::from_secs(2 * DAY));
    assert_eq!(world.get(&path).await.status, 410);
}

#[tokio::test]
async fn more_days_bring_no_link_back() {
    let world = World::new().await;
    world.settings(json!({"link_days": 5})).await;
    let recording = world.recording().await;
    let (first, _) = world.link(&recording).await;
    world.test.clock.advance(Duration::from_secs(DAY));
    world.settings(json!({"link_days": 30})).await;
    let (second, _) = world.link(&recording).await;
    // What was stored with the first binds it all the same.
    world.test.clock.advance(Duration::from_secs(4 * DAY));
    assert_eq!(world.get(&first).await.status, 410);
    assert_eq!(world.get(&second).await.status, 200);
    // One that fewer days ended stays ended when they are more again, or without end.
    world.settings(json!({"link_days": 2})).await;
    assert_eq!(world.get(&second).await.status, 410);
    let (third, _) = world.link(&recording).await;
    for days in [30, 0] {
        world.settings(json!({"link_days": days})).await;
        assert_eq!(world.get(&second).await.status, 410, "{days}");
        assert_eq!(world.get(&third).await.status, 200, "{days}");
    }
}

#[tokio::test]
async fn an_agencys_days_bind_in_the_same_way() {
    let world = World::new().await;
    let agency = format!("/v1/agencies/{}/settings/recordings", world.test.agency);
    world.settings_of(&agency, json!({"link_days": 30})).await;
    // The agency does not allow override.
    world.settings(json!({"link_days": 1})).await;
    let recording = world.recording().await;
    let (path, _) = world.link(&recording).await;
    world.test.clock.advance(Duration::from_secs(10 * DAY));
    assert_eq!(world.get(&path).await.status, 200);
    world.settings_of(&agency, json!({"link_days": 9})).await;
    assert_eq!(world.get(&path).await.status, 410);
    for document in [json!({"link_days": 60}), json!({"link_days": 0}), json!({})] {
        world.settings_of(&agency, document).await;
        assert_eq!(world.get(&path).await.status, 410);
    }
}

#[tokio::test]
async fn without_days_a_link_never_ends_and_an_earlier_end_can_be_asked_for() {
    let world = World::new().await;
    world.settings(json!({"link_days": 0})).await;
    let recording = world.recording().await;
    let (for_ever, _) = world.link(&recording).await;
    let links = world.account(&format!("/recordings/{recording}/links"));
    let made = world
        .test
        .request(
            "POST",
            &links,
            json!({"expires_at": "2026-01-31T09:00:00Z"}),
        )
        .await;
    let short = made.json["url"].as_str().unwrap().to_owned();
    assert_eq!(made.json["expires_at"], "2026-01-31T09:00:00Z");
    let past = world
        .test
        .request(
            "POST",
            &links,
            json!({"expires_at": "2026-01-31T07:00:00Z"}),
        )
        .await;
    assert_eq!(past.status, 400);
    world.test.clock.advance(Duration::from_secs(3_599));
    assert_eq!(world.get(&short).await.status, 200);
    world.test.clock.advance(Duration::from_secs(1));
    assert_eq!(world.get(&short).await.status, 410);
    world
        .test
        .clock
        .advance(Duration::from_secs(20 * 365 * DAY));
    assert_eq!(world.get(&for_ever).await.status, 200);
}
