//! Second factors: set up, changed, removed, reset.

use ringfence_domain::{history::Action, people::Role};
use serde_json::{Value, json};

use crate::world::{PASSWORD, SESSION, World};

const ADA: &str = "ada@example.com";

#[tokio::test]
async fn an_app_is_set_up_by_its_picture_or_its_text() {
    let world = World::new().await;
    let (id, ada) = world.person(ADA).await;
    let new = ada.post("/v1/session/two-factor/app", Value::Null).await;
    assert_eq!(new.status, 201);
    assert_eq!(new.headers["cache-control"], "no-store");
    let secret = new.json["secret"].as_str().unwrap();
    assert_eq!(secret.len(), 32);
    let uri = new.json["uri"].as_str().unwrap();
    assert!(
        uri.starts_with("otpauth://totp/Ringfence:ada%40example.com?secret="),
        "{uri}"
    );
    assert!(uri.contains(secret));
    assert!(new.json["qr_svg"].as_str().unwrap().starts_with("<svg"));
    let confirm = "/v1/session/two-factor/app/confirm";
    let wrong = ada
        .post(confirm, json!({"code": world.code(secret, 1)}))
        .await;
    assert_eq!(wrong.status, 403, "a code of the future");
    assert!(
        !world.user(&id).await.two_factor.app,
        "not until its first code"
    );
    let done = ada
        .post(confirm, json!({"code": world.code(secret, 0)}))
        .await;
    assert_eq!(done.json["recovery_codes"].as_array().unwrap().len(), 10);
    let summary = ada.get("/v1/session/two-factor").await.json;
    assert_eq!(
        summary,
        json!({"app": true, "sms": false, "recovery_left": 10})
    );
    world.notice("two_factor_changed").await;
    assert_eq!(
        ada.post(confirm, json!({"code": "000000"})).await.status,
        409
    );
    // What a code has set up does not log in as well.
    let asked = ada.log_in(ADA, PASSWORD).await;
    let attempt = asked.json["attempt"].as_str().unwrap();
    assert_eq!(
        ada.second(attempt, "app", &world.code(secret, 0))
            .await
            .status,
        403
    );
}

#[tokio::test]
async fn whoever_took_over_an_open_browser_changes_nothing() {
    let world = World::new().await;
    let (_, ada) = world.person(ADA).await;
    let (secret, codes) = ada.set_up_app().await;
    assert_eq!(ada.log_in_with(ADA, &secret).await.status, 201);
    world.pass(601);
    let guarded: [(&str, &str, Value); 5] = [
        ("POST", "/v1/session/two-factor/app", Value::Null),
        ("DELETE", "/v1/session/two-factor/app", Value::Null),
        (
            "POST",
            "/v1/session/two-factor/sms",
            json!({"phone": "+14155550132"}),
        ),
        ("DELETE", "/v1/session/two-factor/sms", Value::Null),
        ("POST", "/v1/session/two-factor/recovery-codes", Value::Null),
    ];
    for (method, path, body) in &guarded {
        let answer = ada.call(method, path, body.clone()).await;
        assert_eq!(
            answer.json["type"], "/problems/confirmation-required",
            "{method} {path}"
        );
        assert_eq!(answer.status, 403);
    }
    let confirm = async |body: Value| ada.post("/v1/session/confirm", body).await.status;
    assert_eq!(
        confirm(json!({"password": PASSWORD})).await,
        409,
        "not by the password"
    );
    assert_eq!(
        confirm(json!({"method": "app", "code": world.code(&secret, 1)})).await,
        403
    );
    assert_eq!(confirm(json!({})).await, 400);
    let code = world.code(&secret, 0);
    assert_eq!(confirm(json!({"method": "app", "code": code})).await, 204);
    assert_eq!(
        confirm(json!({"method": "app", "code": code})).await,
        403,
        "used"
    );
    let renewed = ada
        .post("/v1/session/two-factor/recovery-codes", Value::Null)
        .await;
    assert_eq!(renewed.status, 201);
    assert_eq!(
        confirm(json!({"method": "recovery_code", "code": codes[0]})).await,
        403,
        "an old one"
    );
    let new = renewed.json["recovery_codes"][0].clone();
    assert_eq!(
        confirm(json!({"method": "recovery_code", "code": new})).await,
        204
    );
    assert_eq!(
        ada.get("/v1/session/two-factor").await.json["recovery_left"],
        9
    );
    assert_eq!(
        ada.call("DELETE", "/v1/session/two-factor/app", Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(
        ada.log_in(ADA, PASSWORD).await.status,
        201,
        "no second factor any more"
    );
}

#[tokio::test]
async fn a_new_number_is_confirmed_on_the_old_one_first() {
    let world = World::new().await;
    let (id, ada) = world.person(ADA).await;
    let start = "/v1/session/two-factor/sms";
    let confirm = "/v1/session/two-factor/sms/confirm";
    for wrong in ["", "4155550132", "+0155550132", "+1415", "+14155550132x"] {
        assert_eq!(
            ada.post(start, json!({"phone": wrong})).await.status,
            400,
            "{wrong}"
        );
    }
    let step = ada.post(start, json!({"phone": "+14155550132"})).await.json;
    assert_eq!(step["state"], "confirm_new_number");
    let code = world.notice("sms_code").await["code"].clone();
    assert_eq!(
        ada.post(confirm, json!({"code": code})).await.json["state"],
        "set"
    );

    let step = ada
        .post(start, json!({"phone": "+4915112345678"}))
        .await
        .json;
    assert_eq!(step["state"], "confirm_old_number");
    let old = world.notice("sms_code").await;
    assert_eq!(old["to"], "+14155550132");
    let step = ada.post(confirm, json!({"code": old["code"]})).await.json;
    assert_eq!(step["state"], "confirm_new_number");
    let new = world.notice("sms_code").await;
    assert_eq!(new["to"], "+4915112345678");
    assert_eq!(
        ada.post(confirm, json!({"code": old["code"]})).await.status,
        403,
        "the old code again"
    );
    let step = ada.post(confirm, json!({"code": new["code"]})).await.json;
    assert_eq!(step, json!({"state": "set"}), "no codes: there were some");
    assert!(world.user(&id).await.two_factor.sms);
    let asked = ada.log_in(ADA, PASSWORD).await;
    ada.post(
        "/v1/session/second-factor/sms",
        json!({"attempt": asked.json["attempt"]}),
    )
    .await;
    assert_eq!(world.notice("sms_code").await["to"], "+4915112345678");
}

#[tokio::test]
async fn an_agency_that_requires_a_second_factor_lets_nobody_go_on_without() {
    let world = World::new().await;
    let (_, ada) = world.person(ADA).await;
    let path = format!("/v1/agencies/{}/settings/security", world.app.agency);
    assert_eq!(ada.get(&path).await.status, 200);
    world
        .security(json!({"two_factor": {"required": true}}))
        .await;
    // A session that was open before is good for what a new one is good for, and no more.
    world.pass(601);
    assert_eq!(
        ada.get(&path).await.json["type"],
        "/problems/second-factor-required"
    );
    let session = ada.get("/v1/session").await;
    assert_eq!(session.json["second_factor_required"], true);
    let login = ada.log_in(ADA, PASSWORD).await;
    assert_eq!(login.status, 201);
    assert_eq!(login.json["second_factor_required"], true);
    let refused = ada.get(&path).await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.json["type"], "/problems/second-factor-required");
    ada.set_up_app().await;
    assert_eq!(ada.get(&path).await.status, 200);
    let last = ada
        .call("DELETE", "/v1/session/two-factor/app", Value::Null)
        .await;
    assert_eq!(last.status, 409, "the last one stays");
}

#[tokio::test]
async fn who_was_logged_in_before_sets_the_second_factor_up_and_goes_on() {
    let world = World::new().await;
    let (_, ada) = world.person(ADA).await;
    let path = format!("/v1/agencies/{}/settings/security", world.app.agency);
    world
        .security(json!({"two_factor": {"required": true}}))
        .await;
    world.pass(601);
    assert_eq!(ada.get(&path).await.status, 403);
    let password = json!({"password": PASSWORD});
    assert_eq!(ada.post("/v1/session/confirm", password).await.status, 204);
    ada.set_up_app().await;
    assert_eq!(ada.get(&path).await.status, 200);
}

#[tokio::test]
async fn an_administrator_resets_a_second_factor_only_with_its_own() {
    let world = World::new().await;
    let (ada_id, ada) = world.person_as(ADA, Role::CallManager).await;
    ada.set_up_app().await;
    let (_, bob) = world.person("bob@example.com").await;
    let (secret, _) = bob.set_up_app().await;
    world.pass(601);
    let path = format!(
        "/v1/agencies/{}/users/{ada_id}/two-factor",
        world.app.agency
    );
    let reset = async || bob.call("DELETE", &path, Value::Null).await;
    let refused = reset().await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.json["type"], "/problems/confirmation-required");
    let next = refused.json["next"].as_str().unwrap();
    assert!(next.contains("/v1/session/confirm"), "{next}");
    assert_eq!(ada.get("/v1/session").await.status, 200, "nothing yet");
    let code = json!({"method": "app", "code": world.code(&secret, 0)});
    assert_eq!(bob.post("/v1/session/confirm", code).await.status, 204);
    world.notices().await;
    assert_eq!(reset().await.status, 204);
    assert_eq!(
        ada.get("/v1/session").await.status,
        401,
        "its sessions are over"
    );
    assert_eq!(
        ada.log_in(ADA, PASSWORD).await.status,
        201,
        "without a second factor"
    );
    let told = world.notices().await;
    let hers =
        |n: &serde_json::Value| n["notice"] == "two_factor_changed" && n["user"] == ada_id.as_str();
    assert_eq!(told.iter().filter(|n| hers(n)).count(), 1, "{told:?}");
    // Once more there is nothing to reset: nobody is logged out or told for that.
    assert_eq!(reset().await.status, 204);
    assert_eq!(ada.get("/v1/session").await.status, 200);
    assert!(world.notices().await.is_empty());
    let (entries, _) = world
        .app
        .app
        .history_before(&world.app.agency, 100, None)
        .await
        .unwrap();
    let item = format!("users/{ada_id}/two-factor");
    let resets = entries
        .iter()
        .filter(|entry| entry.item == item && entry.action == Action::Delete);
    assert_eq!(resets.count(), 1);
}

#[tokio::test]
async fn a_second_factor_is_reset_from_above_only() {
    let world = World::new().await;
    let (ada_id, ada) = world.person(ADA).await;
    ada.set_up_app().await;
    let (_, peer) = world.person("peer@example.com").await;
    let (below_id, below) = world
        .person_as("below@example.com", Role::Administrator)
        .await;
    below.set_up_app().await;
    let agency = |user: &str| {
        let agency = &world.app.agency;
        format!("/v1/agencies/{agency}/users/{user}/two-factor")
    };
    let account = |user: &str| {
        let account = &world.app.account;
        format!("/v1/accounts/{account}/users/{user}/two-factor")
    };
    for (who, browser, path, status) in [
        ("a peer", &peer, agency(&ada_id), 403),
        ("oneself", &ada, agency(&ada_id), 403),
        ("from below", &below, agency(&ada_id), 404),
        ("oneself at the account", &below, account(&below_id), 403),
        ("who is none of the account's", &peer, account(&ada_id), 404),
        ("from above", &peer, account(&below_id), 204),
    ] {
        let answer = browser.call("DELETE", &path, Value::Null).await;
        assert_eq!(answer.status, status, "{who} {}", answer.json);
    }
    assert!(world.user(&ada_id).await.two_factor.app);
    assert!(!world.user(&below_id).await.two_factor.app);
    // The operator's key stands above everybody: the way out where all administrators lost theirs.
    let key = format!("Bearer {}", world.app.key);
    let headers = [("authorization", key.as_str())];
    let answer = world
        .browser()
        .send("DELETE", &agency(&ada_id), &headers, "", Vec::new())
        .await;
    assert_eq!(answer.status, 204, "{}", answer.json);
    assert!(!world.user(&ada_id).await.two_factor.app);
}

#[tokio::test]
async fn credentials_stand_in_no_row_in_the_clear() {
    let world = World::new().await;
    let (id, ada) = world.person(ADA).await;
    let (secret, codes) = ada.set_up_app().await;
    ada.post(
        "/v1/session/two-factor/sms",
        json!({"phone": "+14155550132"}),
    )
    .await;
    let sent = world.notice("sms_code").await["code"]
        .as_str()
        .unwrap()
        .to_owned();
    let asked = ada.log_in(ADA, PASSWORD).await;
    let attempt = asked.json["attempt"].as_str().unwrap().to_owned();
    let app = &world.app.app;
    let mut query = ringfence_ports::Query::partition(format!("usr/{id}"));
    query.limit = 1000;
    let rows = app.table.query(query).await.unwrap().rows;
    assert!(rows.len() > 5);
    let session = ada.cookie(SESSION).unwrap();
    let secrets = [
        PASSWORD,
        &secret,
        &codes[0],
        "4155550132",
        session.split_once('.').unwrap().1,
        attempt.split_once('.').unwrap().1,
    ];
    for row in rows {
        for secret in secrets {
            assert!(
                !row.doc.contains(secret) && !row.key.sk.contains(secret),
                "{:?}",
                row.key
            );
        }
        assert!(!row.doc.contains(&format!("\"{sent}\"")));
    }
    let (entries, _) = app
        .history_before(&world.app.agency, 100, None)
        .await
        .unwrap();
    let history = serde_json::to_string(&entries).unwrap();
    for secret in secrets {
        assert!(!history.contains(secret));
    }
    assert!(history.contains(&format!("users/{id}/two-factor")));
}
