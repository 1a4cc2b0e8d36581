//! Every change by anyone stands in a history, in its own name: each endpoint that is not a GET either
//! writes an entry, which is shown here, or is no change, for a reason that is given here.

use std::collections::{BTreeMap, BTreeSet};

use ringfence_domain::{access::Principal, history::Entry, people::Role, session::totp};
use ringfence_ports::Clock as _;
use ringfence_test_support::{Receiver, Response, SignedIn, TestApp, sha256_hex, wav};
use serde_json::{Value, json};

use super::{ENDPOINTS, app};

/// What changes nothing that anybody set: with the reason.
const NO_CHANGES: &[(&str, &[&str])] = &[
    (
        "what a platform or the billing system delivers is data, and stands there as itself",
        &[
            "POST /v1/accounts/{account}/events",
            "POST /v1/accounts/{account}/ingest/freeswitch",
            "POST /v1/accounts/{account}/ingest/twilio",
            "POST /v1/accounts/{account}/ingest/connect",
            "POST /v1/accounts/{account}/ingest/asterisk",
            "POST /v1/accounts/{account}/recordings",
            "POST /v1/accounts/{account}/recordings/{recording}/complete",
            "PUT /v1/accounts/{account}/recordings/{recording}/audio",
            "POST /v1/accounts/{account}/billing-notices",
        ],
    ),
    (
        "who listened stands in the log of that",
        &["POST /r/{token}"],
    ),
    (
        "logging in and out changes nobody's settings; the last login stands with the person",
        &[
            "POST /v1/session",
            "DELETE /v1/session",
            "DELETE /v1/sessions/{session}",
            "POST /v1/session/second-factor",
            "POST /v1/session/second-factor/sms",
            "POST /v1/session/heartbeat",
            "POST /v1/session/confirm",
            "POST /v1/session/confirm/sms",
        ],
    ),
    (
        "nothing is changed until it is confirmed",
        &[
            "POST /v1/session/two-factor/app",
            "POST /v1/session/two-factor/sms",
            "POST /v1/password-resets",
        ],
    ),
    (
        "it only looks",
        &[
            "POST /v1/accounts/{account}/history/verification",
            "POST /v1/agencies/{agency}/history/verification",
            "POST /v1/history/verification",
        ],
    ),
];

const PASSWORD: &str = "several quite different words";

/// Who takes a step.
#[derive(Clone, Copy)]
enum Who<'a> {
    /// The operator's key.
    Key,
    Person(&'a SignedIn),
    /// Somebody who is not logged in, with a link that was mailed to this person.
    Link(&'a str),
}

struct Walk {
    app: TestApp,
    operator: String,
    ids: BTreeMap<&'static str, String>,
    seen: BTreeSet<String>,
}

impl Walk {
    async fn new() -> Self {
        let app = app().await;
        app.pins.cheapen();
        let caller = app.app.authenticate(&app.key, None).await.unwrap();
        let Principal::Key(key) = caller.principal else {
            panic!("a key is a key");
        };
        let ids = BTreeMap::from([
            ("account", app.account.clone()),
            ("agency", app.agency.clone()),
            ("callback", "cdr".to_owned()),
        ]);
        Self {
            operator: key.id.clone(),
            ids,
            seen: BTreeSet::new(),
            app,
        }
    }

    fn path(&self, template: &str) -> String {
        self.ids
            .iter()
            .fold(template.to_owned(), |path, (name, id)| {
                path.replace(&format!("{{{name}}}"), id)
            })
    }

    async fn send(
        &self,
        who: Who<'_>,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Response {
        match who {
            Who::Key => {
                self.app
                    .request_as(Some(&self.app.key), method, path, headers, body)
                    .await
            }
            Who::Person(person) => {
                self.app
                    .request_of(person, method, path, headers, body)
                    .await
            }
            Who::Link(_) => self.app.request_as(None, method, path, headers, body).await,
        }
    }

    async fn newest(&self, owner: &str, count: usize) -> Vec<Entry> {
        let found = self.app.app.history_before(owner, count, None).await;
        found.unwrap().0
    }

    /// Takes a step, which must leave an entry by whoever took it. Answers the answer, and the entry.
    async fn step(
        &mut self,
        who: Who<'_>,
        method: &str,
        template: &str,
        body: Value,
    ) -> (Value, Entry) {
        let path = self.path(template);
        let mut etag = "\"0\"".to_owned();
        if matches!(method, "PUT" | "PATCH") {
            let read = self.send(who, "GET", &path, &[], Value::Null).await;
            if let Some(found) = read.headers.get("etag") {
                found.to_str().unwrap().clone_into(&mut etag);
            }
        }
        let mut owner = if template.starts_with("/v1/accounts/{account}") {
            self.app.account.clone()
        } else if template.starts_with("/v1/agencies/{agency}") || !matches!(who, Who::Key) {
            self.app.agency.clone()
        } else {
            "platform".to_owned()
        };
        let mut before = self
            .newest(&owner, 1)
            .await
            .first()
            .map_or(0, |one| one.seq);
        let answer = self
            .send(who, method, &path, &[("if-match", &etag)], body)
            .await;
        let what = format!("{method} {template}");
        assert!(
            answer.status.is_success(),
            "{what} {} {}",
            answer.status,
            answer.json
        );
        if ["POST /v1/agencies", "POST /v1/agencies/{agency}/accounts"].contains(&what.as_str()) {
            // What is new begins a history of its own.
            answer.json["id"].as_str().unwrap().clone_into(&mut owner);
            before = 0;
        }
        let actor = match who {
            Who::Key => self.operator.as_str(),
            Who::Person(person) => person.id.as_str(),
            Who::Link(id) => id,
        };
        let entries = self.newest(&owner, 10).await;
        let entry = entries
            .into_iter()
            .find(|entry| entry.seq > before && entry.actor == actor)
            .unwrap_or_else(|| panic!("{what} left no entry by {actor}"));
        self.seen.insert(what);
        (answer.json, entry)
    }

    async fn key_step(&mut self, method: &str, template: &str, body: Value) -> Value {
        self.step(Who::Key, method, template, body).await.0
    }

    /// The same, of something new whose id later steps need.
    async fn make(&mut self, name: &'static str, template: &str, body: Value) {
        let made = self.key_step("POST", template, body).await;
        let id = made["id"].as_str().unwrap_or_else(|| panic!("{made}"));
        self.ids.insert(name, id.to_owned());
    }

    async fn settings(&mut self, url: &str) {
        for level in ["/v1/accounts/{account}", "/v1/agencies/{agency}"] {
            let at = |rest: &str| format!("{level}{rest}");
            let name = json!({"name": "Another name"});
            self.key_step("PATCH", level, name).await;
            let key = json!({"name": "k", "scopes": ["calls:read"]});
            self.make("key", &at("/api-keys"), key).await;
            self.key_step("DELETE", &at("/api-keys/{key}"), Value::Null)
                .await;
            let callbacks = at("/settings/callbacks");
            self.key_step("PUT", &callbacks, json!({"cdr": {"url": url}}))
                .await;
            let patch = json!({"cdr": {"timeout_seconds": 20}});
            self.key_step("PATCH", &callbacks, patch).await;
            let security = at("/settings/security");
            for (method, on) in [("PUT", true), ("PATCH", false)] {
                let body = json!({"phone_number_masking": on});
                self.key_step(method, &security, body).await;
            }
            let recordings = at("/settings/recordings");
            for (method, days) in [("PUT", 14), ("PATCH", 15)] {
                let body = json!({"link_days": days});
                self.key_step(method, &recordings, body).await;
            }
            let rotate = at("/callbacks/{callback}/secret/rotate");
            self.key_step("POST", &rotate, json!({})).await;
        }
        let sources = "/v1/accounts/{account}/settings/sources";
        let token = json!({"twilio": {"auth_token": "0123456789abcdef0123456789abcdef"}});
        self.key_step("PUT", sources, token).await;
        self.key_step("PATCH", sources, json!({"twilio": null}))
            .await;
        self.key_step("POST", "/v1/agencies", json!({"name": "New"}))
            .await;
        let accounts = "/v1/agencies/{agency}/accounts";
        self.key_step("POST", accounts, json!({"name": "New"}))
            .await;
    }

    async fn callbacks(&mut self) {
        let at = |rest: &str| format!("/v1/accounts/{{account}}/callbacks/{{callback}}/{rest}");
        self.key_step("POST", &at("test"), Value::Null).await;
        self.key_step("POST", &at("pause"), Value::Null).await;
        self.key_step("POST", &at("resume"), Value::Null).await;
        let event = json!({"id": "e-1", "type": "cdr.created", "timestamp": "2026-01-31T07:10:00Z",
            "data": {"call_id": "c-1", "direction": "inbound", "from": "+4915112345678",
                "to": "+4943112345", "started_at": "2026-01-31T07:00:00Z",
                "ended_at": "2026-01-31T07:05:00Z", "duration": 300, "billsec": 290,
                "disposition": "answered"}});
        let events = self.path("/v1/accounts/{account}/events");
        assert_eq!(self.app.request("POST", &events, event).await.status, 202);
        self.app.drain().await;
        let deliveries = self.path("/v1/accounts/{account}/deliveries");
        let list = self.app.request("GET", &deliveries, Value::Null).await;
        let id = list.json["items"][0]["id"].as_str().unwrap();
        self.ids.insert("delivery", id.to_owned());
        let resend = "/v1/accounts/{account}/deliveries/{delivery}/resend";
        let (_, entry) = self.step(Who::Key, "POST", resend, Value::Null).await;
        assert_eq!(entry.before["status"], "delivered");
        self.app.drain().await;
        let body = json!({"status": ["delivered"], "dry_run": true});
        let before = self.newest(&self.app.account, 1).await;
        let dry = self
            .app
            .request("POST", &self.path(&at("replay")), body)
            .await;
        assert_eq!(dry.status, 202);
        assert_eq!(
            self.newest(&self.app.account, 1).await,
            before,
            "counting is no change"
        );
        let body = json!({"status": ["delivered"]});
        let (job, entry) = self.step(Who::Key, "POST", &at("replay"), body).await;
        let job = job["id"].as_str().unwrap();
        assert!(entry.item.ends_with(job), "{}", entry.item);
    }

    async fn recording(&mut self) {
        let audio = wav(1);
        let facts = json!({"call_id": "c-1", "started_at": "2026-01-31T07:00:00Z", "duration": 1,
            "content_type": "audio/wav", "size": audio.len(), "sha256": sha256_hex(&audio)});
        let at = self.path("/v1/accounts/{account}/recordings");
        let made = self.app.request("POST", &at, facts).await;
        assert_eq!(made.status, 201, "{}", made.json);
        let id = made.json["id"].as_str().unwrap().to_owned();
        let at = format!("{at}/{id}/audio");
        let stored = self
            .app
            .request_raw(Some(&self.app.key), "PUT", &at, &[], "audio/wav", audio)
            .await;
        assert_eq!(stored.status, 200, "{}", stored.json);
        self.ids.insert("recording", id);
    }

    async fn recordings(&mut self) {
        let all = "/v1/accounts/{account}/recordings";
        let at = |rest: &str| format!("{all}/{{recording}}{rest}");
        let sealed = json!({"encryption": "client"});
        let settings = "/v1/accounts/{account}/settings/recordings";
        self.key_step("PATCH", settings, sealed).await;
        self.recording().await;
        let rewrap = format!("{all}/rewrap");
        self.key_step("POST", &rewrap, json!({})).await;
        let pin = at("/pin");
        self.key_step("PUT", &pin, json!({"pin": "402817"})).await;
        self.key_step("DELETE", &pin, Value::Null).await;
        self.make("link", &at("/links"), json!({})).await;
        self.key_step("DELETE", &at("/links/{link}"), Value::Null)
            .await;
        self.key_step("DELETE", &at("/links"), Value::Null).await;
        let order = json!({"spans": [{"start_ms": 0, "end_ms": 100}], "keep_original": true});
        self.make("redaction", &at("/redactions"), order).await;
        self.app.drain().await;
        self.key_step("DELETE", &at("/original"), Value::Null).await;
        let hold = json!({"account": true, "reason": "Case 26-1042"});
        self.make("hold", "/v1/accounts/{account}/holds", hold)
            .await;
        let one = "/v1/accounts/{account}/holds/{hold}";
        self.key_step("DELETE", one, Value::Null).await;
        self.key_step("DELETE", &at(""), Value::Null).await;
        self.recording().await;
        let order = json!({"call_id": "c-1", "reason": "end of contract"});
        let deletions = "/v1/accounts/{account}/deletions";
        self.make("deletion", deletions, order).await;
        for step in ["stop", "resume"] {
            let at = format!("{deletions}/{{deletion}}/{step}");
            self.key_step("POST", &at, Value::Null).await;
        }
        let exports = "/v1/accounts/{account}/exports";
        let order = json!({"kind": "recordings", "links": true});
        self.make("export", exports, order).await;
        let one = format!("{exports}/{{export}}");
        self.key_step("DELETE", &one, Value::Null).await;
    }

    async fn people(&mut self) {
        for (level, grant) in [
            (
                "/v1/accounts/{account}/users",
                json!({"role": "call_manager"}),
            ),
            (
                "/v1/agencies/{agency}/users",
                json!({"grants": [{"on": self.app.agency, "role": "agency_billing_manager"}]}),
            ),
            ("/v1/operators", json!({})),
        ] {
            let mut body = grant;
            body["email"] = format!("{}@example.com", level.len()).into();
            body["name"] = "Grace Holm".into();
            self.make("user", level, body).await;
            let at = |rest: &str| format!("{level}/{{user}}{rest}");
            let history = level.trim_end_matches("/users");
            let history = history.trim_end_matches("/operators");
            self.redactions(history, &at("")).await;
            for step in ["suspend", "reactivate", "invitation"] {
                self.key_step("POST", &at(&format!("/{step}")), Value::Null)
                    .await;
            }
            self.key_step("DELETE", &at(""), Value::Null).await;
            if !level.contains("accounts") {
                self.key_step("POST", &at("/erasure"), Value::Null).await;
            }
            // Somebody with a second factor.
            let role = match level {
                "/v1/operators" => Role::Operator,
                _ => Role::CallManager,
            };
            let somebody = self.app.sign_in_as(role).await;
            self.set_number(&somebody, "/v1/session/two-factor/sms")
                .await;
            self.ids.insert("user", somebody.id);
            self.key_step("DELETE", &at("/two-factor"), Value::Null)
                .await;
        }
        for (name, all, one) in [
            (
                "team",
                "/v1/accounts/{account}/teams",
                "/v1/accounts/{account}/teams/{team}",
            ),
            (
                "group",
                "/v1/agencies/{agency}/access-groups",
                "/v1/agencies/{agency}/access-groups/{group}",
            ),
        ] {
            self.make(name, all, json!({"name": "N"})).await;
            self.key_step("PATCH", one, json!({"name": "M"})).await;
            self.key_step("DELETE", one, Value::Null).await;
        }
    }

    /// What is recorded of the person that was just made is erased from the history of `level`.
    async fn redactions(&mut self, level: &str, user: &str) {
        let owner = match level {
            "/v1" => "platform".to_owned(),
            "/v1/agencies/{agency}" => self.app.agency.clone(),
            _ => self.app.account.clone(),
        };
        let made = self.newest(&owner, 1).await[0].seq;
        self.ids.insert("seq", made.to_string());
        self.key_step("PATCH", user, json!({"name": "Grace"})).await;
        let one = format!("{level}/history/{{seq}}/redaction");
        self.key_step("POST", &one, Value::Null).await;
        let all = format!("{level}/history/redactions");
        let person = json!({"person": self.ids["user"]});
        self.key_step("POST", &all, person).await;
    }

    /// Sets a number for codes by SMS.
    async fn set_number(&mut self, person: &SignedIn, start: &str) {
        let who = Who::Person(person);
        let body = json!({"phone": "+14155550132"});
        let begun = self.send(who, "POST", start, &[], body).await;
        assert_eq!(begun.status, 202, "{}", begun.json);
        self.app.drain().await;
        let code: String = self.app.post.texts()[0].text.chars().take(6).collect();
        let confirm = format!("{start}/confirm");
        let done = self
            .send(who, "POST", &confirm, &[], json!({"code": code}))
            .await;
        assert_eq!(done.status, 200, "{}", done.json);
    }

    async fn oneself(&mut self) {
        let admin = self.app.sign_in_as(Role::AgencyAdministrator).await;
        let who = Who::Person(&admin);
        self.step(who, "PATCH", "/v1/me", json!({"name": "Ada"}))
            .await;
        let support = "/v1/agencies/{agency}/support-access";
        self.step(who, "PUT", support, json!({"hours": 1})).await;
        self.step(who, "DELETE", support, Value::Null).await;

        let sms = "/v1/session/two-factor/sms";
        let body = json!({"phone": "+14155550132"});
        self.send(who, "POST", sms, &[], body).await;
        self.app.drain().await;
        let code: String = self.app.post.texts()[0].text.chars().take(6).collect();
        let confirm = format!("{sms}/confirm");
        self.step(who, "POST", &confirm, json!({"code": code}))
            .await;
        let app = "/v1/session/two-factor/app";
        self.send(who, "POST", app, &[], Value::Null).await;
        let user = self.app.app.user(&admin.id).await.unwrap().unwrap().value;
        let pending = self.app.app.pending_app(&user).await.unwrap().unwrap();
        let code = pending.secret.code(totp::step_at(self.app.clock.now()));
        let confirm = format!("{app}/confirm");
        self.step(who, "POST", &confirm, json!({"code": code}))
            .await;
        let codes = "/v1/session/two-factor/recovery-codes";
        self.step(who, "POST", codes, Value::Null).await;
        self.step(who, "DELETE", app, Value::Null).await;
        self.step(who, "DELETE", sms, Value::Null).await;
        let body = json!({"password": "correct horse battery staple", "new_password": PASSWORD});
        self.step(who, "PUT", "/v1/session/password", body).await;

        // With links that were mailed.
        self.app.drain().await;
        self.app.post.mails();
        let email = user.email.as_str();
        let asked = self
            .app
            .request_as(
                None,
                "POST",
                "/v1/password-resets",
                &[],
                json!({"email": email}),
            )
            .await;
        assert_eq!(asked.status, 202);
        let token = self.mailed("/reset/").await;
        let body = json!({"token": token, "password": PASSWORD});
        let link = Who::Link(&admin.id);
        self.step(link, "POST", "/v1/password-resets/complete", body)
            .await;
        let body = json!({"email": "new@example.com", "name": "New", "role": "call_agent"});
        self.make("user", "/v1/accounts/{account}/users", body)
            .await;
        let token = self.mailed("/invitation/").await;
        let body = json!({"token": token, "password": PASSWORD});
        let invited = self.ids["user"].clone();
        let link = Who::Link(&invited);
        self.step(link, "POST", "/v1/invitations/accept", body)
            .await;
    }

    /// What the last mailed link of this kind ends with.
    async fn mailed(&self, part: &str) -> String {
        self.app.drain().await;
        let mails = self.app.post.mails();
        let line = mails
            .iter()
            .flat_map(|mail| mail.text.lines())
            .rfind(|line| line.contains(part))
            .unwrap();
        line.split_once(part).unwrap().1.trim().to_owned()
    }
}

#[tokio::test]
async fn every_endpoint_that_changes_something_leaves_an_entry_by_who_did_it() {
    let mut walk = Walk::new().await;
    let receiver = Receiver::start().await;
    walk.settings(&receiver.url()).await;
    walk.callbacks().await;
    walk.recordings().await;
    walk.people().await;
    walk.oneself().await;
    let no_changes: BTreeSet<String> = NO_CHANGES
        .iter()
        .flat_map(|(_, endpoints)| endpoints.iter().map(|one| (*one).to_owned()))
        .collect();
    let all: BTreeSet<String> = ENDPOINTS
        .iter()
        .filter(|(method, ..)| *method != "GET")
        .map(|(method, path, ..)| format!("{method} {path}"))
        .collect();
    let told: BTreeSet<String> = walk.seen.union(&no_changes).cloned().collect();
    assert_eq!(walk.seen.intersection(&no_changes).next(), None);
    let forgotten: Vec<_> = all.difference(&told).collect();
    assert!(forgotten.is_empty(), "{forgotten:?}");
    let gone: Vec<_> = told.difference(&all).collect();
    assert!(gone.is_empty(), "{gone:?}");
    // And the chains are whole.
    for owner in [&walk.app.account, &walk.app.agency, "platform"] {
        let verified = walk.app.app.verify_history(owner, None, None).await;
        assert_eq!(verified.unwrap().bad, None, "{owner}");
    }
}
