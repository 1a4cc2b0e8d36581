//! Who may change something by a session's cookie: only a page of ours.

use serde_json::{Value, json};

use crate::world::{Browser, ORIGIN, World};

async fn beat(browser: &Browser<'_>, headers: &[(&str, &str)]) -> (u16, Value) {
    let body = json!({"softphone": "available"}).to_string().into_bytes();
    let answer = browser
        .send(
            "POST",
            "/v1/session/heartbeat",
            headers,
            "application/json",
            body,
        )
        .await;
    (answer.status.as_u16(), answer.json["type"].clone())
}

#[tokio::test]
async fn a_change_needs_the_token_and_our_origin() {
    let world = World::new().await;
    let (_, ada) = world.person("ada@example.com").await;
    let (_, bob) = world.person("bob@example.com").await;
    let (token, of_another) = (ada.csrf(), bob.csrf());
    let token = token.as_str();
    let refused = json!("/problems/foreign-request");
    for headers in [
        vec![],
        vec![("origin", ORIGIN)],
        vec![("ringfence-csrf", token)],
        vec![("origin", ORIGIN), ("ringfence-csrf", "")],
        vec![("origin", ORIGIN), ("ringfence-csrf", &of_another)],
        vec![("origin", ORIGIN), ("ringfence-csrf", &token[1..])],
        vec![("origin", "null"), ("ringfence-csrf", token)],
        vec![("origin", ""), ("ringfence-csrf", token)],
        vec![
            ("origin", "https://evil.example"),
            ("ringfence-csrf", token),
        ],
        vec![
            ("origin", "http://ringfence.example"),
            ("ringfence-csrf", token),
        ],
        vec![
            ("origin", "https://ringfence.example:8443"),
            ("ringfence-csrf", token),
        ],
        vec![
            ("origin", "https://ringfence.example.evil.example"),
            ("ringfence-csrf", token),
        ],
        vec![
            ("origin", ORIGIN),
            ("origin", "https://evil.example"),
            ("ringfence-csrf", token),
        ],
    ] {
        assert_eq!(
            beat(&ada, &headers).await,
            (403, refused.clone()),
            "{headers:?}"
        );
    }
    let right = [("origin", ORIGIN), ("ringfence-csrf", token)];
    assert_eq!(beat(&ada, &right).await.0, 200);
}

#[tokio::test]
async fn it_holds_for_every_function_and_not_for_reading() {
    let world = World::new().await;
    let (_, ada) = world.person("ada@example.com").await;
    let path = format!("/v1/agencies/{}/settings/security", world.app.agency);
    let read = ada.get(&path).await;
    assert_eq!(read.status, 200, "{}", read.json);
    let body = json!({"automatic_logout_minutes": 5})
        .to_string()
        .into_bytes();
    let csrf = ada.csrf();
    let mut headers = vec![
        ("if-match", "\"0\""),
        ("origin", "https://evil.example"),
        ("ringfence-csrf", &csrf),
    ];
    let put = async |headers: &[(&str, &str)]| {
        ada.send("PUT", &path, headers, "application/json", body.clone())
            .await
            .status
    };
    assert_eq!(put(&headers).await, 403);
    assert_eq!(put(&headers[..1]).await, 403);
    headers[1] = ("origin", ORIGIN);
    assert_eq!(put(&headers).await, 200);
    // A key is sent by no browser by itself.
    let key = format!("Bearer {}", world.app.key);
    assert_eq!(
        put(&[("if-match", "\"1\""), ("authorization", &key)]).await,
        200
    );
}

#[tokio::test]
async fn another_site_logs_nobody_in() {
    let world = World::new().await;
    world.person("ada@example.com").await;
    let browser = world.browser();
    let body = json!({"email": "ada@example.com", "password": crate::world::PASSWORD});
    for headers in [
        [("origin", "https://evil.example")],
        [("origin", "null")],
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
    ] {
        let body = body.to_string().into_bytes();
        let answer = browser
            .send("POST", "/v1/session", &headers, "application/json", body)
            .await;
        assert_eq!(answer.status, 403, "{headers:?}");
    }
    let answer = browser
        .send(
            "POST",
            "/v1/session",
            &[],
            "application/json",
            body.to_string().into_bytes(),
        )
        .await;
    assert_eq!(answer.status, 201, "a program has no origin");
}

#[tokio::test]
async fn who_comes_over_plain_http_from_another_machine_is_told_what_to_do() {
    let world = World::new().await;
    world.person("ada@example.com").await;
    let browser = world.browser();
    let form = serde_urlencoded::to_string([
        ("email", "ada@example.com"),
        ("password", crate::world::PASSWORD),
    ])
    .unwrap();
    let kind = "application/x-www-form-urlencoded";
    for (origin, is_told) in [
        ("http://ringfence.example", true),
        ("http://evil.example", false),
        ("null", false),
    ] {
        let headers = [("origin", origin)];
        let page = browser
            .send("POST", "/login", &headers, kind, form.clone().into_bytes())
            .await;
        assert_eq!(page.status, 403);
        assert_eq!(page.text.contains("plain HTTP"), is_told, "{origin}");
        assert_eq!(page.text.contains("--public-url"), is_told, "{origin}");
    }
}
