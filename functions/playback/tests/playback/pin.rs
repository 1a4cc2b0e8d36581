//! What a PIN opens, and what ends that.

use std::time::Duration;

use serde_json::json;

use super::*;

async fn plays(world: &World, path: &str, cookie: &str) -> bool {
    let audio = world
        .visit("GET", &format!("{path}/audio"), &[("cookie", cookie)])
        .await;
    match audio.status.as_u16() {
        302 => true,
        403 => false,
        other => panic!("{other}: {}", text(&audio)),
    }
}

#[tokio::test]
async fn a_right_pin_opens_this_link_for_a_quarter_of_an_hour() {
    let world = World::new().await;
    world
        .settings(json!({"access": "pin", "pin": "402817"}))
        .await;
    let recording = world.recording().await;
    let (path, _) = world.link(&recording).await;
    let (other, _) = world.link(&recording).await;
    let right = world.give(&path, "402817").await;
    assert_eq!(right.status, 303);
    assert_eq!(right.headers["location"], path);
    let set = right.headers["set-cookie"].to_str().unwrap();
    assert!(set.starts_with("__Host-"), "{set}");
    for part in [
        "; Max-Age=900",
        "; Path=/",
        "; HttpOnly",
        "; SameSite=Lax",
        "; Secure",
    ] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains("402817"));
    let cookie = cookie_of(&right);
    assert!(plays(&world, &path, &cookie).await);
    assert!(plays(&world, &path, &format!("a=b; {cookie}; c=d")).await);
    assert!(!plays(&world, &other, &cookie).await, "another link");
    let (_, value) = cookie.split_once('=').unwrap();
    let foreign = world.visit("GET", &other, &[("cookie", &cookie)]).await;
    assert!(text(&foreign).contains("name=\"pin\""));
    // Neither a later end nor another MAC can be made up.
    let (name, _) = cookie.split_once('=').unwrap();
    let (until, mac) = value.split_once('.').unwrap();
    let later = until.parse::<i64>().unwrap() + 900;
    for forged in [
        format!("{later}.{mac}"),
        format!("{until}.{}", "A".repeat(43)),
        format!("{until}."),
        ".".to_owned(),
        String::new(),
    ] {
        assert!(
            !plays(&world, &path, &format!("{name}={forged}")).await,
            "{forged}"
        );
    }
    world.test.clock.advance(Duration::from_secs(899));
    assert!(plays(&world, &path, &cookie).await);
    world.test.clock.advance(Duration::from_secs(1));
    assert!(!plays(&world, &path, &cookie).await);
}

#[tokio::test]
async fn a_new_pin_ends_what_the_old_one_opened() {
    let world = World::new().await;
    world
        .settings(json!({"access": "pin", "pin": "402817"}))
        .await;
    let recording = world.recording().await;
    let (path, _) = world.link(&recording).await;
    let cookie = cookie_of(&world.give(&path, "402817").await);
    assert!(plays(&world, &path, &cookie).await);
    // What keeps it changes nothing.
    world
        .settings(json!({"access": "pin", "pin": "***", "link_days": 9}))
        .await;
    assert!(plays(&world, &path, &cookie).await);
    // Even the same one, given again.
    world
        .settings(json!({"access": "pin", "pin": "402817"}))
        .await;
    assert!(!plays(&world, &path, &cookie).await);
    let cookie = cookie_of(&world.give(&path, "402817").await);
    assert!(plays(&world, &path, &cookie).await);
    // A PIN of the recording's own goes before the account's.
    let own = world.account(&format!("/recordings/{recording}/pin"));
    assert_eq!(
        world
            .test
            .request("PUT", &own, json!({"pin": "9911"}))
            .await
            .status,
        204
    );
    assert!(!plays(&world, &path, &cookie).await);
    assert_eq!(world.give(&path, "402817").await.status, 403);
    let own_cookie = cookie_of(&world.give(&path, "9911").await);
    assert!(plays(&world, &path, &own_cookie).await);
    assert_eq!(
        world.test.request("DELETE", &own, Value::Null).await.status,
        204
    );
    assert!(!plays(&world, &path, &own_cookie).await);
    assert!(
        plays(&world, &path, &cookie).await,
        "the account's PIN is what it was"
    );
}

#[tokio::test]
async fn a_recordings_own_pin_is_asked_although_links_are_open() {
    let world = World::new().await;
    let recording = world.recording().await;
    let (path, _) = world.link(&recording).await;
    assert_eq!(world.get(&format!("{path}/audio")).await.status, 302);
    let own = world.account(&format!("/recordings/{recording}/pin"));
    world
        .test
        .request("PUT", &own, json!({"pin": "9911"}))
        .await;
    assert_eq!(world.get(&format!("{path}/audio")).await.status, 403);
    assert!(plays(&world, &path, &cookie_of(&world.give(&path, "9911").await)).await);
    for bad in ["123", "1234567890123", "12a4"] {
        assert_eq!(
            world
                .test
                .request("PUT", &own, json!({"pin": bad}))
                .await
                .status,
            400,
            "{bad}"
        );
    }
}

#[tokio::test]
async fn programs_are_told_the_same_in_json() {
    let world = World::new().await;
    world
        .settings(json!({"access": "pin", "pin": "402817"}))
        .await;
    let recording = world.recording().await;
    let (path, _) = world.link(&recording).await;
    let give = async |pin: &str| {
        let headers = [("accept", "application/json")];
        world
            .test
            .request_as(None, "POST", &path, &headers, json!({"pin": pin}))
            .await
    };
    let wrong = give("0000").await;
    assert_eq!(
        (wrong.status.as_u16(), &wrong.json["type"]),
        (403, &json!("/problems/wrong-pin"))
    );
    let right = give("402817").await;
    assert_eq!(
        (right.status.as_u16(), &right.json["state"]),
        (200, &json!("ready"))
    );
    assert_eq!(right.json["audio"], json!(format!("{path}/audio")));
    assert!(plays(&world, &path, &cookie_of(&right)).await);
    for _ in 0..4 {
        give("0000").await;
    }
    let locked = give("402817").await;
    assert_eq!(
        (locked.status.as_u16(), &locked.json["type"]),
        (429, &json!("/problems/pin-locked"))
    );
    assert_eq!(locked.headers["retry-after"], "900");
    let absent = world
        .visit("GET", "/r/v1.1.x.y", &[("accept", "application/json")])
        .await;
    assert_eq!(
        (absent.status.as_u16(), &absent.json["type"]),
        (404, &json!("/problems/not-found"))
    );
    world.test.clock.advance(Duration::from_hours(31 * 24));
    let gone = give("402817").await;
    assert_eq!(
        (gone.status.as_u16(), &gone.json["type"]),
        (410, &json!("/problems/gone"))
    );
}

#[tokio::test]
async fn what_is_only_for_people_of_the_account_asks_for_a_key() {
    let world = World::new().await;
    world.settings(json!({"access": "login"})).await;
    let recording = world.recording().await;
    let (path, _) = world.link(&recording).await;
    for at in [path.clone(), format!("{path}/audio")] {
        let answer = world.get(&at).await;
        assert_eq!(answer.status, 403);
        assert!(
            text(&answer).contains("people of the account"),
            "{}",
            text(&answer)
        );
        // Whoever logs in comes back to the page, not to the audio alone.
        let back = format!("href=\"/login?next={}\"", path.replace('/', "%2F"));
        assert!(text(&answer).contains(&back), "{}", text(&answer));
    }
    assert_eq!(world.give(&path, "1234").await.status, 403);
    let key = format!("Bearer {}", world.test.key);
    assert_eq!(
        world
            .visit("GET", &format!("{path}/audio"), &[("authorization", &key)])
            .await
            .status,
        302
    );
    // Another account's key is no key here.
    let other = world
        .test
        .app
        .create_account(
            &world.test.agency,
            "Other",
            &ringfence_domain::history::Actor::system(),
        )
        .await;
    let owner = ringfence_domain::access::Owner::Account(other.unwrap().value.id);
    let key = world
        .test
        .key_for(owner, &ringfence_domain::access::Scope::ALL)
        .await;
    let key = format!("Bearer {key}");
    assert_eq!(
        world
            .visit("GET", &format!("{path}/audio"), &[("authorization", &key)])
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn a_pin_that_nobody_set_opens_nothing() {
    let world = World::new().await;
    let path = world.account("/settings/recordings");
    let headers = [("if-match", "\"0\"")];
    let refused = world
        .test
        .request_as(
            Some(&world.test.key),
            "PUT",
            &path,
            &headers,
            json!({"access": "pin"}),
        )
        .await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json["errors"][0]["field"]),
        (400, &json!("pin"))
    );
    // An agency may ask for one and leave it to its accounts.
    let agency = format!("/v1/agencies/{}/settings/recordings", world.test.agency);
    world.settings_of(&agency, json!({"access": "pin"})).await;
    let recording = world.recording().await;
    let (path, _) = world.link(&recording).await;
    for at in [path.clone(), format!("{path}/audio")] {
        assert_eq!(world.get(&at).await.status, 403);
    }
    assert_eq!(world.give(&path, "0000").await.status, 403);
    world.settings(json!({"pin": "402817"})).await;
    assert!(
        plays(
            &world,
            &path,
            &cookie_of(&world.give(&path, "402817").await)
        )
        .await
    );
}

#[tokio::test]
async fn another_sites_page_spends_no_attempts() {
    let world = World::new().await;
    world
        .settings(json!({"access": "pin", "pin": "402817"}))
        .await;
    let recording = world.recording().await;
    let (path, _) = world.link(&recording).await;
    world.test.pins.take();
    for site in ["cross-site", "same-site"] {
        let headers = [("sec-fetch-site", site)];
        let form = b"pin=0000".to_vec();
        let kind = "application/x-www-form-urlencoded";
        let answer = world
            .test
            .request_raw(None, "POST", &path, &headers, kind, form)
            .await;
        assert_eq!(answer.status, 403);
    }
    // Nor does what cannot be a PIN, however long.
    for body in ["pin=", "pin=abcd", "nip=1234", ""] {
        assert_eq!(
            world
                .test
                .request_raw(
                    None,
                    "POST",
                    &path,
                    &[],
                    "application/x-www-form-urlencoded",
                    body.into()
                )
                .await
                .status,
            403
        );
    }
    let long = vec![b'1'; 100_000];
    assert_eq!(
        world
            .test
            .request_raw(
                None,
                "POST",
                &path,
                &[],
                "application/x-www-form-urlencoded",
                long
            )
            .await
            .status,
        413
    );
    assert_eq!(world.test.pins.take(), 0);
}

#[tokio::test]
async fn the_pin_is_shown_nowhere() {
    let world = World::new().await;
    world
        .settings(json!({"access": "pin", "pin": "402817"}))
        .await;
    let path = world.account("/settings/recordings");
    let shown = world.test.request("GET", &path, Value::Null).await;
    assert_eq!(shown.json["pin"], "***");
    let effective = world
        .test
        .request("GET", &format!("{path}?effective=true"), Value::Null)
        .await;
    assert_eq!(
        effective.json["pin"],
        json!({"value": "***", "from": "account"})
    );
    assert_eq!(
        effective.json["link_days"],
        json!({"value": 30, "from": "default"})
    );
    let (history, _) = world
        .test
        .app
        .history_before(&world.test.account, 100, None)
        .await
        .unwrap();
    let history = serde_json::to_string(&history).unwrap();
    assert!(history.contains("version") && !history.contains("402817"));
}

#[tokio::test]
async fn who_is_logged_in_and_may_hear_it_is_asked_no_pin() {
    use ringfence_domain::{
        access::Owner,
        people::{Grant, Role},
    };
    let world = World::new().await;
    let recording = world.recording().await;
    let (path, _) = world.link(&recording).await;
    for access in [
        json!({"access": "pin", "pin": "402817"}),
        json!({"access": "login"}),
    ] {
        world.settings(access).await;
        for (role, agent, hears) in [
            (Role::Administrator, None, true),
            (Role::CallManager, None, true),
            (Role::CallAgent, Some("nobody".to_owned()), false),
            (Role::BillingManager, None, false),
        ] {
            let mut grant = Grant::new(Owner::Account(world.test.account.clone()), role);
            grant.agent = agent;
            let person = world.test.sign_in(vec![grant]).await;
            let audio = world
                .test
                .request_of(&person, "GET", &format!("{path}/audio"), &[], Value::Null)
                .await;
            let expected = if hears { 302 } else { 403 };
            assert_eq!(audio.status, expected, "{role:?} {}", audio.json);
        }
        let operator = world.test.sign_in_as(Role::Operator).await;
        let audio = world
            .test
            .request_of(&operator, "GET", &format!("{path}/audio"), &[], Value::Null)
            .await;
        assert_eq!(audio.status, 403);
    }
    // It is on record who listened.
    let heard = world.listens(&recording).await;
    assert!(!heard.is_empty());
    let users: Vec<_> = heard.iter().map(|entry| entry["user"].as_str()).collect();
    assert!(
        users
            .iter()
            .all(|user| user.is_some_and(|user| user.starts_with("usr_"))),
        "{users:?}"
    );
}

#[tokio::test]
async fn a_browser_that_keeps_no_cookie_is_told_why_it_is_asked_again() {
    let world = World::new().await;
    world
        .settings(json!({"access": "pin", "pin": "402817"}))
        .await;
    let recording = world.recording().await;
    let (path, _) = world.link(&recording).await;
    let give = async |host: &str| {
        let form = b"pin=402817".to_vec();
        let kind = "application/x-www-form-urlencoded";
        let answer = world
            .test
            .request_raw(None, "POST", &path, &[("host", host)], kind, form)
            .await;
        assert_eq!(answer.status, 303);
        answer.headers["location"].to_str().unwrap().to_owned()
    };
    let on = give("192.168.0.7:8080").await;
    let again = world.get(&on).await;
    assert_eq!(again.status, 200);
    assert!(text(&again).contains("http://") && text(&again).contains("name=\"pin\""));
    // Where it works nobody hears of it.
    let on = give("localhost:8080").await;
    assert_eq!(on, path);
    assert!(!text(&world.get(&path).await).contains("http://"));
}
