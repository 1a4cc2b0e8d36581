//! Links that are revoked, changed, guessed; recordings that are gone.

use serde_json::json;

use super::*;

#[tokio::test]
async fn a_revoked_link_gives_out_nothing_more() {
    let world = World::new().await;
    let recording = world.recording().await;
    let (path, id) = world.link(&recording).await;
    let (other, _) = world.link(&recording).await;
    assert_eq!(world.get(&format!("{path}/audio")).await.status, 302);
    let given = world.test.blobs.links();
    let links = world.account(&format!("/recordings/{recording}/links"));
    for _ in 0..2 {
        let revoked = world
            .test
            .request("DELETE", &format!("{links}/{id}"), Value::Null)
            .await;
        assert_eq!(revoked.status, 204);
    }
    let audio = world.get(&format!("{path}/audio")).await;
    assert_eq!(audio.status, 410);
    assert_eq!(world.test.blobs.links(), given, "no new URL");
    let page = world.get(&path).await;
    assert_eq!(page.status, 410);
    assert!(text(&page).contains("withdrawn"), "{}", text(&page));
    assert_eq!(world.get(&other).await.status, 200);
    let listed = world.test.request("GET", &links, Value::Null).await;
    assert_eq!(listed.json["items"][0]["state"], "revoked");
    assert_eq!(listed.json["items"][1]["state"], "active");
    assert!(!text(&listed).contains("/r/"), "no URL is listed");
}

#[tokio::test]
async fn all_links_of_a_recording_can_be_revoked_at_once() {
    let world = World::new().await;
    let (recording, untouched) = (world.recording().await, world.recording().await);
    let (first, _) = world.link(&recording).await;
    let (second, _) = world.link(&recording).await;
    let (other, _) = world.link(&untouched).await;
    let links = world.account(&format!("/recordings/{recording}/links"));
    assert_eq!(
        world
            .test
            .request("DELETE", &links, Value::Null)
            .await
            .status,
        204
    );
    let (new, _) = world.link(&recording).await;
    assert_eq!(world.get(&first).await.status, 410);
    assert_eq!(world.get(&second).await.status, 410);
    assert_eq!(world.get(&new).await.status, 200);
    assert_eq!(world.get(&other).await.status, 200);
}

#[tokio::test]
async fn every_changed_character_is_the_same_404() {
    let world = World::new().await;
    let recording = world.recording().await;
    let (path, _) = world.link(&recording).await;
    let token = path.strip_prefix("/r/").unwrap();
    let never = world
        .get(&format!("/r/v1.1.{}.{}", "A".repeat(43), "A".repeat(22)))
        .await;
    assert_eq!(never.status, 404);
    let mut tried = 0;
    for at in 0..token.len() {
        let old = token.as_bytes()[at];
        for new in *b"AZaz09-_.~B%/" {
            if new == old {
                continue;
            }
            let mut changed = token.as_bytes().to_vec();
            changed[at] = new;
            let changed = String::from_utf8(changed).unwrap();
            for path in [format!("/r/{changed}"), format!("/r/{changed}/audio")] {
                let answer = world.get(&path).await;
                assert_eq!(answer.status, 404, "{at}");
                assert_eq!(answer.bytes, never.bytes, "{at}");
                assert_eq!(answer.headers, never.headers, "{at}");
            }
            tried += 1;
        }
    }
    for odd in [
        &token[1..],
        &token[..token.len() - 1],
        "v1",
        "x",
        &format!("{token}A"),
        &format!("{token}."),
        &format!("{token}/"),
        &format!("{token}%ff"),
        &format!("{token}%2Faudio"),
        &format!("%c3{token}"),
        "%ff/audio",
        "-",
        "-/style.css/x",
        "",
    ] {
        let answer = world.get(&format!("/r/{odd}")).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.bytes),
            (404, &never.bytes),
            "{odd}"
        );
    }
    assert!(tried > 700);
    assert_eq!(world.get(&path).await.status, 200);
    // A PIN for nothing is the same again, and costs no hash.
    let posted = world.give("/r/v1.1.x.y", "1234").await;
    assert_eq!((posted.status, posted.bytes), (never.status, never.bytes));
    assert_eq!(world.test.pins.take(), 0);
}

#[tokio::test]
async fn a_forged_link_costs_no_look_into_the_store() {
    let world = World::new().await;
    let recording = world.recording().await;
    let (path, _) = world.link(&recording).await;
    world.get(&path).await;
    world.test.counting.take();
    let last = if path.ends_with('A') { 'B' } else { 'A' };
    world
        .get(&format!("{}{last}", &path[..path.len() - 1]))
        .await;
    assert_eq!(
        world.test.counting.take(),
        ringfence_ports::contract::Calls::default()
    );
}

#[tokio::test]
async fn what_was_not_stored_has_no_links() {
    let world = World::new().await;
    let facts = json!({
        "call_id": "call-1", "started_at": "2026-01-31T07:15:09Z", "duration": 10,
        "content_type": "audio/wav", "size": 44, "sha256": "00".repeat(32),
    });
    let made = world
        .test
        .request("POST", &world.account("/recordings"), facts)
        .await;
    let id = made.json["id"].as_str().unwrap();
    let answer = world
        .test
        .request(
            "POST",
            &world.account(&format!("/recordings/{id}/links")),
            json!({}),
        )
        .await;
    assert_eq!(answer.status, 409, "{}", answer.json);
}

#[tokio::test]
async fn a_recording_that_is_deleted_or_on_hold_says_so() {
    let world = World::new().await;
    let recording = world.recording().await;
    let (path, _) = world.link(&recording).await;
    for (field, value, told) in [
        ("held", json!(true), "on hold"),
        ("held", json!(false), "<audio"),
        ("deleted_at", json!("2026-01-31T08:00:00Z"), "deleted"),
    ] {
        let key = ringfence_domain::keyspace::recording(&world.test.account, &recording).unwrap();
        let row = world.test.app.table.get(&key).await.unwrap().unwrap();
        let mut doc: Value = serde_json::from_str(&row.doc).unwrap();
        doc[field] = value;
        let put = ringfence_ports::Put::new(key, doc.to_string(), ringfence_ports::When::Present);
        let unit = ringfence_ports::Unit {
            ops: vec![ringfence_ports::Op::Put(put)],
            sends: Vec::new(),
        };
        world.test.app.table.commit(unit).await.unwrap();
        let page = world.get(&path).await;
        assert_eq!(page.status, if told == "<audio" { 200 } else { 410 });
        assert!(text(&page).contains(told), "{}", text(&page));
        let audio = world.get(&format!("{path}/audio")).await;
        assert_eq!(audio.status, if told == "<audio" { 302 } else { 410 });
    }
}

#[tokio::test]
async fn what_only_the_customer_opens_has_downloads_and_no_player() {
    let world = World::new().await;
    let public = include_str!("../../../../shared/sealing/tests/customer.public.pem");
    world
        .settings(json!({"encryption": "customer", "public_key": public, "access": "pin", "pin": "402817"}))
        .await;
    let recording = world.recording().await;
    let (path, _) = world.link(&recording).await;
    let key = format!("{path}/key");
    assert_eq!(world.get(&key).await.status, 403, "the PIN first");
    let cookie = cookie_of(&world.give(&path, "402817").await);
    let with = [("cookie", cookie.as_str())];
    let page = world.visit("GET", &path, &with).await;
    let html = text(&page);
    assert!(
        !html.contains("<audio") && !html.contains("<script"),
        "{html}"
    );
    assert!(
        html.contains(&format!("href=\"{key}\""))
            && html.contains(&format!("href=\"{path}/audio\"")),
        "{html}"
    );
    let given = world.visit("GET", &key, &with).await;
    assert_eq!(given.status, 200);
    assert_eq!(given.json["format"], "ringfence/sealing/1");
    assert_eq!(given.headers["cache-control"], "no-store");
    let audio = world.visit("GET", &format!("{path}/audio"), &with).await;
    assert_eq!(audio.status, 302);
    let json = [("cookie", cookie.as_str()), ("accept", "application/json")];
    let told = world.visit("GET", &path, &json).await;
    assert_eq!(
        (&told.json["state"], &told.json["key"]),
        (&json!("download"), &json!(key))
    );
    // Where there is a player there is no key.
    world.settings(json!({"encryption": "client"})).await;
    let (path, _) = world.link(&world.recording().await).await;
    assert_eq!(world.get(&format!("{path}/key")).await.status, 404);
}
