//! What guessing costs.

use std::net::IpAddr;

use futures_util::future::join_all;
use ringfence_domain::{
    callback::operational::OperationalType,
    pin::{Pin, PinError, gate},
};
use serde_json::json;

use super::*;

async fn protected() -> World {
    let world = World::new().await;
    world
        .settings(json!({"access": "pin", "pin": "402817"}))
        .await;
    world.test.pins.take();
    world
}

async fn notices(world: &World) -> usize {
    let (events, _) = world
        .test
        .app
        .operational_events(&world.test.account, 100, None)
        .await
        .unwrap();
    events
        .iter()
        .filter(|event| event.event_type == OperationalType::PinLocked)
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_wrong_pins_at_once_cost_five_hashes() {
    let world = protected().await;
    let recording = world.recording().await;
    let (path, _) = world.link(&recording).await;
    let answers = join_all((0..200).map(|n| {
        let (world, path) = (&world, &path);
        async move { world.give(path, &format!("{n:04}")).await.status.as_u16() }
    }))
    .await;
    let hashes = world.test.pins.take();
    assert!((1..=5).contains(&hashes), "{hashes} hashes");
    assert_eq!(
        answers.iter().filter(|status| **status == 403).count() as u64,
        hashes
    );
    assert_eq!(
        answers.iter().filter(|status| **status == 429).count() as u64,
        200 - hashes
    );
    assert_eq!(notices(&world).await, 1, "one notice a lock");
    // And it is locked now, without a further hash.
    assert_eq!(world.give(&path, "402817").await.status, 429);
    assert_eq!(world.test.pins.take(), 0);
}

#[tokio::test]
async fn a_thousand_guesses_over_fifty_links_share_one_budget() {
    let world = protected().await;
    let recording = world.recording().await;
    let mut paths = Vec::new();
    for _ in 0..50 {
        paths.push(world.link(&recording).await.0);
    }
    for n in 0..1_000 {
        let answer = world.give(&paths[n % 50], &format!("{n:04}")).await;
        let expected = if n < 5 { 403 } else { 429 };
        assert_eq!(answer.status, expected, "guess {n}");
    }
    assert_eq!(world.test.pins.take(), 5);
    assert_eq!(notices(&world).await, 1);
    // Another recording of the account has a budget of its own.
    let other = world.recording().await;
    let (path, _) = world.link(&other).await;
    assert_eq!(world.give(&path, "402817").await.status, 303);
}

#[tokio::test]
async fn the_right_pin_is_refused_while_it_is_locked_and_staff_still_play() {
    let world = protected().await;
    let recording = world.recording().await;
    let (path, _) = world.link(&recording).await;
    for _ in 0..5 {
        assert_eq!(world.give(&path, "0000").await.status, 403);
    }
    let locked = world.give(&path, "402817").await;
    assert_eq!(locked.status, 429);
    assert_eq!(locked.headers["retry-after"], "900");
    assert!(
        text(&locked).contains("Come back after"),
        "{}",
        text(&locked)
    );
    assert!(text(&locked).contains("08:15 UTC"), "{}", text(&locked));
    // Staff: by API, and by the link with an API key.
    let audio = world.account(&format!("/recordings/{recording}/audio"));
    assert_eq!(
        world
            .test
            .request("GET", &audio, serde_json::Value::Null)
            .await
            .status,
        302
    );
    let key = format!("Bearer {}", world.test.key);
    let by_link = world
        .visit("GET", &format!("{path}/audio"), &[("authorization", &key)])
        .await;
    assert_eq!(by_link.status, 302);
    // One second before its end, and at its end.
    world
        .test
        .clock
        .advance(std::time::Duration::from_secs(15 * 60 - 1));
    assert_eq!(world.give(&path, "402817").await.status, 429);
    assert_eq!(world.test.pins.take(), 5);
    world.test.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(world.give(&path, "402817").await.status, 303);
}

#[tokio::test]
async fn a_right_pin_gets_its_payment_back() {
    let world = protected().await;
    world.test.pins.cheapen();
    // Set again: the old one was hashed dearly.
    world
        .settings(json!({"access": "pin", "pin": "402817"}))
        .await;
    let recording = world.recording().await;
    let (path, _) = world.link(&recording).await;
    for _ in 0..4 {
        assert_eq!(world.give(&path, "0000").await.status, 403);
    }
    for _ in 0..20 {
        assert_eq!(world.give(&path, "402817").await.status, 303);
    }
    assert_eq!(world.give(&path, "0000").await.status, 403);
    assert_eq!(world.give(&path, "402817").await.status, 429);
}

#[tokio::test]
async fn an_address_and_an_account_have_budgets_of_their_own() {
    let world = protected().await;
    world.test.pins.cheapen();
    world
        .settings(json!({"access": "pin", "pin": "402817"}))
        .await;
    let app = &world.test.app;
    let pin = |text: &str| Pin::parse(text).unwrap();
    let mut links = Vec::new();
    for _ in 0..=gate::ACCOUNT_ATTEMPTS / 4 {
        let recording = world.recording().await;
        let (path, _) = world.link(&recording).await;
        links.push(
            app.open_link(path.strip_prefix("/r/").unwrap())
                .await
                .unwrap(),
        );
    }
    // Four a recording: below each recording's own limit. IPv6 is counted by network.
    let at = |n: usize| Some(format!("2001:db8::{n:x}").parse::<IpAddr>().unwrap());
    for n in 0..20 {
        let answer = app.unlock_link(&links[n / 4], pin("0000"), at(n)).await;
        assert_eq!(answer, Err(PinError::Wrong), "{n}");
    }
    let locked = app.unlock_link(&links[6], pin("402817"), at(99)).await;
    assert!(matches!(locked, Err(PinError::Locked { .. })), "{locked:?}");
    let elsewhere = Some("203.0.113.7".parse().unwrap());
    assert!(
        app.unlock_link(&links[6], pin("402817"), elsewhere)
            .await
            .is_ok()
    );
    // The account's own: from ever new addresses.
    let mut wrong = 20;
    for (n, link) in links.iter().enumerate().skip(5) {
        for m in 0..4 {
            let address = Some(format!("198.51.{n}.{m}").parse().unwrap());
            match app.unlock_link(link, pin("0000"), address).await {
                Err(PinError::Wrong) => wrong += 1,
                Err(PinError::Locked { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(wrong, gate::ACCOUNT_ATTEMPTS);
    assert_eq!(
        notices(&world).await,
        2,
        "one for the address, one for the account"
    );
}

#[tokio::test]
async fn a_pin_bears_only_so_many_wrong_ones_until_a_new_one_is_set() {
    let world = World::new().await;
    world.test.pins.cheapen();
    let recording = world.recording().await;
    let (path, _) = world.link(&recording).await;
    let own = world.account(&format!("/recordings/{recording}/pin"));
    world
        .test
        .request("PUT", &own, json!({"pin": "5512"}))
        .await;
    let mut wrong = 0;
    for _ in 0..40 {
        for _ in 0..5 {
            wrong += i64::from(world.give(&path, "0000").await.status == 403);
        }
        world.test.clock.advance(std::time::Duration::from_mins(30));
    }
    assert_eq!(wrong, gate::RECORDING_LIFETIME_ATTEMPTS);
    let closed = world.give(&path, "5512").await;
    assert_eq!(closed.status, 429);
    assert!(closed.headers.get("retry-after").is_none());
    assert!(text(&closed).contains("new PIN"), "{}", text(&closed));
    world
        .test
        .request("PUT", &own, json!({"pin": "5512"}))
        .await;
    assert_eq!(world.give(&path, "5512").await.status, 303);
}

#[tokio::test]
async fn whoever_hangs_up_is_locked_out_and_told_of_all_the_same() {
    let world = protected().await;
    let recording = world.recording().await;
    let (path, _) = world.link(&recording).await;
    for n in 0..5 {
        let wrong = format!("{n:04}");
        // Gone as soon as the hash is being computed.
        let begun = async {
            while world.test.pins.take() == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            () = begun => {}
            answer = world.give(&path, &wrong) => panic!("{answer:?}"),
        }
    }
    let told = async {
        while notices(&world).await == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), told)
        .await
        .expect("the account is told of the lock");
    // The lock outlasts the window in which the attempts were counted.
    world
        .test
        .clock
        .advance(std::time::Duration::from_secs(15 * 60 - 1));
    assert_eq!(world.give(&path, "402817").await.status, 429);
}

#[tokio::test]
async fn a_burst_over_the_end_of_a_window_has_no_second_budget() {
    let world = protected().await;
    for (before, after) in [(4, 1), (1, 4)] {
        let recording = world.recording().await;
        let (path, _) = world.link(&recording).await;
        let to_the_end = 900 - world.test.app.clock.now().as_second().rem_euclid(900) - 1;
        let to_the_end = std::time::Duration::from_secs(to_the_end.unsigned_abs());
        world.test.clock.advance(to_the_end);
        for _ in 0..before {
            assert_eq!(world.give(&path, "0000").await.status, 403);
        }
        world.test.clock.advance(std::time::Duration::from_secs(2));
        for _ in 0..after {
            assert_eq!(world.give(&path, "0000").await.status, 403);
        }
        let locked = world.give(&path, "402817").await;
        assert_eq!(locked.status, 429);
        assert_eq!(locked.headers["retry-after"], "900");
        assert_eq!(world.test.pins.take(), 5);
        world.test.clock.advance(std::time::Duration::from_mins(15));
        assert_eq!(world.give(&path, "402817").await.status, 303);
        world.test.pins.take();
    }
    assert_eq!(notices(&world).await, 2, "one for each recording");
}
