//! Passwords: who gets in, what guessing costs, and what it tells.

use ringfence_domain::people::UserStatus;
use serde_json::json;

use crate::world::{Browser, PASSWORD, SESSION, World};

async fn tries(browser: &Browser<'_>, email: &str, count: usize) -> Vec<u16> {
    let mut found = Vec::new();
    for _ in 0..count {
        let answer = browser.log_in(email, "wrong wrong wrong wrong").await;
        found.push(answer.status.as_u16());
    }
    found
}

#[tokio::test]
async fn a_login_is_a_session_whose_cookie_is_as_it_should_be() {
    let world = World::new().await;
    let (id, _) = world.person("Ada@Example.com").await;
    world.pass(100);
    let browser = world.browser();
    let answer = browser.log_in("ada@example.com", PASSWORD).await;
    assert_eq!(answer.status, 201, "{}", answer.json);
    let cookie = answer.cookie(SESSION);
    let (value, attributes) = cookie.split_once("; ").unwrap();
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Lax; Secure");
    assert!(value.len() > 43 + 36);
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert!(!answer.text.contains(value.split_once('.').unwrap().1));
    let device = answer.cookie(&format!("__Host-ringfence-device-{}", &id[id.len() - 16..]));
    assert!(
        device.ends_with("Path=/; HttpOnly; SameSite=Lax; Secure"),
        "{device}"
    );
    assert_eq!(answer.json["user"]["email"], "Ada@Example.com");
    assert_eq!(answer.json["seconds_left"], 30 * 60);
    assert_eq!(
        world.user(&id).await.last_login_at,
        Some(world.app.app.clock.now())
    );

    let again = browser.log_in("ada@example.com", PASSWORD).await;
    assert_ne!(again.cookie(SESSION), cookie, "each login has its own");
}

#[tokio::test]
async fn an_address_that_nobody_has_is_answered_and_costs_and_locks_the_same() {
    let world = World::new().await;
    world.person("ada@example.com").await;
    let (suspended, _) = world.person("bob@example.com").await;
    world
        .change(&suspended, |user| user.status = UserStatus::Suspended)
        .await;
    world.invite("eve@example.com").await;
    let (mut seen, mut locks) = (Vec::new(), Vec::new());
    for (email, password) in [
        ("ada@example.com", "wrong wrong wrong wrong"),
        ("nobody@example.com", "wrong wrong wrong wrong"),
        ("bob@example.com", PASSWORD),
        ("eve@example.com", PASSWORD),
    ] {
        let browser = world.browser();
        world.app.counting.take();
        world.app.pins.take();
        let answer = browser.log_in(email, password).await;
        let calls = world.app.counting.take();
        seen.push((answer.status, answer.text, calls, world.app.pins.take()));
        assert_eq!(tries(&browser, email, 3).await, [401; 3], "{email}");
        world.app.counting.take();
        assert_eq!(tries(&browser, email, 1).await, [401], "{email}");
        locks.push(world.app.counting.take());
        assert_eq!(tries(&browser, email, 1).await, [429], "{email}");
    }
    assert_eq!(seen[0].0, 401);
    assert_eq!(seen[0].3, 1, "one hash");
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
    assert!(locks.iter().all(|one| *one == locks[0]), "{locks:?}");
}

#[tokio::test]
async fn five_failures_lock_for_five_minutes_and_five_more_for_an_hour() {
    let world = World::new().await;
    let (_, known) = world.person("ada@example.com").await;
    let stranger = world.browser();
    world.notices().await;
    assert_eq!(tries(&stranger, "ada@example.com", 5).await, [401; 5]);
    world.notice("locked").await;
    let hashes = {
        world.app.pins.take();
        let answer = stranger.log_in("ada@example.com", PASSWORD).await;
        assert_eq!(answer.status, 429, "not even the right one");
        assert_eq!(answer.headers["retry-after"], "300");
        assert_eq!(answer.json["type"], "/problems/login-locked");
        world.app.pins.take()
    };
    assert_eq!(hashes, 0, "nothing is computed");

    // The device that its owner knows is not locked out by strangers.
    assert_eq!(known.log_in("ada@example.com", PASSWORD).await.status, 201);

    world.pass(299);
    assert_eq!(tries(&stranger, "ada@example.com", 1).await, [429]);
    world.pass(1);
    assert_eq!(
        tries(&stranger, "ada@example.com", 6).await,
        [401, 401, 401, 401, 401, 429]
    );
    world.pass(3599);
    assert_eq!(tries(&stranger, "ada@example.com", 1).await, [429]);
    world.pass(1);
    let other_device = world.browser();
    assert_eq!(
        other_device
            .log_in("ada@example.com", PASSWORD)
            .await
            .status,
        201
    );
    // A right one forgives: the next lock is a first one again.
    assert_eq!(tries(&stranger, "ada@example.com", 5).await, [401; 5]);
    world.pass(301);
    assert_eq!(tries(&stranger, "ada@example.com", 1).await, [401]);

    // A known device has its own count, which is its own affair.
    assert_eq!(
        tries(&known, "ada@example.com", 6).await,
        [401, 401, 401, 401, 401, 429]
    );
    assert_eq!(
        other_device
            .log_in("ada@example.com", PASSWORD)
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn a_burst_gets_no_more_guesses_than_a_row() {
    let world = World::new().await;
    world.person("ada@example.com").await;
    world.app.pins.take();
    let stranger = world.browser();
    let burst = (0..50).map(|_| stranger.log_in("ada@example.com", "wrong wrong wrong wrong"));
    let answers = futures_util::future::join_all(burst).await;
    let looked_at = answers.iter().filter(|a| a.status == 401).count();
    assert_eq!(looked_at, 5);
    assert_eq!(world.app.pins.take(), 5);
    assert!(answers.iter().all(|a| a.status == 401 || a.status == 429));
}

#[tokio::test]
async fn one_network_that_tries_many_addresses_is_stopped() {
    let world = World::new().await;
    let (_, known) = world.person("ada@example.com").await;
    let stranger = world.browser();
    let mut looked_at = 0;
    for number in 0..110 {
        let email = format!("person{number}@example.com");
        let answer = stranger.log_in(&email, "wrong wrong wrong wrong").await;
        looked_at += usize::from(answer.status == 401);
    }
    assert_eq!(looked_at, 100);
    // Whoever is known is not kept out by the neighbour in the same network.
    assert_eq!(known.log_in("ada@example.com", PASSWORD).await.status, 201);
    let mut elsewhere = world.browser();
    elsewhere.address = [198, 51, 100, 9].into();
    assert_eq!(
        elsewhere.log_in("ada@example.com", PASSWORD).await.status,
        201
    );
}

#[tokio::test]
async fn a_login_from_a_new_address_is_told_once() {
    let world = World::new().await;
    let (id, ada) = world.person("ada@example.com").await;
    let of = async |kind: &str| {
        let told = world.notices().await;
        told.into_iter()
            .filter(|n| n["notice"] == kind)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of("login_from_new_address").await.len(),
        0,
        "nobody is told of the first"
    );
    ada.log_in("ada@example.com", PASSWORD).await;
    assert_eq!(of("login_from_new_address").await.len(), 0, "a known one");
    let mut elsewhere = world.browser();
    elsewhere.address = [198, 51, 100, 9].into();
    elsewhere.log_in("ada@example.com", PASSWORD).await;
    let told = of("login_from_new_address").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["user"], id);
    assert_eq!(told[0]["address"], "198.51.100.9");
    elsewhere.log_in("ada@example.com", PASSWORD).await;
    assert_eq!(of("login_from_new_address").await.len(), 0);
}

#[tokio::test]
async fn nothing_but_a_login_is_a_login() {
    let world = World::new().await;
    let (id, ada) = world.person("ada@example.com").await;
    let browser = world.browser();
    let long = "x".repeat(2_000);
    for (body, status) in [
        (json!({"email": "ada@example.com", "password": long}), 400),
        (json!({"email": "ada@example.com"}), 400),
        (
            json!({"email": "ada@example.com", "password": PASSWORD, "remember": true}),
            400,
        ),
        (
            json!({"email": "not an address", "password": PASSWORD}),
            401,
        ),
        (json!({"email": "ada@example.com", "password": ""}), 401),
        (json!({"email": "", "password": PASSWORD}), 401),
    ] {
        assert_eq!(
            browser.post("/v1/session", body.clone()).await.status,
            status,
            "{body}"
        );
    }
    let right = ada.cookie(SESSION).unwrap();
    let forged = format!("{id}.{}", "A".repeat(43));
    for cookie in [
        "",
        "x",
        &right[1..],
        &forged,
        &format!("{right}x"),
        &right.replace(&id, &id.replace("usr_", "usr-")),
    ] {
        browser.set_cookie(SESSION, cookie);
        assert_eq!(browser.get("/v1/session").await.status, 401, "{cookie}");
    }
    browser.set_cookie("ringfence", &right);
    browser.forget(SESSION);
    assert_eq!(
        browser.get("/v1/session").await.status,
        401,
        "a cookie without the prefix is none"
    );
}

#[tokio::test]
async fn a_password_opens_however_the_system_composes_its_letters() {
    let world = World::new().await;
    let (_, token) = world.invite("ada@example.com").await;
    let accept = "/v1/invitations/accept";
    let composed = "f\u{fc}nf \u{e4}pfel im garten";
    let body = json!({"token": token, "password": composed});
    assert_eq!(world.browser().post(accept, body).await.status, 201);
    let apart = "fu\u{308}nf a\u{308}pfel im garten";
    for (password, status) in [(composed, 201), (apart, 201), ("funf apfel im garten", 401)] {
        let answer = world.browser().log_in("ada@example.com", password).await;
        assert_eq!(answer.status, status, "{password}");
    }
}
