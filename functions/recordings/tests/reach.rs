//! What people hear of an account: their own, their teams', what their access control groups let
//! through, and with a PIN where a team asks one.

use ringfence_domain::{
    access::Owner,
    history::Actor,
    people::{Grant, Role},
};
use ringfence_test_support::{Response, SignedIn, TestApp, sha256_hex, wav};
use serde_json::{Value, json};

async fn app() -> TestApp {
    TestApp::new().await.serving(
        ringfence_recordings::router()
            .merge(ringfence_ingest::router())
            .merge(ringfence_activities::router())
            .merge(ringfence_settings::router()),
    )
}

/// Registers and stores a recording.
async fn recording(app: &TestApp, call: &str, agent: &str, team: &str) -> String {
    let audio = wav(2);
    let body = json!({"call_id": call, "started_at": "2026-01-31T07:00:00Z", "duration": 2,
        "content_type": "audio/wav", "size": audio.len(), "sha256": sha256_hex(&audio), "agent_id": agent, "team": team, "tags": ["recorded"],
        "from": "+4915112345678", "to": "+4943112345"});
    let path = format!("/v1/accounts/{}/recordings", app.account);
    let made = app.request("POST", &path, body).await;
    assert_eq!(made.status, 201, "{}", made.json);
    let id = made.json["id"].as_str().unwrap().to_owned();
    let path = format!("{path}/{id}/audio");
    let key = Some(app.key.as_str());
    let stored = app
        .request_raw(key, "PUT", &path, &[], "audio/wav", audio)
        .await;
    assert_eq!(stored.status, 200, "{}", stored.json);
    id
}

/// Posts the call's record.
async fn call(app: &TestApp, call: &str, agent: &str, disposition: &str, tag: &str) {
    let event = json!({"id": format!("{call}-1"), "type": "cdr.created", "timestamp": "2026-01-31T07:10:00Z",
        "data": {"call_id": call, "direction": "inbound", "from": "+4915112345678", "to": "+4943112345",
            "agent_id": agent, "started_at": "2026-01-31T07:00:00Z", "ended_at": "2026-01-31T07:05:00Z",
            "duration": 300, "billsec": 290, "disposition": disposition, "tags": [tag],
            "source": {"source": "Ads"}}});
    let path = format!("/v1/accounts/{}/events", app.account);
    let posted = app.request("POST", &path, event).await;
    assert_eq!(posted.status, 202, "{}", posted.json);
    assert_eq!(
        posted.json["rejected"].as_u64().unwrap_or(0),
        0,
        "{}",
        posted.json
    );
}

async fn get(app: &TestApp, person: &SignedIn, path: &str) -> Response {
    app.request_of(person, "GET", path, &[], Value::Null).await
}

async fn listed(app: &TestApp, person: &SignedIn) -> Vec<String> {
    let path = format!("/v1/accounts/{}/recordings", app.account);
    let page = get(app, person, &path).await;
    assert_eq!(page.status, 200, "{}", page.json);
    let mut ids: Vec<_> = page.json["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

fn grant(app: &TestApp, role: Role, change: impl FnOnce(&mut Grant)) -> Vec<Grant> {
    let mut grant = Grant::new(Owner::Account(app.account.clone()), role);
    change(&mut grant);
    vec![grant]
}

async fn team(app: &TestApp, document: Value) -> String {
    let account = app.app.find_account(&app.account).await.unwrap().unwrap();
    app.app
        .create_team(&account.value, document, &Actor::system())
        .await
        .unwrap()
        .value
        .id
}

async fn group(app: &TestApp, document: Value) -> String {
    app.app
        .create_access_group(&app.agency, document, &Actor::system())
        .await
        .unwrap()
        .value
        .id
}

/// Everything about a recording that is out of reach answers as about one that is not there.
async fn is_absent(app: &TestApp, person: &SignedIn, id: &str) {
    let absent = "rec_019c1310e4007a70858c50c604032a8a";
    for part in ["", "/audio", "/links", "/listens"] {
        let base = format!("/v1/accounts/{}/recordings", app.account);
        let there = get(app, person, &format!("{base}/{id}{part}")).await;
        let nowhere = get(app, person, &format!("{base}/{absent}{part}")).await;
        assert_eq!(there.status, 404, "{part} {}", there.json);
        assert_eq!(there.bytes, nowhere.bytes, "{part}");
    }
}

#[tokio::test]
async fn an_agent_reads_and_hears_its_own_only() {
    let app = app().await;
    call(&app, "c-1", "ada", "answered", "a").await;
    call(&app, "c-2", "bob", "answered", "a").await;
    let own = recording(&app, "c-1", "ada", "sales").await;
    let other = recording(&app, "c-2", "bob", "sales").await;
    let ada = app
        .sign_in(grant(&app, Role::CallAgent, |grant| {
            grant.agent = Some("ada".to_owned());
        }))
        .await;
    let nobody = app.sign_in(grant(&app, Role::CallAgent, |_| {})).await;
    let manager = app.sign_in(grant(&app, Role::CallManager, |_| {})).await;

    assert_eq!(listed(&app, &ada).await, std::slice::from_ref(&own));
    assert!(listed(&app, &nobody).await.is_empty());
    assert_eq!(listed(&app, &manager).await.len(), 2);
    let path = format!("/v1/accounts/{}/recordings/{own}/audio", app.account);
    assert_eq!(get(&app, &ada, &path).await.status, 302);
    is_absent(&app, &ada, &other).await;
    is_absent(&app, &nobody, &own).await;
    // Asking for somebody else's by the filter finds nothing either.
    let path = format!("/v1/accounts/{}/recordings?agent_id=bob", app.account);
    assert_eq!(get(&app, &ada, &path).await.json["items"], json!([]));

    let calls = |id: &str| format!("/v1/accounts/{}/calls/{id}", app.account);
    assert_eq!(get(&app, &ada, &calls("c-1")).await.status, 200);
    let foreign = get(&app, &ada, &calls("c-2")).await;
    assert_eq!(foreign.status, 404);
    assert_eq!(foreign.bytes, get(&app, &ada, &calls("c-9")).await.bytes);
}

#[tokio::test]
async fn teams_let_hear_their_recordings_only() {
    let app = app().await;
    call(&app, "c-1", "ada", "answered", "a").await;
    call(&app, "c-2", "bob", "voicemail", "a").await;
    let sales = recording(&app, "c-1", "ada", "sales").await;
    let care = recording(&app, "c-2", "bob", "care").await;
    let selling = team(&app, json!({"name": "Sales", "label": "sales"})).await;
    let caring = team(
        &app,
        json!({"name": "Care", "label": "care", "recording_access_settings": {"voicemail_only": true}}),
    )
    .await;
    let off = team(
        &app,
        json!({"name": "Off", "label": "sales", "recording_access_settings": {"status": "disabled"}}),
    )
    .await;
    for (teams, expected) in [
        (vec![selling.clone()], vec![sales.clone()]),
        (vec![caring.clone()], vec![care.clone()]),
        (vec![off], vec![]),
        (vec![selling, caring.clone()], {
            let mut both = vec![sales.clone(), care.clone()];
            both.sort();
            both
        }),
    ] {
        let manager = app
            .sign_in(grant(&app, Role::CallManager, |grant| grant.teams = teams))
            .await;
        assert_eq!(listed(&app, &manager).await, expected);
        // Calls are not limited by teams.
        let path = format!("/v1/accounts/{}/calls/c-1", app.account);
        assert_eq!(get(&app, &manager, &path).await.status, 200);
    }
    // An agent hears its own besides.
    let agent = app
        .sign_in(grant(&app, Role::CallAgent, |grant| {
            grant.agent = Some("ada".to_owned());
            grant.teams = vec![caring];
        }))
        .await;
    let mut both = vec![sales.clone(), care];
    both.sort();
    assert_eq!(listed(&app, &agent).await, both);
}

#[tokio::test]
async fn a_teams_pin_is_asked_and_guessing_is_paid_for() {
    let app = app().await;
    call(&app, "c-1", "ada", "answered", "a").await;
    let id = recording(&app, "c-1", "ada", "sales").await;
    let selling = team(
        &app,
        json!({"name": "Sales", "label": "sales", "recording_access_settings": {"password_protected": true}}),
    )
    .await;
    let manager = app
        .sign_in(grant(&app, Role::CallManager, |grant| {
            grant.teams = vec![selling];
        }))
        .await;
    let base = format!("/v1/accounts/{}/recordings/{id}", app.account);
    let path = format!("{base}/audio");
    let refused = get(&app, &manager, &path).await;
    assert_eq!(refused.json["type"], "/problems/pin-required");
    let with = async |pin: &str| {
        app.request_of(
            &manager,
            "GET",
            &path,
            &[("ringfence-pin", pin)],
            Value::Null,
        )
        .await
    };
    // Nobody gets in before there is a PIN.
    assert_eq!(with("402817").await.json["type"], "/problems/pin-locked");
    let set = app
        .request("PUT", &format!("{base}/pin"), json!({"pin": "402817"}))
        .await;
    assert!(set.status.is_success(), "{}", set.json);
    // Nor to what opens a recording that is encrypted to the customer's key.
    let key = format!("{base}/key");
    let refused = get(&app, &manager, &key).await;
    assert_eq!(refused.json["type"], "/problems/pin-required");
    let pin = [("ringfence-pin", "402817")];
    let none = app
        .request_of(&manager, "GET", &key, &pin, Value::Null)
        .await;
    assert_eq!(none.status, 404, "no such key: {}", none.json);
    assert_eq!(with("x").await.json["type"], "/problems/wrong-pin");
    assert_eq!(with("402817").await.status, 302);
    for _ in 0..5 {
        assert_eq!(with("111111").await.json["type"], "/problems/wrong-pin");
    }
    let locked = with("402817").await;
    assert_eq!(locked.status, 429);
    assert_eq!(locked.headers["retry-after"], "901");
}

#[tokio::test]
async fn groups_filter_calls_and_recordings_and_hide_columns() {
    let app = app().await;
    call(&app, "c-1", "ada", "answered", "vip").await;
    call(&app, "c-2", "ada", "busy", "other").await;
    let first = recording(&app, "c-1", "ada", "sales").await;
    let second = recording(&app, "c-2", "ada", "sales").await;
    let narrow = group(
        &app,
        json!({"name": "G", "tags": ["vip"], "numbers": ["+49 431 12345"], "sources": ["Ads"],
            "columns": ["recording", "from"]}),
    )
    .await;
    let manager = app
        .sign_in(grant(&app, Role::ReportManager, |grant| {
            grant.access_group = Some(narrow.clone());
        }))
        .await;
    let calls = |id: &str| format!("/v1/accounts/{}/calls/{id}", app.account);
    let seen = get(&app, &manager, &calls("c-1")).await;
    assert_eq!(
        seen.json,
        json!({"call_id": "c-1", "account_id": app.account,
            "data": {"call_id": "c-1", "from": "+4915112345678",
                "recording": {"id": first, "duration": 2}}})
    );
    assert_eq!(get(&app, &manager, &calls("c-2")).await.status, 404);
    assert_eq!(listed(&app, &manager).await, std::slice::from_ref(&first));
    is_absent(&app, &manager, &second).await;
    let path = format!("/v1/accounts/{}/recordings/{first}", app.account);
    let one = get(&app, &manager, &path).await;
    assert_eq!(one.json["from"], "+4915112345678");
    for hidden in ["to", "agent_id", "team", "tags", "started_at", "duration"] {
        assert!(one.json.get(hidden).is_none(), "{hidden}");
    }
    // What is hidden cannot be found out by a filter either.
    for query in [
        "agent_id=ada",
        "team=sales",
        "tag=recorded",
        "shorter_than=10",
    ] {
        let path = format!("/v1/accounts/{}/recordings?{query}", app.account);
        assert_eq!(get(&app, &manager, &path).await.json["items"], json!([]));
    }

    // A group that hides recordings, one by role, and one that is gone.
    let blind = group(&app, json!({"name": "H", "roles": ["call_manager"]})).await;
    let by_role = app.sign_in(grant(&app, Role::CallManager, |_| {})).await;
    assert!(listed(&app, &by_role).await.is_empty());
    let found = app.app.access_group(&app.agency, &blind).await.unwrap();
    app.app
        .delete_access_group(&app.agency, found, &Actor::system())
        .await
        .unwrap();
    assert_eq!(listed(&app, &by_role).await.len(), 2);
    let found = app.app.access_group(&app.agency, &narrow).await.unwrap();
    app.app
        .delete_access_group(&app.agency, found, &Actor::system())
        .await
        .unwrap();
    assert!(listed(&app, &manager).await.is_empty());
    assert_eq!(get(&app, &manager, &calls("c-1")).await.status, 404);
    // Administrators are never narrowed.
    let admin = app.sign_in(grant(&app, Role::Administrator, |_| {})).await;
    assert_eq!(listed(&app, &admin).await.len(), 2);
}

#[tokio::test]
async fn a_page_of_recordings_reads_each_call_once() {
    let app = app().await;
    call(&app, "c-1", "ada", "answered", "vip").await;
    let narrow = group(
        &app,
        json!({"name": "G", "tags": ["vip"], "columns": ["recording"]}),
    )
    .await;
    let manager = app
        .sign_in(grant(&app, Role::ReportManager, |grant| {
            grant.access_group = Some(narrow);
        }))
        .await;
    let mut cost = Vec::new();
    for count in [1, 12] {
        for _ in usize::from(count > 1)..count {
            recording(&app, "c-1", "ada", "sales").await;
        }
        listed(&app, &manager).await;
        app.counting.take();
        let seen = listed(&app, &manager).await.len();
        cost.push((app.counting.take().query, seen > 0));
    }
    assert_eq!(cost[0], cost[1], "queries of a page with 1 and with 12");
}

/// Posts a call's events, more than are looked at together.
async fn huge_call(app: &TestApp, call: &str) {
    let note = "x".repeat(250_000);
    let path = format!("/v1/accounts/{}/events", app.account);
    for batch in 0..4 {
        let events: Vec<Value> = (0..18)
            .map(|at| {
                json!({"id": format!("{call}-{batch}-{at}"), "type": "cdr.created", "timestamp": "2026-01-31T07:10:00Z",
                    "data": {"call_id": call, "tags": ["vip"], "agent_id": "ada", "source": {"note": note}}})
            })
            .collect();
        let posted = app.request("POST", &path, json!(events)).await;
        assert_eq!(posted.json["accepted"], 18, "{}", posted.json["errors"]);
    }
}

#[tokio::test]
async fn a_call_with_too_many_events_is_not_read_whole() {
    let app = app().await;
    huge_call(&app, "c-huge").await;
    call(&app, "c-1", "ada", "answered", "vip").await;
    let hidden = recording(&app, "c-huge", "ada", "sales").await;
    let seen = recording(&app, "c-1", "ada", "sales").await;
    let path = format!("/v1/accounts/{}/calls/c-huge", app.account);
    let refused = app.request("GET", &path, Value::Null).await;
    assert_eq!(refused.status, 409, "{}", refused.json);
    let detail = refused.json["detail"].as_str().unwrap();
    assert!(detail.contains("10000 events, or 16 MiB"), "{detail}");

    // What cannot be judged is not seen; what need not be is.
    let narrow = group(
        &app,
        json!({"name": "G", "tags": ["vip"], "columns": ["recording"]}),
    )
    .await;
    let narrowed = app
        .sign_in(grant(&app, Role::ReportManager, |grant| {
            grant.access_group = Some(narrow);
        }))
        .await;
    assert_eq!(listed(&app, &narrowed).await, std::slice::from_ref(&seen));
    is_absent(&app, &narrowed, &hidden).await;
    let manager = app.sign_in(grant(&app, Role::CallManager, |_| {})).await;
    assert_eq!(listed(&app, &manager).await.len(), 2);
}

#[tokio::test]
async fn who_listened_from_where_is_for_managers_and_seconds_for_who_sees_durations() {
    let app = app().await;
    call(&app, "c-1", "ada", "answered", "vip").await;
    let id = recording(&app, "c-1", "ada", "sales").await;
    let base = format!("/v1/accounts/{}/recordings/{id}", app.account);
    let audio = app
        .request("GET", &format!("{base}/audio"), Value::Null)
        .await;
    assert_eq!(audio.status, 302);
    let listens = format!("{base}/listens");
    let manager = app.sign_in(grant(&app, Role::CallManager, |_| {})).await;
    let seen = get(&app, &manager, &listens).await.json["items"][0].clone();
    assert!(seen["user"].as_str().unwrap().starts_with("key_"), "{seen}");
    assert_eq!(seen["to_second"], 2);

    let agent = app
        .sign_in(grant(&app, Role::CallAgent, |grant| {
            grant.agent = Some("ada".to_owned());
        }))
        .await;
    let seen = get(&app, &agent, &listens).await.json["items"][0].clone();
    assert_eq!(seen["to_second"], 2);
    for hidden in ["user", "address", "link"] {
        assert!(seen.get(hidden).is_none(), "{hidden}: {seen}");
    }

    let narrow = group(
        &app,
        json!({"name": "G", "tags": ["vip"], "columns": ["recording"]}),
    )
    .await;
    let narrowed = app
        .sign_in(grant(&app, Role::ReportManager, |grant| {
            grant.access_group = Some(narrow);
        }))
        .await;
    let seen = get(&app, &narrowed, &listens).await.json["items"][0].clone();
    assert!(seen["at"].is_string(), "{seen}");
    assert!(seen.get("to_second").is_none() && seen.get("from_second").is_none());
}
