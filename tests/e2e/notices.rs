//! What makes a mail, from its cause to the outbox: a receiver that answers 410, one that fails for days,
//! a PIN that is guessed at.

use std::time::Duration;

use ringfence_domain::people::Role;
use ringfence_ports::Email;
use ringfence_test_support::{Answer, Receiver, Response, TestApp, sha256_hex, wav};
use serde_json::{Value, json};

const HOUR: Duration = Duration::from_hours(1);

struct World {
    app: TestApp,
    receiver: Receiver,
    calls: std::cell::Cell<usize>,
}

impl World {
    /// An account whose call records go to a receiver, and two who administer it.
    async fn new() -> Self {
        let app = TestApp::new()
            .await
            .serving(ringfence_local::api::functions());
        app.pins.cheapen();
        let receiver = Receiver::start().await;
        let world = Self {
            app,
            receiver,
            calls: std::cell::Cell::new(0),
        };
        world
            .settings("callbacks", json!({"cdr": {"url": world.receiver.url()}}))
            .await;
        for role in [
            Role::Administrator,
            Role::Administrator,
            Role::AgencyAdministrator,
            Role::CallManager,
        ] {
            world.app.sign_in_as(role).await;
        }
        world.mails().await;
        world
    }

    async fn call(&self, method: &str, rest: &str, body: Value) -> Response {
        let path = format!("/v1/accounts/{}{rest}", self.app.account);
        self.app.request(method, &path, body).await
    }

    async fn settings(&self, area: &str, document: Value) {
        let path = format!("/v1/accounts/{}/settings/{area}", self.app.account);
        let headers = [("if-match", "\"0\"")];
        let saved = self
            .app
            .request_as(Some(&self.app.key), "PUT", &path, &headers, document)
            .await;
        assert_eq!(saved.status, 200, "{}", saved.json);
    }

    /// A call ends.
    async fn call_ends(&self) {
        let n = self.calls.replace(self.calls.get() + 1);
        let event = json!({"id": format!("e-{n}"), "type": "cdr.created", "timestamp": "2026-01-31T07:10:00Z",
            "data": {"call_id": format!("c-{n}"), "direction": "inbound", "from": "+4915112345678",
                "to": "+4943112345", "started_at": "2026-01-31T07:00:00Z",
                "ended_at": "2026-01-31T07:05:00Z", "duration": 300, "billsec": 290,
                "disposition": "answered"}});
        let posted = self.call("POST", "/events", event).await;
        assert_eq!(posted.status, 202, "{}", posted.json);
    }

    /// What was mailed since the last time.
    async fn mails(&self) -> Vec<Email> {
        self.app.drain().await;
        self.app.post.mails()
    }

    async fn callback(&self) -> Value {
        let list = self.call("GET", "/callbacks", Value::Null).await;
        let items = list.json["items"].as_array().unwrap();
        items
            .iter()
            .find(|one| one["callback"] == "cdr")
            .unwrap_or_else(|| panic!("{}", list.json))
            .clone()
    }
}

/// The two administrators of the account got one mail each, of this subject, and nobody else any.
fn one_each(mails: &[Email], subject: &str) {
    let mut to: Vec<_> = mails.iter().map(|mail| mail.to.as_str()).collect();
    to.sort_unstable();
    to.dedup();
    assert_eq!((mails.len(), to.len()), (2, 2), "{to:?}");
    for mail in mails {
        assert_eq!(mail.subject, subject);
    }
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_switched_off_and_each_administrator_gets_one_mail() {
    let world = World::new().await;
    world.receiver.always(Some(Answer::status(410)));
    for _ in 0..5 {
        world.call_ends().await;
    }
    let mails = world.mails().await;
    one_each(&mails, "A callback of Sample account was switched off");
    let text = &mails[0].text;
    assert!(text.contains("410 Gone"), "{text}");
    let resume = format!("/v1/accounts/{}/callbacks/cdr/resume", world.app.account);
    assert!(text.contains(&resume), "what to do next: {text}");
    // Held from now on, and no further word of it.
    for _ in 0..3 {
        world.call_ends().await;
        world.app.after(HOUR).await;
    }
    assert_eq!(world.mails().await.len(), 0);

    // Mended: what was held arrives. Gone once more: one more mail.
    world.receiver.take();
    world.receiver.always(None);
    let resumed = world
        .call("POST", "/callbacks/cdr/resume", Value::Null)
        .await;
    assert_eq!(resumed.status, 200, "{}", resumed.json);
    world.app.after(HOUR).await;
    assert!(world.receiver.posts().len() >= 3);
    assert_eq!(world.mails().await.len(), 0);
    world.receiver.always(Some(Answer::status(410)));
    world.call_ends().await;
    let mails = world.mails().await;
    one_each(&mails, "A callback of Sample account was switched off");
}

#[tokio::test]
async fn an_endpoint_that_fails_for_five_days_is_switched_off_with_one_mail_and_not_before() {
    let world = World::new().await;
    world.receiver.always(Some(Answer::status(500)));
    for hour in 0..=5 * 24 {
        if hour % 6 == 0 {
            world.call_ends().await;
        }
        world.app.after(HOUR).await;
        if hour < 5 * 24 - 1 {
            assert_eq!(world.mails().await.len(), 0, "after {hour} hours");
        }
    }
    for _ in 0..24 {
        world.call_ends().await;
        world.app.after(HOUR).await;
    }
    let mails = world.mails().await;
    one_each(&mails, "A callback of Sample account was switched off");
    assert!(mails[0].text.contains("failed for five days"));
    let state = world.callback().await;
    assert!(state.to_string().contains("disabled_at"), "{state}");
}

#[tokio::test]
async fn a_pin_that_is_guessed_at_is_locked_and_each_administrator_gets_one_mail() {
    let world = World::new().await;
    world
        .settings("recordings", json!({"access": "pin", "pin": "402817"}))
        .await;
    let audio = wav(1);
    let facts = json!({"call_id": "c-1", "started_at": "2026-01-31T07:00:00Z", "duration": 1,
        "content_type": "audio/wav", "size": audio.len(), "sha256": sha256_hex(&audio)});
    let made = world.call("POST", "/recordings", facts).await;
    let id = made.json["id"].as_str().unwrap();
    let path = format!("/v1/accounts/{}/recordings/{id}/audio", world.app.account);
    let stored = world
        .app
        .request_raw(Some(&world.app.key), "PUT", &path, &[], "audio/wav", audio)
        .await;
    assert_eq!(stored.status, 200, "{}", stored.json);
    let link = world
        .call("POST", &format!("/recordings/{id}/links"), json!({}))
        .await;
    let link = link.json["url"].as_str().unwrap().to_owned();
    let give = async |pin: String| {
        let body = json!({"pin": pin});
        let answer = world.app.request_as(None, "POST", &link, &[], body).await;
        answer.status.as_u16()
    };
    let mut locked = 0;
    for n in 0..20 {
        match give(format!("{n:06}")).await {
            403 => {}
            429 => locked += 1,
            other => panic!("{other}"),
        }
    }
    assert!(locked >= 10, "{locked}");
    let mails = world.mails().await;
    one_each(&mails, "Too many wrong PINs at Sample account");
    for mail in &mails {
        let text = &mail.text;
        assert!(text.contains("Locked until") && text.contains(id), "{text}");
        assert!(!text.contains("402817"));
    }
    // The lock is over, and the PIN opens: nobody is told again.
    world.app.after(HOUR).await;
    assert!(give("402817".to_owned()).await < 400);
    assert_eq!(world.mails().await.len(), 0);
}
