//! The second factor: asked when it must be, and each code opens once.

use futures_util::future::join_all;
use ringfence_domain::session::LIFETIME;
use serde_json::json;

use crate::world::{PASSWORD, World, seconds};

const ADA: &str = "ada@example.com";

#[tokio::test]
async fn a_hundred_logins_with_one_code_are_one_session() {
    let world = World::new().await;
    let (_, first) = world.person(ADA).await;
    let (secret, _) = first.set_up_app().await;
    // A hundred devices of its own, so that nothing but the code itself stands in the way of any.
    let browsers: Vec<_> = (0..100).map(|_| world.browser()).collect();
    for browser in &browsers {
        assert_eq!(browser.log_in_with(ADA, &secret).await.status, 201);
        world.pass(30);
    }
    // The sessions of before are over.
    world.pass(seconds(LIFETIME));
    let mut attempts = Vec::new();
    for browser in &browsers {
        let asked = browser.log_in(ADA, PASSWORD).await;
        attempts.push(asked.json["attempt"].as_str().unwrap().to_owned());
    }
    let code = world.code(&secret, 0);
    let answers = join_all(
        browsers
            .iter()
            .zip(&attempts)
            .map(|(browser, attempt)| browser.second(attempt, "app", &code)),
    )
    .await;
    let opened: Vec<_> = answers.iter().filter(|a| a.status == 201).collect();
    assert_eq!(opened.len(), 1);
    assert!(answers.iter().all(|a| a.status == 201 || a.status == 403));
    let winner = browsers
        .iter()
        .zip(&answers)
        .find(|(_, a)| a.status == 201)
        .unwrap()
        .0;
    let sessions = winner.get("/v1/sessions").await.json;
    assert_eq!(sessions["items"].as_array().unwrap().len(), 1);
    // And it stays used.
    let again = world.browser();
    assert_eq!(again.log_in_with(ADA, &secret).await.status, 403);
    world.pass(30);
    assert_eq!(again.log_in_with(ADA, &secret).await.status, 201);
}

#[tokio::test]
async fn fifty_logins_with_one_recovery_code_are_one_session() {
    let world = World::new().await;
    let (id, first) = world.person(ADA).await;
    let (secret, codes) = first.set_up_app().await;
    assert_eq!(codes.len(), 10);
    let browsers: Vec<_> = (0..50).map(|_| world.browser()).collect();
    let mut attempts = Vec::new();
    for browser in &browsers {
        assert_eq!(browser.log_in_with(ADA, &secret).await.status, 201);
        world.pass(30);
    }
    for browser in &browsers {
        let asked = browser.log_in(ADA, PASSWORD).await;
        attempts.push(asked.json["attempt"].as_str().unwrap().to_owned());
    }
    let typed = codes[3].to_lowercase().replace('-', " ");
    let answers = join_all(
        browsers
            .iter()
            .zip(&attempts)
            .map(|(browser, attempt)| browser.second(attempt, "recovery_code", &typed)),
    )
    .await;
    assert_eq!(answers.iter().filter(|a| a.status == 201).count(), 1);
    assert!(answers.iter().all(|a| a.status == 201 || a.status == 403));
    assert_eq!(world.user(&id).await.two_factor.recovery_left, 9);
    let again = first.log_in(ADA, PASSWORD).await;
    let attempt = again.json["attempt"].as_str().unwrap();
    assert_eq!(
        first
            .second(attempt, "recovery_code", &codes[3])
            .await
            .status,
        403
    );
    assert_eq!(
        first
            .second(attempt, "recovery_code", &codes[4])
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn a_login_has_five_guesses_however_they_come() {
    let world = World::new().await;
    let (_, ada) = world.person(ADA).await;
    let (secret, _) = ada.set_up_app().await;
    let asked = ada.log_in(ADA, PASSWORD).await;
    let attempt = asked.json["attempt"].as_str().unwrap();
    let wrong = (0..50).map(|guess| {
        let (ada, guess) = (&ada, format!("{guess:06}"));
        async move { ada.second(attempt, "app", &guess).await }
    });
    let answers = join_all(wrong).await;
    let evaluated = answers.iter().filter(|a| a.status == 403).count();
    assert!(evaluated <= 5, "{evaluated} were looked at");
    assert!(
        answers
            .iter()
            .all(|a| [403, 410, 429].contains(&a.status.as_u16()))
    );
    // Not even the right one, now or later.
    let right = ada.second(attempt, "app", &world.code(&secret, 0)).await;
    assert_eq!(right.status, 410);
    world.pass(310);
    assert_eq!(
        ada.second(attempt, "app", &world.code(&secret, 0))
            .await
            .status,
        410
    );
    // A new login begins anew, once the lock of the codes is over.
    assert_eq!(ada.log_in_with(ADA, &secret).await.status, 201);
}

#[tokio::test]
async fn guessing_by_one_login_after_another_is_locked_too() {
    let world = World::new().await;
    let (_, ada) = world.person(ADA).await;
    ada.set_up_app().await;
    let thief = world.browser();
    let mut evaluated = 0;
    for guess in 0..20 {
        let asked = thief.log_in(ADA, PASSWORD).await;
        let attempt = asked.json["attempt"].as_str().unwrap();
        let answer = thief.second(attempt, "app", &format!("{guess:06}")).await;
        evaluated += usize::from(answer.status == 403);
    }
    assert_eq!(evaluated, 5);
    world.notice("locked").await;
}

#[tokio::test]
async fn codes_of_the_future_the_past_and_other_logins_are_refused() {
    let world = World::new().await;
    let (_, ada) = world.person(ADA).await;
    let (secret, _) = ada.set_up_app().await;
    let (_, bob) = world.person("bob@example.com").await;
    bob.set_up_app().await;
    world.pass(30);
    for steps in [1, 2, -2, 1000] {
        let asked = ada.log_in(ADA, PASSWORD).await;
        let attempt = asked.json["attempt"].as_str().unwrap().to_owned();
        let code = world.code(&secret, steps);
        assert_eq!(
            ada.second(&attempt, "app", &code).await.status,
            403,
            "{steps}"
        );
        // The one before the present one is taken: who types slowly is in time.
        let late = ada.second(&attempt, "app", &world.code(&secret, -1)).await;
        assert_eq!(late.status, 201, "{:?}", late.json);
        world.pass(60);
    }
    // Of another person.
    let asked = bob.log_in("bob@example.com", PASSWORD).await;
    let attempt = asked.json["attempt"].as_str().unwrap();
    assert_eq!(
        bob.second(attempt, "app", &world.code(&secret, 0))
            .await
            .status,
        403
    );
    // With what is no login at all, or one that took too long.
    for wrong in ["", "x", &attempt[1..], &attempt.replace("usr_", "usr_0")] {
        assert_eq!(bob.second(wrong, "app", "000000").await.status, 410);
    }
    let asked = ada.log_in(ADA, PASSWORD).await;
    let attempt = asked.json["attempt"].as_str().unwrap();
    world.pass(15 * 60 + 1);
    assert_eq!(
        ada.second(attempt, "app", &world.code(&secret, 0))
            .await
            .status,
        410
    );
}

#[tokio::test]
async fn a_code_by_sms_is_good_for_ten_minutes_and_for_its_own_login() {
    let world = World::new().await;
    let (id, ada) = world.person(ADA).await;
    ada.post(
        "/v1/session/two-factor/sms",
        json!({"phone": "+1 (415) 555-0132"}),
    )
    .await;
    let sent = world.notice("sms_code").await;
    assert_eq!(sent["to"], "+14155550132");
    let done = ada
        .post(
            "/v1/session/two-factor/sms/confirm",
            json!({"code": sent["code"]}),
        )
        .await;
    assert_eq!(done.json["state"], "set");
    assert!(world.user(&id).await.two_factor.sms);

    let ask = async || {
        let asked = ada.log_in(ADA, PASSWORD).await;
        assert_eq!(asked.json["methods"], json!(["sms", "recovery_code"]));
        let attempt = asked.json["attempt"].as_str().unwrap().to_owned();
        let sending = ada
            .post("/v1/session/second-factor/sms", json!({"attempt": attempt}))
            .await;
        assert_eq!(sending.status, 202, "{}", sending.json);
        let code = world.notice("sms_code").await["code"]
            .as_str()
            .unwrap()
            .to_owned();
        (attempt, code)
    };
    let (one, code_one) = ask().await;
    let (two, code_two) = ask().await;
    assert_eq!(
        ada.second(&one, "sms", &code_two).await.status,
        403,
        "of another login"
    );
    assert_eq!(ada.second(&two, "sms", &code_two).await.status, 201);
    assert_eq!(ada.second(&two, "sms", &code_two).await.status, 410, "once");
    world.pass(599);
    assert_eq!(ada.second(&one, "sms", &code_one).await.status, 201);
    let (late, code) = ask().await;
    world.pass(601);
    assert_eq!(
        ada.second(&late, "sms", &code).await.status,
        403,
        "after ten minutes"
    );
    // Each login sends three at most, and only the last one works.
    let (attempt, first) = ask().await;
    let again = json!({"attempt": attempt});
    let path = "/v1/session/second-factor/sms";
    assert_eq!(ada.post(path, again.clone()).await.status, 202);
    assert_eq!(ada.post(path, again.clone()).await.status, 202);
    assert_eq!(ada.post(path, again).await.status, 409);
    assert_eq!(ada.second(&attempt, "sms", &first).await.status, 403);
}

#[tokio::test]
async fn every_thirty_days_means_each_device_by_itself() {
    let world = World::new().await;
    world
        .security(json!({"two_factor": {"ask": "every_30_days"}}))
        .await;
    let (_, ada) = world.person(ADA).await;
    let (secret, _) = ada.set_up_app().await;
    assert_eq!(ada.log_in_with(ADA, &secret).await.status, 201);
    world.pass(29 * 86_400);
    assert_eq!(ada.log_in(ADA, PASSWORD).await.status, 201, "not asked");
    assert_eq!(
        world.browser().log_in(ADA, PASSWORD).await.status,
        202,
        "another device"
    );
    world.pass(86_400 + 1);
    assert_eq!(
        ada.log_in(ADA, PASSWORD).await.status,
        202,
        "thirty days are over"
    );
    assert_eq!(ada.log_in_with(ADA, &secret).await.status, 201);
    // A new password is asked with everything again.
    let new = "several quite different words";
    let change = json!({"password": PASSWORD, "new_password": new});
    assert_eq!(
        ada.call("PUT", "/v1/session/password", change).await.status,
        204
    );
    assert_eq!(ada.log_in(ADA, new).await.status, 202);
    // And whoever was not asked has not shown it lately.
    world
        .security(json!({"two_factor": {"ask": "every_login"}}))
        .await;
    assert_eq!(ada.log_in(ADA, new).await.status, 202);
}
