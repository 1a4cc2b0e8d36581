//! Links in files: made under the account's rules, and revoked with their export.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{World, facts};

const DAY: u64 = 24 * 3_600;

#[tokio::test]
async fn a_link_from_a_file_opens_for_the_accounts_days() {
    let world = World::new().await;
    world.settings("recordings", json!({"link_days": 14})).await;
    let recording = world.recording(facts("2026-01-30T07:15:09Z")).await;
    let export = world.made(json!({"links": true})).await;
    let row = &world.lines(&export)[0];
    let link = row["link"].as_str();
    assert!(link.starts_with("/r/v1."), "{link}");
    assert_eq!(row["link_expires_at"], "2026-02-14T08:00:00Z");
    let read = world.export(&export).await;
    assert_eq!((&read["rows"], &read["linked"]), (&json!(1), &json!(1)));

    let opened = world.visit(link).await;
    assert_eq!(opened.status, 200);
    assert_eq!(world.visit(&format!("{link}/audio")).await.status, 302);
    let listed = world.get(&format!("/recordings/{recording}/links")).await;
    let listed = &listed["items"][0];
    assert_eq!(listed["purpose"], "export");
    assert_eq!(listed["export_id"], export.as_str());
    assert_eq!(listed["created_by"], read["requested_by"]);
    assert_eq!(listed["expires_at"], "2026-02-14T08:00:00Z");
    assert_eq!(listed["state"], "active");

    // The export is gone after a week, its link after two.
    world.test.after(Duration::from_secs(14 * DAY - 1)).await;
    assert!(world.files().is_empty());
    assert_eq!(world.visit(link).await.status, 200);
    world.test.clock.advance(Duration::from_secs(1));
    assert_eq!(world.visit(link).await.status, 410);
    // The days of now bind it, and more of them bring it not back.
    world.settings("recordings", json!({"link_days": 90})).await;
    assert_eq!(world.visit(link).await.status, 410);
    // Half a year later it is as if it had never been, and takes up no room.
    world.test.clock.advance(Duration::from_secs(182 * DAY));
    assert_eq!(world.visit(link).await.status, 404);
    let listed = world.get(&format!("/recordings/{recording}/links")).await;
    assert_eq!(listed["items"], json!([]));
}

#[tokio::test]
async fn fewer_days_end_links_of_files_too_and_none_means_never() {
    let world = World::new().await;
    world.settings("recordings", json!({"link_days": 0})).await;
    world.recording(facts("2026-01-30T07:15:09Z")).await;
    let lines = world.lines_of(json!({"links": true})).await;
    assert_eq!(lines[0]["link_expires_at"], "");
    world.test.after(Duration::from_secs(400 * DAY)).await;
    assert_eq!(world.visit(&lines[0]["link"]).await.status, 200);
    world.settings("recordings", json!({"link_days": 30})).await;
    assert_eq!(world.visit(&lines[0]["link"]).await.status, 410);
}

#[tokio::test]
async fn a_deleted_export_takes_its_links_with_it_and_no_others() {
    let world = World::new().await;
    let recording = world.recording(facts("2026-01-30T07:15:09Z")).await;
    let first = world.made(json!({"links": true})).await;
    let second = world.made(json!({"links": true})).await;
    let link_of = |export: &str| world.lines(export)[0]["link"].clone();
    let (revoked, other) = (link_of(&first), link_of(&second));
    assert_ne!(revoked, other);
    let path = format!("/recordings/{recording}/links");
    let by_api = world.call("POST", &path, json!({})).await;
    let by_api = by_api.json["url"].as_str().unwrap().to_owned();

    let one = format!("/exports/{first}");
    let deleted = world.call("DELETE", &one, Value::Null).await;
    assert_eq!(deleted.status, 204);
    // At once, before anybody worked on it.
    assert_eq!(world.visit(&revoked).await.status, 410);
    assert_eq!(world.visit(&format!("{revoked}/audio")).await.status, 410);
    assert_eq!(world.call("GET", &one, Value::Null).await.status, 404);
    assert_eq!(world.call("DELETE", &one, Value::Null).await.status, 404);
    let all = world.get("/exports").await;
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
    world.test.drain().await;
    assert_eq!(world.files(), [world.blob(&second)]);
    for link in [&other, &by_api] {
        assert_eq!(world.visit(link).await.status, 200);
    }
    let listed = world.get(&path).await;
    let mut states: Vec<_> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|link| {
            (
                link["purpose"].as_str().unwrap(),
                link["state"].as_str().unwrap(),
            )
        })
        .collect();
    states.sort_unstable();
    assert_eq!(
        states,
        [
            ("api", "active"),
            ("export", "active"),
            ("export", "revoked")
        ]
    );
    let told = world.history(&first).await;
    let actions: Vec<_> = told
        .iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["delete", "update", "create"]);
    assert_eq!(told[1]["after"]["linked"], 1);
    assert_eq!(told[2]["after"]["links"], true);
}

#[tokio::test]
async fn what_is_held_has_no_link_and_what_is_deleted_later_opens_no_more() {
    let world = World::new().await;
    let held = world.recording(facts("2026-01-30T07:15:09Z")).await;
    let gone = world.recording(facts("2026-01-29T07:15:09Z")).await;
    let case = json!({"recording_id": held, "reason": "Case 26-1042"});
    let placed = world.call("POST", "/holds", case).await;
    assert_eq!(placed.status, 201, "{}", placed.json);
    let export = world.made(json!({"links": true})).await;
    let rows = world.lines(&export);
    assert_eq!(
        (rows[0]["id"].as_str(), rows[0]["link"].as_str()),
        (held.as_str(), "")
    );
    assert_eq!(rows[0]["link_expires_at"], "");
    let links = world.get(&format!("/recordings/{held}/links")).await;
    assert_eq!(links["items"], json!([]));
    let link = &rows[1]["link"];
    assert_eq!(world.visit(link).await.status, 200);
    let deleted = world
        .call("DELETE", &format!("/recordings/{gone}"), Value::Null)
        .await;
    assert_eq!(deleted.status, 200);
    assert_eq!(world.visit(link).await.status, 410);
    // The row stays.
    assert_eq!(world.lines(&export).len(), 2);
    assert_eq!(world.export(&export).await["linked"], 1);
}

#[tokio::test]
async fn one_link_of_a_file_is_revoked_like_any_other() {
    let world = World::new().await;
    let recording = world.recording(facts("2026-01-30T07:15:09Z")).await;
    let export = world.made(json!({"links": true})).await;
    let link = world.lines(&export)[0]["link"].clone();
    let listed = world.get(&format!("/recordings/{recording}/links")).await;
    let id = listed["items"][0]["id"].as_str().unwrap();
    let path = format!("/recordings/{recording}/links/{id}");
    assert_eq!(world.call("DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(world.visit(&link).await.status, 410);
    // A PIN that is set later is asked by those that are there.
    let export = world.made(json!({"links": true})).await;
    let link = world.lines(&export)[0]["link"].clone();
    let pin = format!("/recordings/{recording}/pin");
    let set = world.call("PUT", &pin, json!({"pin": "402817"})).await;
    assert!(set.status.is_success(), "{}", set.json);
    assert_eq!(world.visit(&format!("{link}/audio")).await.status, 403);
}
