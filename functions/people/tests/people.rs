//! Users, groups, teams, support access and one's own profile, over HTTP.

use http::StatusCode;
use ringfence_domain::{
    access::{Owner, Scope},
    history::{Action, Actor, FileVerifier, PublicKey},
    people::{Grant, Home, Role},
};
use ringfence_test_support::{Response, SignedIn, TestApp};
use serde_json::{Value, json};

async fn app() -> TestApp {
    TestApp::new().await.serving(
        ringfence_people::router()
            .merge(ringfence_settings::router())
            .merge(ringfence_history::router()),
    )
}

fn users(app: &TestApp) -> String {
    format!("/v1/accounts/{}/users", app.account)
}

async fn send(app: &TestApp, person: &SignedIn, method: &str, path: &str, body: Value) -> Response {
    app.request_of(person, method, path, &[], body).await
}

async fn patch(app: &TestApp, person: &SignedIn, path: &str, body: Value) -> Response {
    let read = send(app, person, "GET", path, Value::Null).await;
    let etag = read
        .headers
        .get("etag")
        .map_or("\"0\"", |etag| etag.to_str().unwrap());
    app.request_of(person, "PATCH", path, &[("if-match", etag)], body)
        .await
}

async fn invite(app: &TestApp, person: &SignedIn, role: &str, email: &str) -> Response {
    let body = json!({"email": email, "name": "Grace Holm", "role": role});
    send(app, person, "POST", &users(app), body).await
}

#[tokio::test]
async fn an_invited_person_is_listed_and_can_log_in_by_its_link_only() {
    let app = app().await;
    let admin = app.sign_in_as(Role::Administrator).await;
    let made = invite(&app, &admin, "call_manager", "grace@example.com").await;
    assert_eq!(made.status, 201, "{}", made.json);
    assert_eq!(made.json["status"], "invited");
    assert_eq!(made.json["last_login"], "never");
    assert_eq!(made.json["grants"][0]["role"], "call_manager");
    let path = format!("{}/{}", users(&app), made.json["id"].as_str().unwrap());
    assert_eq!(made.headers["location"], path.as_str());

    // The same address again, however it is written, and from elsewhere.
    let again = invite(&app, &admin, "call_agent", "Grace@Example.com").await;
    assert_eq!(again.status, 409);
    let other = app
        .app
        .create_agency("Other", &Actor::system())
        .await
        .unwrap()
        .value;
    let stranger = Grant::new(Owner::Agency(other.id.clone()), Role::AgencyAdministrator);
    let stranger = app
        .sign_in_at(Home::Agency(other.id.clone()), vec![stranger])
        .await;
    let body = json!({"email": "grace@example.com", "name": "G", "grants": [
        {"on": other.id, "role": "agency_billing_manager"}]});
    let path = format!("/v1/agencies/{}/users", other.id);
    assert_eq!(send(&app, &stranger, "POST", &path, body).await.status, 409);

    app.clock.advance(std::time::Duration::from_hours(3));
    let key = app
        .key_for(Owner::Account(app.account.clone()), &[Scope::PeopleRead])
        .await;
    let list = app
        .request_as(Some(&key), "GET", &users(&app), &[], Value::Null)
        .await;
    let items = list.json["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(items[0]["last_login"], "3 hours ago");
    assert_eq!(items[0]["last_login_at"], "2026-01-31T08:00:00Z");
    assert_eq!(items[1]["status"], "invited");
    let invited = format!("{}?status=invited", users(&app));
    let list = app
        .request_as(Some(&key), "GET", &invited, &[], Value::Null)
        .await;
    assert_eq!(list.json["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn one_grants_roles_below_ones_own_only() {
    let app = app().await;
    let admin = app.sign_in_as(Role::Administrator).await;
    for (at, role) in Role::ALL.into_iter().enumerate() {
        let made = invite(&app, &admin, role.as_str(), &format!("u{at}@example.com")).await;
        let expected = match role {
            Role::Administrator => StatusCode::FORBIDDEN,
            Role::AgencyBillingManager | Role::AgencyAdministrator | Role::Operator => {
                StatusCode::BAD_REQUEST
            }
            _ => StatusCode::CREATED,
        };
        assert_eq!(made.status, expected, "{role:?} {}", made.json);
    }
    let above = app.sign_in_as(Role::AgencyAdministrator).await;
    let made = invite(&app, &above, "administrator", "new@example.com").await;
    assert_eq!(made.status, 201);
    let path = format!("/v1/agencies/{}/users", app.agency);
    let body = json!({"email": "peer@example.com", "name": "Peer", "grants": [
        {"on": app.agency, "role": "agency_administrator"}]});
    assert_eq!(send(&app, &above, "POST", &path, body).await.status, 403);

    // Neither by a change: of a peer, or of oneself.
    let manager = app.sign_in_as(Role::CallManager).await;
    let path = format!("{}/{}", users(&app), manager.id);
    let promoted = patch(&app, &admin, &path, json!({"role": "administrator"})).await;
    assert_eq!(promoted.status, 403);
    let changed = patch(&app, &admin, &path, json!({"role": "report_manager"})).await;
    assert_eq!(changed.status, 200, "{}", changed.json);
    assert_eq!(changed.json["grants"][0]["role"], "report_manager");
}

#[tokio::test]
async fn a_key_grants_no_role_that_can_do_more_than_the_key() {
    let app = app().await;
    let owner = Owner::Agency(app.agency.clone());
    let weak = app.key_for(owner.clone(), &[Scope::PeopleWrite]).await;
    let strong = app.key_for(owner, &Scope::ALL).await;
    for (key, role, status) in [
        (&weak, "administrator", 403),
        (&weak, "call_agent", 403),
        (&weak, "billing_manager", 201),
        (&strong, "administrator", 201),
    ] {
        let body =
            json!({"email": format!("{role}{status}@example.com"), "name": "K", "role": role});
        let made = app
            .request_as(Some(key), "POST", &users(&app), &[], body)
            .await;
        assert_eq!(made.status, status, "{role} {}", made.json);
    }
}

#[tokio::test]
async fn a_suspended_person_is_out_at_once_and_in_again_only_after_a_new_login() {
    let app = app().await;
    let admin = app.sign_in_as(Role::Administrator).await;
    let manager = app.sign_in_as(Role::CallManager).await;
    assert_eq!(
        send(&app, &manager, "GET", "/v1/me", Value::Null)
            .await
            .status,
        200
    );
    let path = format!("{}/{}", users(&app), manager.id);
    let suspended = send(
        &app,
        &admin,
        "POST",
        &format!("{path}/suspend"),
        Value::Null,
    )
    .await;
    assert_eq!(suspended.json["status"], "suspended");
    assert_eq!(
        send(&app, &manager, "GET", "/v1/me", Value::Null)
            .await
            .status,
        401
    );
    let back = send(
        &app,
        &admin,
        "POST",
        &format!("{path}/reactivate"),
        Value::Null,
    )
    .await;
    assert_eq!(back.json["status"], "active");
    assert_eq!(
        send(&app, &manager, "GET", "/v1/me", Value::Null)
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn a_demotion_takes_effect_with_the_next_request() {
    let app = app().await;
    let above = app.sign_in_as(Role::AgencyAdministrator).await;
    app.sign_in_as(Role::Administrator).await;
    let admin = app.sign_in_as(Role::Administrator).await;
    assert_eq!(
        send(&app, &admin, "GET", &users(&app), Value::Null)
            .await
            .status,
        200
    );
    let path = format!("{}/{}", users(&app), admin.id);
    let demoted = patch(&app, &above, &path, json!({"role": "call_agent"})).await;
    assert_eq!(demoted.status, 200);
    assert_eq!(
        send(&app, &admin, "GET", &users(&app), Value::Null)
            .await
            .status,
        403
    );
}

#[tokio::test]
async fn the_last_administrator_cannot_leave() {
    let app = app().await;
    let above = app.sign_in_as(Role::AgencyAdministrator).await;
    let admin = app.sign_in_as(Role::Administrator).await;
    // Somebody who is only invited could not take over.
    invite(&app, &above, "administrator", "later@example.com").await;
    let path = format!("{}/{}", users(&app), admin.id);
    for person in [&admin, &above] {
        assert_eq!(
            send(&app, person, "DELETE", &path, Value::Null)
                .await
                .status,
            409
        );
        let suspend = format!("{path}/suspend");
        assert_eq!(
            send(&app, person, "POST", &suspend, Value::Null)
                .await
                .status,
            409
        );
        let demoted = patch(&app, person, &path, json!({"role": "call_agent"})).await;
        assert_eq!(demoted.status, 409);
    }
    let second = app.sign_in_as(Role::Administrator).await;
    assert_eq!(
        send(&app, &admin, "DELETE", &path, Value::Null)
            .await
            .status,
        204
    );
    let path = format!("{}/{}", users(&app), second.id);
    assert_eq!(
        send(&app, &second, "DELETE", &path, Value::Null)
            .await
            .status,
        409
    );
    let path = format!("/v1/agencies/{}/users/{}", app.agency, above.id);
    assert_eq!(
        send(&app, &above, "DELETE", &path, Value::Null)
            .await
            .status,
        409
    );
}

#[tokio::test]
async fn administrators_who_remove_each_other_at_once_leave_one() {
    let app = app().await;
    let mut people = Vec::new();
    for _ in 0..4 {
        people.push(app.sign_in_as(Role::Administrator).await);
    }
    let removals = people.iter().enumerate().map(|(at, person)| {
        let path = format!("{}/{}", users(&app), people[(at + 1) % people.len()].id);
        let app = &app;
        async move { send(app, person, "DELETE", &path, Value::Null).await.status }
    });
    let answers = futures_util::future::join_all(removals).await;
    let gone = answers.iter().filter(|status| **status == 204).count();
    assert!(gone < people.len(), "{answers:?}");
    let key = &app.key;
    let left = app
        .request_as(Some(key), "GET", &users(&app), &[], Value::Null)
        .await;
    let left = left.json["items"].as_array().unwrap().len();
    assert_eq!(left, people.len() - gone);
    assert!(left >= 1);
}

#[tokio::test]
async fn who_is_removed_loses_the_login_and_the_address_is_free() {
    let app = app().await;
    let admin = app.sign_in_as(Role::Administrator).await;
    let made = invite(&app, &admin, "call_manager", "grace@example.com").await;
    let path = format!("{}/{}", users(&app), made.json["id"].as_str().unwrap());
    assert_eq!(
        send(&app, &admin, "DELETE", &path, Value::Null)
            .await
            .status,
        204
    );
    for method in ["GET", "DELETE"] {
        assert_eq!(
            send(&app, &admin, method, &path, Value::Null).await.status,
            404
        );
    }
    let made = invite(&app, &admin, "call_agent", "grace@example.com").await;
    assert_eq!(made.status, 201);

    let manager = app.sign_in_as(Role::CallManager).await;
    let path = format!("{}/{}", users(&app), manager.id);
    send(&app, &admin, "DELETE", &path, Value::Null).await;
    assert_eq!(
        send(&app, &manager, "GET", "/v1/me", Value::Null)
            .await
            .status,
        401
    );
    // The agency still knows who it was.
    let above = app.sign_in_as(Role::AgencyAdministrator).await;
    let path = format!("/v1/agencies/{}/users?status=removed", app.agency);
    let removed = send(&app, &above, "GET", &path, Value::Null).await;
    assert_eq!(removed.json["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_account_neither_sees_nor_touches_roles_elsewhere() {
    let app = app().await;
    let other = app
        .app
        .create_account(&app.agency, "Other", &Actor::system())
        .await
        .unwrap()
        .value
        .id;
    let admin = app.sign_in_as(Role::Administrator).await;
    let both = app
        .sign_in(vec![
            Grant::new(Owner::Account(app.account.clone()), Role::CallManager),
            Grant::new(Owner::Account(other.clone()), Role::ReportManager),
        ])
        .await;
    let path = format!("{}/{}", users(&app), both.id);
    let read = send(&app, &admin, "GET", &path, Value::Null).await;
    assert_eq!(read.json["grants"].as_array().unwrap().len(), 1);
    assert!(!read.json.to_string().contains(&other));
    // Its role here, but neither its name nor whether it can log in.
    for (path, body) in [
        (path.clone(), json!({"name": "Somebody else"})),
        (path.clone(), json!({"profile": {"phone": "+4943112345"}})),
    ] {
        assert_eq!(patch(&app, &admin, &path, body).await.status, 409);
    }
    let suspend = format!("{path}/suspend");
    assert_eq!(
        send(&app, &admin, "POST", &suspend, Value::Null)
            .await
            .status,
        409
    );
    assert_eq!(
        send(&app, &admin, "DELETE", &path, Value::Null)
            .await
            .status,
        204
    );
    let me = send(&app, &both, "GET", "/v1/me", Value::Null).await;
    assert_eq!(me.json["grants"].as_array().unwrap().len(), 1);
    assert_eq!(me.json["grants"][0]["on"], other.as_str());
}

#[tokio::test]
async fn an_invitation_of_a_colleague_from_elsewhere_tells_nothing_of_them() {
    let app = app().await;
    let other = app
        .app
        .create_account(&app.agency, "Other", &Actor::system())
        .await
        .unwrap()
        .value
        .id;
    let elsewhere = Grant {
        agent: Some("agent-77".to_owned()),
        ..Grant::new(Owner::Account(other.clone()), Role::ReportManager)
    };
    let colleague = app.sign_in(vec![elsewhere]).await;
    let profile = json!({"profile": {"phone": "+4943112345", "title": "Head of Sales"}});
    assert_eq!(patch(&app, &colleague, "/v1/me", profile).await.status, 200);
    let me = send(&app, &colleague, "GET", "/v1/me", Value::Null)
        .await
        .json;
    let address = me["email"].as_str().unwrap();

    let admin = app.sign_in_as(Role::Administrator).await;
    let made = invite(&app, &admin, "call_manager", address).await;
    assert_eq!(made.status, 201, "{}", made.json);
    let path = format!("{}/{}", users(&app), colleague.id);
    let read = send(&app, &admin, "GET", &path, Value::Null).await;
    assert_eq!(read.json["grants"][0]["role"], "call_manager");
    let list = send(&app, &admin, "GET", &users(&app), Value::Null).await;
    patch(&app, &admin, &path, json!({"role": "call_agent"})).await;
    send(&app, &admin, "DELETE", &path, Value::Null).await;
    let history = format!(
        "/v1/accounts/{}/history?item=users/{}",
        app.account, colleague.id
    );
    let history = send(&app, &admin, "GET", &history, Value::Null).await;
    let items = history.json["items"].as_array().unwrap();
    assert_eq!(items.len(), 3, "{}", history.json);
    assert_eq!(items[2]["after"]["grants"][0]["role"], "call_manager");
    for shown in [&made, &read, &list, &history] {
        for hidden in [
            other.as_str(),
            "agent-77",
            "report_manager",
            "43112345",
            "Sales",
        ] {
            assert!(!shown.json.to_string().contains(hidden), "{}", shown.json);
        }
    }
    for hidden in ["two_factor", "last_login", "last_login_at", "notifications"] {
        assert!(read.json.get(hidden).is_none(), "{hidden}: {}", read.json);
    }
    assert!(!history.json.to_string().contains("two_factor"));
}

#[tokio::test]
async fn an_agency_gives_roles_on_its_own_accounts_only() {
    let app = app().await;
    let above = app.sign_in_as(Role::AgencyAdministrator).await;
    let system = Actor::system();
    let strange = app.app.create_agency("Other", &system).await.unwrap();
    let strange = app
        .app
        .create_account(&strange.value.id, "Strange", &system)
        .await
        .unwrap()
        .value
        .id;
    let path = format!("/v1/agencies/{}/users", app.agency);
    let absent = "acc_00000000000070008000000000000000";
    let mut answers = Vec::new();
    for on in [strange.as_str(), absent] {
        let body = json!({"email": "g@example.com", "name": "G", "grants": [{"on": on, "role": "call_agent"}]});
        let made = send(&app, &above, "POST", &path, body).await;
        assert_eq!(made.status, 400);
        answers.push(made.bytes);
    }
    assert_eq!(answers[0], answers[1]);
    let body = json!({"email": "g@example.com", "name": "G", "grants": [
        {"on": app.account, "role": "call_agent", "agent_id": "ada"},
        {"on": app.agency, "role": "agency_billing_manager"}]});
    let made = send(&app, &above, "POST", &path, body).await;
    assert_eq!(made.status, 201, "{}", made.json);
    assert_eq!(made.json["grants"][0]["agent_id"], "ada");
    let one = format!("{path}/{}", made.json["id"].as_str().unwrap());
    let body = json!({"grants": [{"on": app.agency, "role": "agency_billing_manager"}]});
    let changed = patch(&app, &above, &one, body).await;
    assert_eq!(changed.json["grants"].as_array().unwrap().len(), 1);
    let list = send(&app, &above, "GET", &users(&app), Value::Null).await;
    assert_eq!(list.json["items"], json!([]));
}

#[tokio::test]
async fn everything_that_is_wrong_with_an_invitation_is_told_at_once() {
    let app = app().await;
    let admin = app.sign_in_as(Role::Administrator).await;
    let body = json!({"email": "grace", "name": " ", "role": "boss", "access_group": "g", "teams": ["x"],
        "agent_id": "", "admin": true});
    let made = send(&app, &admin, "POST", &users(&app), body).await;
    assert_eq!(made.status, 400);
    let fields: Vec<_> = made.json["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    for field in [
        "email",
        "name",
        "role",
        "access_group",
        "teams.0",
        "agent_id",
        "admin",
    ] {
        assert!(fields.contains(&field), "{field} {fields:?}");
    }
    assert!(!made.json.to_string().contains("grace"));
    // What it names must be there.
    let absent = "00000000000070008000000000000000";
    for (name, value) in [
        ("access_group", json!(format!("grp_{absent}"))),
        ("teams", json!([format!("tea_{absent}")])),
    ] {
        let mut body = json!({"email": "a@example.com", "name": "A", "role": "call_agent"});
        body[name] = value;
        let made = send(&app, &admin, "POST", &users(&app), body).await;
        assert_eq!(made.json["errors"][0]["field"], name, "{}", made.json);
    }
}

#[tokio::test]
async fn a_lost_race_is_told_and_a_change_names_its_version() {
    let app = app().await;
    let admin = app.sign_in_as(Role::Administrator).await;
    let manager = app.sign_in_as(Role::CallManager).await;
    let path = format!("{}/{}", users(&app), manager.id);
    let body = json!({"role": "call_agent"});
    let bare = send(&app, &admin, "PATCH", &path, body.clone()).await;
    assert_eq!(bare.status, 428);
    let stale = app
        .request_of(&admin, "PATCH", &path, &[("if-match", "\"1\"")], body)
        .await;
    assert_eq!(stale.status, 412);
}

#[tokio::test]
async fn an_invitation_is_sent_again_until_it_was_followed() {
    let app = app().await;
    let admin = app.sign_in_as(Role::Administrator).await;
    let made = invite(&app, &admin, "call_agent", "grace@example.com").await;
    let path = format!("{}/{}", users(&app), made.json["id"].as_str().unwrap());
    let again = send(
        &app,
        &admin,
        "POST",
        &format!("{path}/invitation"),
        Value::Null,
    )
    .await;
    assert_eq!(again.status, 204);
    let own = format!("{}/{}/invitation", users(&app), admin.id);
    assert_eq!(
        send(&app, &admin, "POST", &own, Value::Null).await.status,
        409
    );
}

#[tokio::test]
async fn what_happened_to_people_is_on_record_without_their_names() {
    let app = app().await;
    let admin = app.sign_in_as(Role::Administrator).await;
    let made = invite(&app, &admin, "call_agent", "grace@example.com").await;
    let id = made.json["id"].as_str().unwrap();
    let path = format!("{}/{id}", users(&app));
    patch(&app, &admin, &path, json!({"role": "call_manager"})).await;
    send(&app, &admin, "DELETE", &path, Value::Null).await;
    let (entries, _) = app
        .app
        .history_before(&app.account, 10, None)
        .await
        .unwrap();
    let told: Vec<_> = entries
        .iter()
        .filter(|entry| entry.item == format!("users/{id}"))
        .map(|entry| entry.action)
        .collect();
    assert_eq!(told, [Action::Delete, Action::Update, Action::Create]);
    assert!(entries[0].actor == admin.id);
    let text = serde_json::to_string(&entries).unwrap();
    assert!(!text.contains("grace") && !text.contains("Grace"));
    assert!(text.contains("call_manager"));
}

#[tokio::test]
async fn operators_are_appointed_by_the_platforms_key_and_the_last_stays() {
    let app = app().await;
    let first = app.sign_in_as(Role::Operator).await;
    let body = json!({"email": "op@example.com", "name": "Op"});
    assert_eq!(
        send(&app, &first, "POST", "/v1/operators", body.clone())
            .await
            .status,
        403
    );
    let made = app.request("POST", "/v1/operators", body).await;
    assert_eq!(made.status, 201, "{}", made.json);
    let list = send(&app, &first, "GET", "/v1/operators", Value::Null).await;
    assert_eq!(list.json["items"].as_array().unwrap().len(), 2);
    let path = format!("/v1/operators/{}", first.id);
    assert_eq!(app.request("DELETE", &path, Value::Null).await.status, 409);
    let admin = app.sign_in_as(Role::AgencyAdministrator).await;
    assert_eq!(
        send(&app, &admin, "GET", "/v1/operators", Value::Null)
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn support_access_opens_the_agency_for_as_long_as_it_says_and_is_on_record() {
    let app = app().await;
    let operator = app.sign_in_as(Role::Operator).await;
    let above = app.sign_in_as(Role::AgencyAdministrator).await;
    let support = format!("/v1/agencies/{}/support-access", app.agency);
    let absent = "/v1/accounts/acc_00000000000070008000000000000000/users";
    let (closed, nowhere) = (
        send(&app, &operator, "GET", &users(&app), Value::Null).await,
        send(&app, &operator, "GET", absent, Value::Null).await,
    );
    assert_eq!(closed.status, 404);
    assert_eq!(closed.bytes, nowhere.bytes);

    // The operator does not let itself in, neither as a person nor by the platform's key.
    let body = json!({"hours": 4, "reason": "Callbacks do not arrive"});
    assert_eq!(
        send(&app, &operator, "PUT", &support, body.clone())
            .await
            .status,
        404
    );
    assert_eq!(app.request("PUT", &support, body.clone()).await.status, 403);
    for hours in [0, 169] {
        let wrong = send(&app, &above, "PUT", &support, json!({"hours": hours})).await;
        assert_eq!(wrong.status, 400);
    }
    let opened = send(&app, &above, "PUT", &support, body.clone()).await;
    assert_eq!(opened.json["open"], true);
    assert_eq!(opened.json["ends_at"], "2026-01-31T12:00:00Z");
    for _ in 0..3 {
        let inside = send(&app, &operator, "GET", &users(&app), Value::Null).await;
        assert_eq!(inside.status, 200, "{}", inside.json);
    }
    // It can neither keep the door open, nor make itself another one.
    let body = json!({"email": "own@example.com", "name": "O", "role": "administrator"});
    for (path, body) in [
        (users(&app), body),
        (
            format!("/v1/agencies/{}/api-keys", app.agency),
            json!({"name": "k", "scopes": ["calls:read"]}),
        ),
    ] {
        let made = send(&app, &operator, "POST", &path, body).await;
        assert_eq!(made.status, 403, "{path}");
    }
    assert_eq!(
        send(&app, &operator, "PUT", &support, json!({"hours": 168}))
            .await
            .status,
        403
    );
    // Nor does it leave anything behind that works for it when the door is shut: it reads settings, and
    // changes none.
    for (owner, area) in [
        (format!("accounts/{}", app.account), "callbacks"),
        (format!("accounts/{}", app.account), "recordings"),
        (format!("agencies/{}", app.agency), "security"),
    ] {
        let path = format!("/v1/{owner}/settings/{area}");
        let read = send(&app, &operator, "GET", &path, Value::Null).await;
        assert_eq!(read.status, 200, "{path}");
        let changed = patch(&app, &operator, &path, json!({})).await;
        assert_eq!(changed.status, 403, "{path} {}", changed.json);
    }
    let (entries, _) = app.app.history_before(&app.agency, 10, None).await.unwrap();
    let uses: Vec<_> = entries
        .iter()
        .filter(|entry| entry.action == Action::Use)
        .collect();
    assert_eq!(uses.len(), 1);
    assert_eq!(uses[0].actor, operator.id);

    app.clock
        .advance(std::time::Duration::from_secs(4 * 3600 - 1));
    let key = app
        .key_for(Owner::Agency(app.agency.clone()), &Scope::ALL)
        .await;
    let read = app
        .request_as(Some(&key), "GET", &support, &[], Value::Null)
        .await;
    assert_eq!(read.json["open"], true);
    app.clock.advance(std::time::Duration::from_secs(1));
    let read = app
        .request_as(Some(&key), "GET", &support, &[], Value::Null)
        .await;
    assert_eq!(read.json, json!({"open": false}));
    assert_eq!(
        app.request_as(Some(&key), "DELETE", &support, &[], Value::Null)
            .await
            .status,
        204
    );
}

#[tokio::test]
async fn closing_support_access_shuts_the_door_at_once() {
    let app = app().await;
    let operator = app.sign_in_as(Role::Operator).await;
    let above = app.sign_in_as(Role::AgencyAdministrator).await;
    let support = format!("/v1/agencies/{}/support-access", app.agency);
    send(&app, &above, "PUT", &support, json!({"hours": 1})).await;
    let agency = format!("/v1/agencies/{}/users", app.agency);
    assert_eq!(
        send(&app, &operator, "GET", &agency, Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(
        send(&app, &above, "DELETE", &support, Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(
        send(&app, &operator, "GET", &agency, Value::Null)
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn of_a_new_group_every_column_is_hidden() {
    let app = app().await;
    let above = app.sign_in_as(Role::AgencyAdministrator).await;
    let groups = format!("/v1/agencies/{}/access-groups", app.agency);
    let made = send(&app, &above, "POST", &groups, json!({"name": "New"})).await;
    assert_eq!(made.status, 201, "{}", made.json);
    assert_eq!(made.json["columns"], json!([]));
    let one = format!("{groups}/{}", made.json["id"].as_str().unwrap());
    let body = json!({"columns": ["from", "duration"], "statuses": ["answered", "ringing"], "numbers": ["+49 431 12345"]});
    let changed = patch(&app, &above, &one, body).await;
    assert_eq!(changed.json["columns"], json!(["from", "duration"]));
    for wrong in [
        json!({"columns": ["secret"]}),
        json!({"statuses": ["lost"]}),
        json!({"roles": ["administrator"]}),
        json!({"numbers": ["x"]}),
        json!({"tags": [1]}),
    ] {
        assert_eq!(patch(&app, &above, &one, wrong).await.status, 400);
    }
    let list = send(&app, &above, "GET", &groups, Value::Null).await;
    assert_eq!(list.json["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        send(&app, &above, "DELETE", &one, Value::Null).await.status,
        204
    );
    assert_eq!(
        send(&app, &above, "GET", &one, Value::Null).await.status,
        404
    );
    // Numbers stand in no history.
    let (entries, _) = app.app.history_before(&app.agency, 10, None).await.unwrap();
    assert!(!serde_json::to_string(&entries).unwrap().contains("12345"));
}

#[tokio::test]
async fn teams_say_what_their_members_hear() {
    let app = app().await;
    let admin = app.sign_in_as(Role::Administrator).await;
    let teams = format!("/v1/accounts/{}/teams", app.account);
    let made = send(
        &app,
        &admin,
        "POST",
        &teams,
        json!({"name": "Sales", "label": "sales"}),
    )
    .await;
    assert_eq!(made.status, 201, "{}", made.json);
    let id = made.json["id"].as_str().unwrap().to_owned();
    let one = format!("{teams}/{id}");
    let body = json!({"recording_access_settings": {"voicemail_only": true}, "transfer_to": [id], "live_listening": "disabled"});
    let changed = patch(&app, &admin, &one, body).await;
    assert_eq!(changed.status, 200, "{}", changed.json);
    let access = json!({"status": "enabled", "voicemail_only": true, "password_protected": false});
    assert_eq!(changed.json["recording_access_settings"], access);
    let body = json!({"email": "g@example.com", "name": "G", "role": "call_agent", "teams": [id]});
    let made = send(&app, &admin, "POST", &users(&app), body).await;
    assert_eq!(made.json["grants"][0]["recording_access_settings"], access);
    for wrong in [
        json!({"live_listening": "maybe"}),
        json!({"transfer_to": ["tea_00000000000070008000000000000000"]}),
        json!({"access_group": "grp_00000000000070008000000000000000"}),
        json!({"recording_access_settings": {"pin": "1"}}),
    ] {
        assert_eq!(patch(&app, &admin, &one, wrong).await.status, 400);
    }
    let list = send(
        &app,
        &admin,
        "GET",
        &format!("{teams}?limit=1"),
        Value::Null,
    )
    .await;
    assert_eq!(list.json["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        send(&app, &admin, "DELETE", &one, Value::Null).await.status,
        204
    );
}

#[tokio::test]
async fn ones_own_profile_is_ones_own() {
    let app = app().await;
    let agent = app.sign_in_as(Role::CallAgent).await;
    let me = send(&app, &agent, "GET", "/v1/me", Value::Null).await;
    assert_eq!(me.json["id"], agent.id.as_str());
    assert_eq!(me.json["reach"][0]["name"], "Sample account");
    assert_eq!(
        me.json["reach"][0]["scopes"],
        json!(["calls:read", "recordings:read"])
    );
    let body = json!({"name": "Ada Q.", "profile": {"phone": "+4943112345", "time_zone": "Europe/Berlin"}});
    let changed = patch(&app, &agent, "/v1/me", body).await;
    assert_eq!(changed.json["profile"]["phone"], "+4943112345");
    for wrong in [
        json!({"grants": []}),
        json!({"email": "x@example.com"}),
        json!({"profile": {"phone": "12"}}),
        json!({"profile": {"time_zone": "Mars/Olympus"}}),
        json!({"notifications": {"billing": false}}),
    ] {
        assert_eq!(patch(&app, &agent, "/v1/me", wrong).await.status, 400);
    }
    let above = app.sign_in_as(Role::AgencyAdministrator).await;
    let out = patch(
        &app,
        &above,
        "/v1/me",
        json!({"notifications": {"billing": false}}),
    )
    .await;
    assert_eq!(out.json["notifications"]["billing"], false);
    let key = app.request("GET", "/v1/me", Value::Null).await;
    assert_eq!(key.status, 403);
    let (entries, _) = app.app.history_before(&app.agency, 10, None).await.unwrap();
    assert!(
        !serde_json::to_string(&entries)
            .unwrap()
            .contains("43112345")
    );
}

#[tokio::test]
async fn every_documented_request_is_accepted_and_answered_as_documented() {
    let (_, api) = ringfence_people::router().split_for_parts();
    let api = serde_json::to_value(&api).unwrap();
    let mut tried = 0;
    for (template, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Some(content) = operation["requestBody"]["content"].as_object() else {
                continue;
            };
            let app = app().await;
            let above = app.sign_in_as(Role::AgencyAdministrator).await;
            let agent = app.sign_in_as(Role::CallAgent).await;
            let operator = app.sign_in_as(Role::Operator).await;
            let group = app
                .app
                .create_access_group(&app.agency, json!({"name": "G"}), &Actor::system())
                .await
                .unwrap();
            let account = app.app.find_account(&app.account).await.unwrap().unwrap();
            let team = app
                .app
                .create_team(&account.value, json!({"name": "T"}), &Actor::system())
                .await
                .unwrap();
            let user = if template.contains("operators") {
                &operator.id
            } else {
                &agent.id
            };
            let path = template
                .replace("{account}", &app.account)
                .replace("{agency}", &app.agency)
                .replace("{user}", user)
                .replace("{group}", &group.value.id)
                .replace("{team}", &team.value.id);
            let text = content.values().next().unwrap()["example"].to_string();
            let example: Value = serde_json::from_str(
                &text.replace("agy_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", &app.agency),
            )
            .unwrap();
            let who = if template == "/v1/operators" {
                None
            } else {
                Some(&above)
            };
            let answer = match (who, method.as_str()) {
                (None, _) => app.request("POST", &path, example).await,
                (Some(_), "patch") if template.contains("operators") => {
                    patch(&app, &operator, &path, example).await
                }
                (Some(above), "patch") => patch(&app, above, &path, example).await,
                (Some(above), _) => send(&app, above, &method.to_uppercase(), &path, example).await,
            };
            assert!(
                answer.status.is_success(),
                "{method} {template}: {}",
                answer.json
            );
            let documented = &operation["responses"][answer.status.as_str()]["content"]["application/json"]
                ["example"];
            assert_eq!(
                names(&answer.json, method),
                names(documented, method),
                "{method} {template}"
            );
            tried += 1;
        }
    }
    assert_eq!(tried, 12);
}

fn names(value: &Value, method: &str) -> Vec<String> {
    let mut names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
    // What a patch leaves as it was need not be what its example shows.
    if method == "patch" {
        names.truncate(2);
    }
    names
}

/// The export of a history, and that it verifies: by the API, and offline.
async fn verified(app: &TestApp, level: &str) -> String {
    let at = |rest: &str| format!("/v1{level}/history{rest}");
    let answer = app.request("POST", &at("/verification"), json!({})).await;
    assert_eq!(answer.json["status"], "verified", "{}", answer.json);
    let keys = app.request("GET", "/v1/history/keys", Value::Null).await;
    let key = PublicKey::parse(keys.json["keys"][0]["x"].as_str().unwrap());
    let file = app.request("GET", &at("/export"), Value::Null).await;
    let text = String::from_utf8(file.bytes).unwrap();
    let mut verifier = FileVerifier::new(key, None);
    text.lines().for_each(|line| verifier.line(line));
    assert_eq!(verifier.finish().bad, None);
    let list = app.request("GET", &at("?limit=100"), Value::Null).await;
    text + &list.json.to_string()
}

/// How often a text stands in another.
fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[tokio::test]
async fn who_was_removed_is_erased_from_every_history_and_the_chains_stay_valid() {
    let app = app().await;
    let admin = app.sign_in_as(Role::AgencyAdministrator).await;
    let gone = app
        .sign_in(vec![
            Grant::new(Owner::Agency(app.agency.clone()), Role::AgencyAdministrator),
            Grant::new(Owner::Account(app.account.clone()), Role::CallManager),
        ])
        .await;
    // It leaves traces: its name here and there, and its address with what it did.
    let team = json!({"name": "Sales"});
    let teams = format!("/v1/accounts/{}/teams", app.account);
    app.calling_from([203, 0, 113, 66]);
    assert_eq!(send(&app, &gone, "POST", &teams, team).await.status, 201);
    let named = patch(&app, &gone, "/v1/me", json!({"name": "Zelda Gone"})).await;
    assert_eq!(named.status, 200, "{}", named.json);
    app.calling_from([203, 0, 113, 77]);
    let here = format!("{}/{}", users(&app), gone.id);
    let changed = patch(&app, &admin, &here, json!({"role": "call_agent"})).await;
    assert_eq!(changed.status, 200, "{}", changed.json);
    let person = format!("/v1/agencies/{}/users/{}", app.agency, gone.id);
    let erase = format!("{person}/erasure");
    let early = send(&app, &admin, "POST", &erase, Value::Null).await;
    assert_eq!(early.status, 409, "{}", early.json);
    let removed = send(&app, &admin, "DELETE", &person, Value::Null).await;
    assert_eq!(removed.status, 204);

    let (account, agency) = (
        format!("/accounts/{}", app.account),
        format!("/agencies/{}", app.agency),
    );
    for level in [&account, &agency] {
        let text = verified(&app, level).await;
        for value in [
            "Zelda Gone",
            &format!("{}@example.com", gone.id),
            "203.0.113.66",
        ] {
            assert!(count(&text, value) > 0, "{level} {value}");
        }
    }
    // The chain itself never held any of it.
    for owner in [&app.account, &app.agency] {
        let (entries, _) = app.app.history_before(owner, 100, None).await.unwrap();
        let text = serde_json::to_string(&entries).unwrap();
        assert_eq!(count(&text, "Zelda") + count(&text, "203.0.113"), 0);
    }

    let erased = send(&app, &admin, "POST", &erase, Value::Null).await;
    assert_eq!(erased.status, 200, "{}", erased.json);
    assert!(
        erased.json["entries"].as_u64().unwrap() >= 5,
        "{}",
        erased.json
    );
    assert_eq!(erased.json["more"], false);
    for level in [&account, &agency] {
        let text = verified(&app, level).await;
        for value in [
            "Zelda Gone",
            &format!("{}@example.com", gone.id),
            "203.0.113.66",
        ] {
            assert_eq!(count(&text, value), 0, "{level} {value}");
        }
        // Nobody else's: the administrator's address stands with the changes that it made.
        assert!(count(&text, "203.0.113.77") > 0, "{level}");
        assert!(count(&text, "\"address_redacted\":true") > 0, "{level}");
    }
    let left = send(&app, &admin, "GET", &person, Value::Null).await;
    assert_eq!(left.json["name"], "");
    assert_eq!(left.json["email"], "");
    assert_eq!(left.json["erased_at"], "2026-01-31T08:00:00Z");
    let rows = ringfence_ports::Query {
        limit: 100,
        ..ringfence_ports::Query::partition(format!("usr/{}", gone.id))
    };
    for row in app.app.table.query(rows).await.unwrap().rows {
        let is_left = row.key.sk == "user" || row.key.sk.starts_with("hist/");
        assert!(is_left, "{:?}", row.key);
        assert!(!row.doc.contains("Zelda") && !row.doc.contains("example.com"));
    }
    // It is on record, once; asking again finds nothing.
    let again = send(&app, &admin, "POST", &erase, Value::Null).await;
    assert_eq!(again.json, json!({"entries": 0, "more": false}));
    let (entries, _) = app
        .app
        .history_before(&app.agency, 100, None)
        .await
        .unwrap();
    let item = format!("users/{}", gone.id);
    let told = entries
        .iter()
        .filter(|entry| entry.item == item && entry.action == Action::Redact);
    assert_eq!(told.count(), 1);
}

#[tokio::test]
async fn one_of_the_operators_team_is_erased_from_where_it_was_let_in_too() {
    let app = app().await;
    let operator = app.sign_in_as(Role::Operator).await;
    app.sign_in_as(Role::Operator).await;
    let above = app.sign_in_as(Role::AgencyAdministrator).await;
    let support = format!("/v1/agencies/{}/support-access", app.agency);
    send(&app, &above, "PUT", &support, json!({"hours": 1})).await;
    app.calling_from([203, 0, 113, 66]);
    let path = format!("/v1/agencies/{}", app.agency);
    let renamed = patch(&app, &operator, &path, json!({"name": "Mended"})).await;
    assert_eq!(renamed.status, 200, "{}", renamed.json);
    app.calling_from([203, 0, 113, 77]);
    let person = format!("/v1/operators/{}", operator.id);
    assert_eq!(
        app.request("DELETE", &person, Value::Null).await.status,
        204
    );
    let levels = [String::new(), format!("/agencies/{}", app.agency)];
    let email = format!("{}@example.com", operator.id);
    assert!(count(&verified(&app, &levels[0]).await, &email) > 0);
    assert!(count(&verified(&app, &levels[1]).await, "203.0.113.66") > 0);
    let erase = format!("{person}/erasure");
    let erased = app.request("POST", &erase, Value::Null).await;
    assert_eq!(erased.status, 200, "{}", erased.json);
    for level in levels {
        let text = verified(&app, &level).await;
        assert_eq!(count(&text, &email) + count(&text, "203.0.113.66"), 0);
    }
    // An agency erases its own people, not the operator's.
    let path = format!("/v1/agencies/{}/users/{}/erasure", app.agency, operator.id);
    assert_eq!(
        send(&app, &above, "POST", &path, Value::Null).await.status,
        404
    );
}

#[tokio::test]
async fn the_page_says_when_each_last_logged_in() {
    let app = app().await;
    let first = app.sign_in_as(Role::Administrator).await;
    invite(&app, &first, "call_manager", "grace@example.com").await;
    app.clock.advance(std::time::Duration::from_hours(3));
    let admin = app.sign_in_as(Role::AgencyAdministrator).await;
    let page = async |person: &SignedIn, path: &str| {
        let response = send(&app, person, "GET", path, Value::Null).await;
        let html = String::from_utf8(response.bytes.clone()).unwrap();
        (response.status, html)
    };
    let (status, agency) = page(&admin, "/people").await;
    assert_eq!(status, 200, "{agency}");
    // Of the agency, and of its accounts.
    assert!(agency.contains("grace@example.com") && agency.contains("Last login: never"));
    assert!(agency.contains("3 hours ago</time>"), "{agency}");
    // Exact where the pointer rests on it.
    let login = app.app.user(&first.id).await.unwrap().unwrap().value;
    let login = login
        .last_login_at
        .unwrap()
        .to_zoned(jiff::tz::TimeZone::UTC);
    let exact = login.strftime("title=\"%-d %B %Y, %H:%M UTC\"").to_string();
    assert!(agency.contains(&exact), "{exact} in {agency}");
    let account = format!("/people?of={}", app.account);
    let (status, account_page) = page(&admin, &account).await;
    assert_eq!(status, 200);
    assert!(account_page.contains("grace@example.com") && !account_page.contains(&admin.id));
    // Who may not list users sees no page of them, whosesoever it asks for.
    let agent = app.sign_in_as(Role::CallAgent).await;
    for path in [
        "/people",
        &account,
        "/people?of=agy_1",
        "/people?of=platform",
    ] {
        assert_eq!(page(&agent, path).await.0, 404, "{path}");
    }
    let stranger = app
        .app
        .create_agency("Other", &Actor::system())
        .await
        .unwrap()
        .value
        .id;
    let grant = Grant::new(Owner::Agency(stranger.clone()), Role::AgencyAdministrator);
    let stranger = app.sign_in_at(Home::Agency(stranger), vec![grant]).await;
    assert_eq!(page(&stranger, &account).await.0, 404);
    let nobody = app
        .request_as(None, "GET", "/people", &[], Value::Null)
        .await;
    assert_eq!(
        (
            nobody.status.as_u16(),
            nobody.headers["location"].to_str().unwrap()
        ),
        (303, "/login?next=/people")
    );
}

#[tokio::test]
async fn the_platform_asks_what_somebody_may_do_with_a_call() {
    let app = app().await;
    let teams = format!("/v1/accounts/{}/teams", app.account);
    let mut made = Vec::new();
    for body in [
        json!({"name": "Front", "live_listening": "disabled", "transfer_to": []}),
        json!({"name": "Back", "live_listening": "disabled", "transfer_to": []}),
        json!({"name": "Leads"}),
    ] {
        let team = app.request("POST", &teams, body).await;
        made.push(team.json["id"].as_str().unwrap().to_owned());
    }
    let [front, back, leads] = &made[..] else {
        panic!("three teams");
    };
    let path = format!("{teams}/{front}");
    let read = app.request("GET", &path, Value::Null).await;
    let etag = read.headers["etag"].to_str().unwrap();
    let headers = [("if-match", etag)];
    let only_back = json!({"transfer_to": [back]});
    let changed = app
        .request_as(Some(&app.key), "PATCH", &path, &headers, only_back)
        .await;
    assert_eq!(changed.status, 200, "{}", changed.json);
    let somebody = async |teams: &[&String]| {
        let mut grant = Grant::new(Owner::Account(app.account.clone()), Role::CallAgent);
        grant.teams = teams.iter().map(|team| (*team).clone()).collect();
        app.sign_in(vec![grant]).await.id
    };
    let (ada, bob) = (somebody(&[front]).await, somebody(&[back]).await);
    let (cleo, free) = (somebody(&[front, leads]).await, somebody(&[]).await);
    let key = app
        .key_for(Owner::Account(app.account.clone()), &[Scope::PeopleRead])
        .await;
    let ask = async |who: &str, to: &str| {
        let path = format!("{}/{who}/call-rights?transfer_to={to}", users(&app));
        let answer = app
            .request_as(Some(&key), "GET", &path, &[], Value::Null)
            .await;
        assert_eq!(answer.status, 200, "{}", answer.json);
        answer.json
    };
    let limited =
        json!({"live_listening": "disabled", "transfer_to": [back], "may_transfer": true});
    assert_eq!(ask(&ada, &bob).await, limited);
    assert_eq!(ask(&ada, &cleo).await["may_transfer"], false);
    assert_eq!(ask(&ada, &free).await["may_transfer"], false);
    assert_eq!(ask(&bob, &ada).await["may_transfer"], false);
    // What any of one's teams allows; and nothing limits who is in none.
    let open = json!({"live_listening": "enabled", "transfer_to": null, "may_transfer": true});
    assert_eq!(ask(&cleo, &ada).await, open);
    assert_eq!(ask(&free, &ada).await, open);
    // Nobody transfers to, or from, somebody who is suspended.
    let suspend = format!("{}/{bob}/suspend", users(&app));
    app.request("POST", &suspend, Value::Null).await;
    assert_eq!(ask(&ada, &bob).await["may_transfer"], false);
    let nothing = json!({"live_listening": "disabled", "transfer_to": [], "may_transfer": false});
    assert_eq!(ask(&bob, &ada).await, nothing);
    for (path, status) in [
        (format!("{}/{ada}/call-rights", users(&app)), 200),
        (format!("{}/{ada}/call-rights?to=x", users(&app)), 400),
        (
            format!("{}/{ada}/call-rights?transfer_to=x", users(&app)),
            404,
        ),
        (format!("{}/usr_x/call-rights", users(&app)), 404),
    ] {
        let answer = app
            .request_as(Some(&key), "GET", &path, &[], Value::Null)
            .await;
        assert_eq!(answer.status, status, "{path}");
    }
}
