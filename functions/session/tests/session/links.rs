//! Invitations and new passwords: links that open once.

use futures_util::future::join_all;
use ringfence_domain::people::{User, UserStatus};
use serde_json::json;

use crate::world::{PASSWORD, World};

const ADA: &str = "ada@example.com";
const NEW: &str = "several quite different words";

#[tokio::test]
async fn an_invitation_opens_once_and_for_three_days() {
    let world = World::new().await;
    let (id, token) = world.invite(ADA).await;
    let mailed = world.notice("invitation").await;
    assert_eq!(mailed["user"], id);
    assert_eq!(mailed["url"], format!("/invitation/{token}"));
    let accept = "/v1/invitations/accept";
    let browser = world.browser();
    let weak = browser
        .post(accept, json!({"token": token, "password": "too short"}))
        .await;
    assert_eq!(weak.json["errors"][0]["code"], "too_short");
    let own = browser
        .post(
            accept,
            json!({"token": token, "password": "Ada@Example.com1815"}),
        )
        .await;
    assert_eq!(own.json["errors"][0]["code"], "about_you");
    world.pass(72 * 3600 - 1);
    let body = json!({"token": token, "name": "Countess Lovelace", "password": PASSWORD});
    let browsers: Vec<_> = (0..10).map(|_| world.browser()).collect();
    let answers = join_all(browsers.iter().map(|b| b.post(accept, body.clone()))).await;
    assert_eq!(
        answers.iter().filter(|a| a.status == 201).count(),
        1,
        "once"
    );
    assert!(answers.iter().all(|a| a.status == 201 || a.status == 410));
    assert_eq!(world.user(&id).await.name, "Countess Lovelace");
    assert_eq!(browser.log_in(ADA, PASSWORD).await.status, 201);
    assert_eq!(browser.post(accept, body).await.status, 410);

    let (_, late) = world.invite("bob@example.com").await;
    world.pass(72 * 3600 + 1);
    let body = json!({"token": late, "password": PASSWORD});
    assert_eq!(browser.post(accept, body).await.status, 410);
}

#[tokio::test]
async fn a_new_password_by_mail_opens_once_and_for_an_hour_and_ends_sessions() {
    let world = World::new().await;
    let (_, ada) = world.person(ADA).await;
    let stranger = world.browser();
    // Strangers have locked it: the mail is the way in.
    for _ in 0..5 {
        stranger.log_in(ADA, "wrong wrong wrong wrong").await;
    }
    let ask = async || {
        stranger
            .post("/v1/password-resets", json!({"email": ADA}))
            .await
    };
    assert_eq!(ask().await.status, 202);
    let first = token(&world).await;
    assert_eq!(ask().await.status, 202);
    let second = token(&world).await;
    let complete = async |token: &str, password: &str| {
        let body = json!({"token": token, "password": password});
        stranger
            .post("/v1/password-resets/complete", body)
            .await
            .status
    };
    assert_eq!(
        complete(&first, NEW).await,
        410,
        "a newer one took its place"
    );
    assert_eq!(complete(&second, "password123456789").await, 400);
    world.pass(3599);
    assert_eq!(ada.tick().await.status, 401);
    ada.log_in(ADA, PASSWORD).await;
    assert_eq!(complete(&second, NEW).await, 204);
    assert_eq!(complete(&second, NEW).await, 410, "once");
    assert_eq!(
        ada.get("/v1/session").await.status,
        401,
        "all sessions are over"
    );
    world.notice("password_changed").await;
    assert_eq!(
        stranger.log_in(ADA, NEW).await.status,
        201,
        "and nothing is locked"
    );
    assert_eq!(ask().await.status, 202);
    let late = token(&world).await;
    world.pass(3601);
    assert_eq!(complete(&late, NEW).await, 410);
}

#[tokio::test]
async fn what_was_mailed_before_a_new_password_or_a_suspension_opens_nothing_after() {
    let world = World::new().await;
    world.person("bob@example.com").await;
    let (id, ada) = world.person(ADA).await;
    let stranger = world.browser();
    let mailed = async || {
        let body = json!({"email": ADA});
        let asked = stranger.post("/v1/password-resets", body).await;
        assert_eq!(asked.status, 202);
        token(&world).await
    };
    let complete = async |token: &str| {
        let body = json!({"token": token, "password": "quite another set of words"});
        let path = "/v1/password-resets/complete";
        stranger.post(path, body).await.status
    };
    let link = mailed().await;
    let change = json!({"password": PASSWORD, "new_password": NEW});
    let changed = ada.call("PUT", "/v1/session/password", change).await;
    assert_eq!(changed.status, 204);
    assert_eq!(complete(&link).await, 410);

    let link = mailed().await;
    let suspend = |user: &mut User| {
        user.status = UserStatus::Suspended;
        user.session_epoch += 1;
    };
    world.change(&id, suspend).await;
    world
        .change(&id, |user| user.status = UserStatus::Active)
        .await;
    assert_eq!(complete(&link).await, 410);
    assert_eq!(stranger.log_in(ADA, NEW).await.status, 201);
    assert_eq!(complete(&mailed().await).await, 204);
}

async fn token(world: &World) -> String {
    let url = world.notice("password_reset").await["url"]
        .as_str()
        .unwrap()
        .to_owned();
    url.strip_prefix("/reset/").unwrap().to_owned()
}

#[tokio::test]
async fn who_asks_for_a_new_password_learns_nothing_of_who_is_here() {
    let world = World::new().await;
    world.person(ADA).await;
    world.notices().await;
    let mut seen = Vec::new();
    for email in [ADA, "nobody@example.com"] {
        let browser = world.browser();
        world.app.counting.take();
        let answer = browser
            .post("/v1/password-resets", json!({"email": email}))
            .await;
        let calls = world.app.counting.take();
        seen.push((
            answer.status,
            answer.text,
            calls.get,
            calls.count,
            calls.write,
            calls.puts,
        ));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(world.notices().await.len(), 1);
    // Nobody's mailbox is filled.
    let browser = world.browser();
    for _ in 0..10 {
        let answer = browser
            .post("/v1/password-resets", json!({"email": ADA}))
            .await;
        assert_eq!(answer.status, 202);
    }
    assert_eq!(world.notices().await.len(), 2, "three an hour");
    let mut statuses = Vec::new();
    for number in 0..10 {
        let email = format!("person{number}@example.com");
        let answer = browser
            .post("/v1/password-resets", json!({"email": email}))
            .await;
        statuses.push(answer.status.as_u16());
    }
    assert!(
        statuses.contains(&429),
        "one network asks twenty times: {statuses:?}"
    );
}

#[tokio::test]
async fn a_second_factor_is_asked_after_a_new_password_too() {
    let world = World::new().await;
    let (_, ada) = world.person(ADA).await;
    let (secret, _) = ada.set_up_app().await;
    ada.post("/v1/password-resets", json!({"email": ADA})).await;
    let token = token(&world).await;
    let body = json!({"token": token, "password": NEW});
    assert_eq!(
        ada.post("/v1/password-resets/complete", body).await.status,
        204
    );
    let asked = ada.log_in(ADA, NEW).await;
    assert_eq!(asked.status, 202);
    let attempt = asked.json["attempt"].as_str().unwrap();
    assert_eq!(
        ada.second(attempt, "app", &world.code(&secret, 0))
            .await
            .status,
        201
    );
}
