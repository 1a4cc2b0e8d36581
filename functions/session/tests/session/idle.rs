//! How long a session lasts, and what ends it.

use http::StatusCode;
use ringfence_domain::{
    access::Owner,
    keyspace,
    people::{Grant, Role, UserStatus},
    session::{LIFETIME, Ticket},
};
use serde_json::json;

use crate::world::{Browser, PASSWORD, SESSION, World, seconds};

const MINUTES: i64 = 10;

async fn world() -> World {
    let world = World::new().await;
    world
        .security(json!({"automatic_logout_minutes": MINUTES}))
        .await;
    world
}

async fn beat(browser: &Browser<'_>, softphone: &str) -> StatusCode {
    browser
        .post("/v1/session/heartbeat", json!({"softphone": softphone}))
        .await
        .status
}

#[tokio::test]
async fn a_second_before_the_limit_it_lives_and_a_second_after_it_is_over() {
    let world = world().await;
    let (_, ada) = world.person("ada@example.com").await;
    world.pass(MINUTES * 60 - 1);
    let still = ada.tick().await;
    assert_eq!(still.status, 200);
    assert_eq!(still.json["seconds_left"], 1);
    world.pass(2);
    let over = ada.tick().await;
    assert_eq!(over.status, 401);
    assert_eq!(over.json["type"], "/problems/session-over");
    assert!(
        !over.headers["www-authenticate"]
            .to_str()
            .unwrap()
            .contains("Basic")
    );

    // A request of a person's puts the limit off.
    ada.log_in("ada@example.com", PASSWORD).await;
    world.pass(MINUTES * 60 - 1);
    assert_eq!(ada.get("/v1/session").await.status, 200);
    world.pass(MINUTES * 60 - 1);
    assert_eq!(ada.get("/v1/session").await.status, 200);
    world.pass(MINUTES * 60 + 1);
    assert_eq!(ada.get("/v1/session").await.status, 401);
}

/// Where the process goes on after its answers, a person's activity is written behind them.
#[tokio::test]
async fn nobody_waits_for_an_activity_to_be_written_and_the_limit_is_as_sharp() {
    let world = World::going_on().await;
    world
        .security(json!({"automatic_logout_minutes": MINUTES}))
        .await;
    let (id, ada) = world.person("ada@example.com").await;
    let row = async || {
        let ticket = Ticket::parse(&ada.cookie(SESSION).unwrap()).unwrap();
        let key = keyspace::session(&id, &ticket.token.hash());
        world.app.app.table.get(&key).await.unwrap().unwrap()
    };
    // The answer may be here first.
    let written = async |before: u64| {
        while row().await.version == before {
            tokio::task::yield_now().await;
        }
    };
    for _ in 0..3 {
        world.pass(MINUTES * 60 - 1);
        let before = row().await.version;
        let answer = ada.get("/v1/session").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json["seconds_left"], MINUTES * 60);
        written(before).await;
    }
    // Many at once, then an end: none brings it back.
    world.pass(2);
    let before = row().await.version;
    let many = (0..20).map(|_| ada.get("/v1/session"));
    for answer in futures_util::future::join_all(many).await {
        assert_eq!(answer.status, 200);
    }
    written(before).await;
    world.pass(MINUTES * 60 - 1);
    assert_eq!(ada.tick().await.status, 200);
    world.pass(2);
    assert_eq!(ada.tick().await.status, 401);
    ada.log_in("ada@example.com", PASSWORD).await;
    world.pass(2);
    let (read, out) = futures_util::future::join(
        ada.get("/v1/session"),
        ada.call("DELETE", "/v1/session", serde_json::Value::Null),
    )
    .await;
    assert_eq!((read.status.as_u16(), out.status.as_u16()), (200, 204));
    for _ in 0..100 {
        tokio::task::yield_now().await;
        assert_eq!(ada.get("/v1/session").await.status, 401);
    }
}

#[tokio::test]
async fn page_timers_alone_end_in_a_logout() {
    let world = world().await;
    let (_, ada) = world.person("ada@example.com").await;
    for _ in 0..MINUTES * 2 - 1 {
        world.pass(30);
        assert_eq!(ada.tick().await.status, 200);
    }
    world.pass(31);
    assert_eq!(ada.tick().await.status, 401);
}

#[tokio::test]
async fn an_available_softphone_keeps_it_going_until_its_absolute_end_and_one_away_does_not() {
    let world = world().await;
    let (_, ada) = world.person("ada@example.com").await;
    let (_, bob) = world.person("bob@example.com").await;
    let lifetime = seconds(LIFETIME);
    let mut passed = 0;
    while passed + 300 < lifetime {
        world.pass(300);
        passed += 300;
        assert_eq!(beat(&ada, "available").await, 200, "after {passed} s");
        let away = beat(&bob, "away").await;
        assert_eq!(away == 200, passed < MINUTES * 60, "after {passed} s");
    }
    world.pass(lifetime - passed - 1);
    assert_eq!(
        ada.get("/v1/session").await.status,
        200,
        "a second before its absolute end"
    );
    world.pass(2);
    assert_eq!(ada.get("/v1/session").await.status, 401);
    assert_eq!(beat(&ada, "available").await, 401);
}

#[tokio::test]
async fn an_agencys_new_limit_holds_for_sessions_that_are_open() {
    let world = world().await;
    let (_, ada) = world.person("ada@example.com").await;
    world.security(json!({"automatic_logout_minutes": 2})).await;
    world.pass(121);
    assert_eq!(ada.tick().await.status, 401);
}

#[tokio::test]
async fn a_demotion_holds_from_the_next_request_on_and_so_does_a_suspension() {
    let world = world().await;
    world.person("bob@example.com").await;
    let (id, ada) = world.person("ada@example.com").await;
    let path = format!("/v1/agencies/{}/settings/security", world.app.agency);
    assert_eq!(ada.get(&path).await.status, 200);
    let agency = Owner::Agency(world.app.agency.clone());
    world
        .change(&id, |user| {
            user.grants = vec![Grant::new(agency, Role::AgencyBillingManager)];
        })
        .await;
    assert_eq!(ada.get(&path).await.status, 403);
    world
        .change(&id, |user| user.status = UserStatus::Suspended)
        .await;
    assert_eq!(ada.get(&path).await.status, 401);
    assert_eq!(ada.get("/v1/session").await.status, 401);
    assert_eq!(ada.log_in("ada@example.com", PASSWORD).await.status, 401);
}

#[tokio::test]
async fn a_change_of_password_ends_all_other_sessions() {
    let world = world().await;
    let (_, ada) = world.person("ada@example.com").await;
    let elsewhere = world.browser();
    assert_eq!(
        elsewhere.log_in("ada@example.com", PASSWORD).await.status,
        201
    );
    let before = ada.cookie(crate::world::SESSION).unwrap();
    let change = async |password: &str, new: &str| {
        let body = json!({"password": password, "new_password": new});
        ada.call("PUT", "/v1/session/password", body).await
    };
    let new = "several quite different words";
    assert_eq!(change("not the password at all", new).await.status, 401);
    let common = change(PASSWORD, "password123456789").await;
    assert_eq!(common.json["errors"][0]["code"], "too_common");
    assert_eq!(change(PASSWORD, new).await.status, 204);
    assert_ne!(
        ada.cookie(crate::world::SESSION).unwrap(),
        before,
        "under a new secret"
    );
    assert_eq!(ada.get("/v1/session").await.status, 200);
    assert_eq!(elsewhere.get("/v1/session").await.status, 401);
    ada.set_cookie(crate::world::SESSION, &before);
    assert_eq!(ada.get("/v1/session").await.status, 401, "the old cookie");
    assert_eq!(
        elsewhere.log_in("ada@example.com", PASSWORD).await.status,
        401
    );
    assert_eq!(elsewhere.log_in("ada@example.com", new).await.status, 201);
    world.notice("password_changed").await;
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one() {
    let world = world().await;
    let (_, ada) = world.person("ada@example.com").await;
    let (_, bob) = world.person("bob@example.com").await;
    let elsewhere = world.browser();
    world.pass(1);
    elsewhere.log_in("ada@example.com", PASSWORD).await;
    let list = ada.get("/v1/sessions").await.json;
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(items[0]["current"], false);
    assert_eq!(items[1]["current"], true);
    assert_eq!(items[0]["address"], "203.0.113.7");
    assert_eq!(items[0]["user_agent"], "Testbrowser 1.0");
    let other = format!("/v1/sessions/{}", items[0]["id"].as_str().unwrap());
    assert_eq!(
        bob.call("DELETE", &other, json!(null)).await.status,
        404,
        "not bob's"
    );
    assert_eq!(ada.call("DELETE", &other, json!(null)).await.status, 204);
    assert_eq!(elsewhere.get("/v1/session").await.status, 401);
    assert_eq!(ada.call("DELETE", &other, json!(null)).await.status, 404);

    assert_eq!(
        ada.call("DELETE", "/v1/session", json!(null)).await.status,
        204
    );
    assert_eq!(ada.cookie(crate::world::SESSION), None);
    assert_eq!(ada.get("/v1/session").await.status, 401);
}

#[tokio::test]
async fn a_request_costs_one_read_and_a_write_at_most_once_a_second() {
    let world = world().await;
    let (_, ada) = world.person("ada@example.com").await;
    ada.get("/v1/session").await;
    world.app.counting.take();
    for _ in 0..20 {
        assert_eq!(ada.get("/v1/session").await.status, 200);
    }
    let calls = world.app.counting.take();
    assert_eq!((calls.get_many, calls.get, calls.query), (20, 0, 0));
    assert_eq!(
        (calls.write, calls.count),
        (0, 0),
        "within the second of the login"
    );
    world.pass(1);
    for _ in 0..20 {
        ada.get("/v1/session").await;
    }
    assert_eq!(world.app.counting.take().write, 1);
    world.pass(60);
    ada.tick().await;
    assert_eq!(world.app.counting.take().write, 0, "a timer is nobody");
}
