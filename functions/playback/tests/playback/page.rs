//! The page: inert, quiet, and nothing of anybody else's.

use serde_json::json;

use super::*;

#[tokio::test]
async fn fifty_scanners_spend_charge_and_log_nothing() {
    let world = World::new().await;
    world
        .settings(json!({"access": "pin", "pin": "402817"}))
        .await;
    let recording = world.recording().await;
    let (path, _) = world.link(&recording).await;
    world.test.pins.take();
    world.test.counting.take();
    for _ in 0..50 {
        for method in ["GET", "HEAD"] {
            assert_eq!(world.visit(method, &path, &[]).await.status, 200);
            let audio = world.visit(method, &format!("{path}/audio"), &[]).await;
            assert_eq!(audio.status, 403, "the PIN first");
        }
    }
    let calls = world.test.counting.take();
    assert_eq!(
        (calls.write, calls.puts, calls.count, calls.send),
        (0, 0, 0, 0)
    );
    assert_eq!(world.test.pins.take(), 0);
    assert_eq!(world.test.blobs.links(), 0);
    assert!(world.listens(&recording).await.is_empty());
    assert_eq!(
        world.give(&path, "402817").await.status,
        303,
        "nothing was charged"
    );
}

#[tokio::test]
async fn looking_at_an_open_link_is_not_listening() {
    let world = World::new().await;
    let recording = world.recording().await;
    let (path, _) = world.link(&recording).await;
    world.test.counting.take();
    for method in ["GET", "HEAD"] {
        let answer = world.visit(method, &path, &[]).await;
        assert_eq!(answer.status, 200);
    }
    assert_eq!(
        world
            .visit("HEAD", &format!("{path}/audio"), &[])
            .await
            .status,
        200
    );
    let calls = world.test.counting.take();
    assert_eq!((calls.write, calls.count), (0, 0));
    assert!(world.listens(&recording).await.is_empty());
    let page = world.get(&path).await;
    assert!(
        text(&page).contains(r#"preload="none""#),
        "a browser that renders it fetches no audio"
    );
}

#[tokio::test]
async fn before_the_pin_only_date_and_length_are_told() {
    let world = World::new().await;
    world
        .settings(json!({"access": "pin", "pin": "402817"}))
        .await;
    let recording = world.recording().await;
    let (path, link) = world.link(&recording).await;
    let page = world.get(&path).await;
    let html = text(&page);
    assert!(
        html.contains("31 January 2026, 07:15 UTC") && html.contains("10 seconds"),
        "{html}"
    );
    let program = world
        .visit("GET", &path, &[("accept", "application/json")])
        .await;
    assert_eq!(program.json["state"], "pin_required");
    for secret in [
        "4155550123",
        "4155550199",
        "call-1042",
        "ada",
        recording.as_str(),
        &link,
        &world.test.account,
        "audio/wav",
    ] {
        assert!(!html.contains(secret), "{secret}");
        assert!(!text(&program).contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn every_answer_keeps_to_itself() {
    let world = World::new().await;
    world
        .settings(json!({"access": "pin", "pin": "402817", "link_days": 1}))
        .await;
    let recording = world.recording().await;
    let (path, _) = world.link(&recording).await;
    let wrong = world.give(&path, "0000").await;
    let right = world.give(&path, "402817").await;
    let cookie = cookie_of(&right);
    let with_cookie = [("cookie", cookie.as_str())];
    let mut answers = vec![
        world.get(&path).await,
        world
            .visit("GET", &path, &[("accept", "application/json")])
            .await,
        wrong,
        right,
        world.visit("GET", &path, &with_cookie).await,
        world
            .visit("GET", &format!("{path}/audio"), &with_cookie)
            .await,
        world.get(&format!("{path}/audio")).await,
        world.get("/r/nothing").await,
    ];
    world
        .test
        .clock
        .advance(std::time::Duration::from_hours(24));
    answers.push(world.get(&path).await);
    answers.push(
        world
            .visit("GET", &path, &[("accept", "application/json")])
            .await,
    );
    for answer in &answers {
        for (name, value) in [
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("x-robots-tag", "noindex, nofollow, noarchive"),
        ] {
            assert_eq!(answer.headers[name], value, "{answer:?}");
        }
        let csp = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(csp.starts_with("default-src 'none'"), "{csp}");
        let html = text(answer);
        for elsewhere in [
            "http://", "https://", "src=\"//", "@import", "style=", "onclick",
        ] {
            assert!(!html.contains(elsewhere), "{elsewhere}: {html}");
        }
    }
    let player = text(&answers[4]);
    assert!(player.contains("<audio controls"), "{player}");
    let csp = answers[4].headers["content-security-policy"]
        .to_str()
        .unwrap();
    assert!(
        csp.contains("script-src 'self'; media-src 'self' https://store.test"),
        "{csp}"
    );
    assert!(csp.contains("frame-ancestors 'none'"), "{csp}");
}

#[tokio::test]
async fn audio_is_where_the_store_says_and_each_request_is_noted() {
    let world = World::new().await;
    let recording = world.recording().await;
    let (path, link) = world.link(&recording).await;
    let whole = world.get(&format!("{path}/audio")).await;
    assert_eq!(whole.status, 302);
    let url = whole.headers["location"].to_str().unwrap();
    assert!(
        url.contains(&recording) && url.ends_with("until=1769846460"),
        "for a minute: {url}"
    );
    world.test.clock.advance(std::time::Duration::from_secs(61));
    let audio = format!("{path}/audio");
    let again = world
        .visit("GET", &audio, &[("range", "bytes=40022-")])
        .await;
    assert_eq!(again.status, 302);
    assert!(
        again.headers["location"]
            .to_str()
            .unwrap()
            .ends_with("until=1769846521")
    );
    let outside = world
        .visit("GET", &audio, &[("range", "bytes=999999-")])
        .await;
    assert_eq!(
        (outside.status.as_u16(), &outside.headers["content-range"]),
        (416, &"bytes */80044".parse().unwrap())
    );
    let heard = world.listens(&recording).await;
    assert_eq!(heard.len(), 2);
    assert_eq!(heard[0]["link"], json!(link));
    assert_eq!(
        (&heard[0]["from_byte"], &heard[0]["to_byte"]),
        (&json!(40_022), &json!(80_044))
    );
    assert_eq!(
        (&heard[0]["from_second"], &heard[0]["to_second"]),
        (&json!(5), &json!(10))
    );
    assert_eq!(heard[1]["at"], "2026-01-31T08:00:00Z");
    // With an API key, the key is named.
    let path = world.account(&format!("/recordings/{recording}/audio"));
    assert_eq!(
        world.test.request("GET", &path, Value::Null).await.status,
        302
    );
    let heard = world.listens(&recording).await;
    let by_key = heard.iter().find(|entry| entry.get("link").is_none());
    assert!(
        by_key.unwrap()["user"]
            .as_str()
            .unwrap()
            .starts_with("key_")
    );
}

#[tokio::test]
async fn the_pages_files_are_there() {
    let world = World::new().await;
    for (path, kind) in [
        ("/r/-/style.css", "text/css; charset=utf-8"),
        ("/r/-/player.js", "text/javascript; charset=utf-8"),
        ("/r/-/icon.svg", "image/svg+xml"),
    ] {
        let answer = world.get(path).await;
        assert_eq!(
            (
                answer.status.as_u16(),
                answer.headers["content-type"].to_str().unwrap()
            ),
            (200, kind)
        );
    }
}

#[tokio::test]
async fn however_often_a_link_is_played_the_log_grows_by_the_minute() {
    let world = World::new().await;
    let recording = world.recording().await;
    let (path, link) = world.link(&recording).await;
    let audio = format!("{path}/audio");
    let play = async |from: u32| {
        let range = format!("bytes={from}-{}", from + 99);
        let answer = world.visit("GET", &audio, &[("range", &range)]).await;
        assert_eq!(answer.status, 302);
    };
    // Somebody with the link and a loop.
    for n in 0..150 {
        play(n * 500).await;
    }
    let heard = world.listens(&recording).await;
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert_eq!(heard[0]["link"], json!(link));
    assert_eq!(
        (&heard[0]["from_byte"], &heard[0]["to_byte"]),
        (&json!(0), &json!(149 * 500 + 100))
    );
    assert!((2..=16).contains(&heard[0]["parts"].as_array().unwrap().len()));
    // The next minute, and a player that asks for one part after the other.
    world.test.clock.advance(std::time::Duration::from_mins(1));
    for n in 0..50 {
        play(n * 100).await;
    }
    let heard = world.listens(&recording).await;
    assert_eq!(heard.len(), 2);
    assert_eq!(
        (&heard[0]["from_byte"], &heard[0]["to_byte"]),
        (&json!(0), &json!(5_000))
    );
    assert!(heard[0].get("parts").is_none(), "{:?}", heard[0]);
    assert_eq!(heard[1]["at"], "2026-01-31T08:00:00Z");
}
