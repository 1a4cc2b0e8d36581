//! Every endpoint, by one table: without a key, with an unknown one, with a key of too little scope, and
//! with another tenant's. An endpoint that is missing here fails the test.

#[path = "changes.rs"]
mod changes;
#[path = "roles.rs"]
mod roles;

use ringfence_domain::{
    access::{Owner, Scope},
    history::Actor,
};
use ringfence_test_support::{Response, TestApp};
use serde_json::Value;

/// Who may reach an endpoint.
enum Guard {
    /// Everybody: it holds nothing of a tenant's.
    Open,
    /// The operator, the account's agency, and the account itself, with a key of this scope.
    Account(Scope),
    /// The operator and the agency, with a key of this scope.
    Agency(Scope),
    /// The operator alone, with a key of this scope.
    Platform(Scope),
    /// Twilio, by its signature; a key that comes with it must fit as well.
    Twilio,
    /// Whoever has the link; a key opens nothing that is not there.
    Link,
    /// A person, by its session; a key is told that it is none.
    Person,
    /// A person, by its own session; a key is none.
    Session,
    /// Whoever has a password, or a link that was mailed: what has neither is answered so.
    Login(u16),
}

use Guard::{Account, Agency, Link, Login, Open, Person, Platform, Session, Twilio};
use Scope::{
    Admin, BillingWrite, CallsRead, DeletionRead, DeletionWrite, DeliveriesRead, DeliveriesWrite,
    EventsWrite, HistoryRead, HoldsRead, HoldsWrite, PeopleRead, PeopleWrite, RecordingsRead,
    RecordingsWrite, SettingsRead, SettingsWrite,
};

/// Method, path, guard, and a body that gets as far as the guard.
const ENDPOINTS: &[(&str, &str, Guard, &str)] = &[
    (
        "POST",
        "/v1/accounts/{account}/events",
        Account(EventsWrite),
        "{}",
    ),
    (
        "POST",
        "/v1/accounts/{account}/ingest/freeswitch",
        Account(EventsWrite),
        "{}",
    ),
    ("POST", "/v1/accounts/{account}/ingest/twilio", Twilio, "{}"),
    (
        "POST",
        "/v1/accounts/{account}/ingest/connect",
        Account(EventsWrite),
        "{}",
    ),
    (
        "POST",
        "/v1/accounts/{account}/ingest/asterisk",
        Account(EventsWrite),
        "{}",
    ),
    ("GET", "/v1/event-types", Open, ""),
    ("GET", "/v1/event-types/{type}", Open, ""),
    (
        "GET",
        "/v1/accounts/{account}/calls/{call}",
        Account(CallsRead),
        "",
    ),
    (
        "GET",
        "/v1/accounts/{account}/callbacks",
        Account(DeliveriesRead),
        "",
    ),
    (
        "POST",
        "/v1/accounts/{account}/callbacks/{callback}/test",
        Account(DeliveriesWrite),
        "",
    ),
    (
        "POST",
        "/v1/accounts/{account}/callbacks/{callback}/pause",
        Account(SettingsWrite),
        "",
    ),
    (
        "POST",
        "/v1/accounts/{account}/callbacks/{callback}/resume",
        Account(SettingsWrite),
        "",
    ),
    (
        "POST",
        "/v1/accounts/{account}/callbacks/{callback}/replay",
        Account(DeliveriesWrite),
        "{}",
    ),
    (
        "POST",
        "/v1/accounts/{account}/callbacks/{callback}/secret/rotate",
        Account(SettingsWrite),
        "{}",
    ),
    (
        "GET",
        "/v1/accounts/{account}/callbacks/{callback}/secrets",
        Account(SettingsRead),
        "",
    ),
    (
        "GET",
        "/v1/accounts/{account}/deliveries",
        Account(DeliveriesRead),
        "",
    ),
    (
        "GET",
        "/v1/accounts/{account}/deliveries/{delivery}",
        Account(DeliveriesRead),
        "",
    ),
    (
        "POST",
        "/v1/accounts/{account}/deliveries/{delivery}/resend",
        Account(DeliveriesWrite),
        "",
    ),
    (
        "GET",
        "/v1/accounts/{account}/jobs/{job}",
        Account(DeliveriesRead),
        "",
    ),
    (
        "GET",
        "/v1/accounts/{account}/operational-events",
        Account(DeliveriesRead),
        "",
    ),
    (
        "GET",
        "/v1/accounts/{account}/history",
        Account(HistoryRead),
        "",
    ),
    ("GET", "/v1/accounts/{account}", Account(SettingsRead), ""),
    (
        "PATCH",
        "/v1/accounts/{account}",
        Account(SettingsWrite),
        r#"{"name":"New name"}"#,
    ),
    ("GET", "/v1/accounts/{account}/api-keys", Account(Admin), ""),
    (
        "POST",
        "/v1/accounts/{account}/api-keys",
        Account(Admin),
        r#"{"name":"k","scopes":["admin"]}"#,
    ),
    (
        "DELETE",
        "/v1/accounts/{account}/api-keys/{key}",
        Account(Admin),
        "",
    ),
    (
        "GET",
        "/v1/accounts/{account}/settings/callbacks",
        Account(SettingsRead),
        "",
    ),
    (
        "PUT",
        "/v1/accounts/{account}/settings/callbacks",
        Account(SettingsWrite),
        "{}",
    ),
    (
        "PATCH",
        "/v1/accounts/{account}/settings/callbacks",
        Account(SettingsWrite),
        "{}",
    ),
    (
        "GET",
        "/v1/accounts/{account}/settings/security",
        Account(SettingsRead),
        "",
    ),
    (
        "PUT",
        "/v1/accounts/{account}/settings/security",
        Account(SettingsWrite),
        "{}",
    ),
    (
        "PATCH",
        "/v1/accounts/{account}/settings/security",
        Account(SettingsWrite),
        "{}",
    ),
    (
        "GET",
        "/v1/accounts/{account}/settings/sources",
        Account(SettingsRead),
        "",
    ),
    (
        "PUT",
        "/v1/accounts/{account}/settings/sources",
        Account(SettingsWrite),
        "{}",
    ),
    (
        "PATCH",
        "/v1/accounts/{account}/settings/sources",
        Account(SettingsWrite),
        "{}",
    ),
    ("GET", "/v1/agencies", Platform(SettingsRead), ""),
    (
        "POST",
        "/v1/agencies",
        Platform(Admin),
        r#"{"name":"Another agency"}"#,
    ),
    ("GET", "/v1/agencies/{agency}", Agency(SettingsRead), ""),
    (
        "PATCH",
        "/v1/agencies/{agency}",
        Agency(SettingsWrite),
        r#"{"name":"New name"}"#,
    ),
    (
        "GET",
        "/v1/agencies/{agency}/accounts",
        Agency(SettingsRead),
        "",
    ),
    (
        "POST",
        "/v1/agencies/{agency}/accounts",
        Agency(Admin),
        r#"{"name":"Another account"}"#,
    ),
    ("GET", "/v1/agencies/{agency}/api-keys", Agency(Admin), ""),
    (
        "POST",
        "/v1/agencies/{agency}/api-keys",
        Agency(Admin),
        r#"{"name":"k","scopes":["admin"]}"#,
    ),
    (
        "DELETE",
        "/v1/agencies/{agency}/api-keys/{key}",
        Agency(Admin),
        "",
    ),
    (
        "POST",
        "/v1/agencies/{agency}/callbacks/{callback}/secret/rotate",
        Agency(SettingsWrite),
        "{}",
    ),
    (
        "GET",
        "/v1/agencies/{agency}/callbacks/{callback}/secrets",
        Agency(SettingsRead),
        "",
    ),
    (
        "GET",
        "/v1/agencies/{agency}/settings/callbacks",
        Agency(SettingsRead),
        "",
    ),
    (
        "PUT",
        "/v1/agencies/{agency}/settings/callbacks",
        Agency(SettingsWrite),
        "{}",
    ),
    (
        "PATCH",
        "/v1/agencies/{agency}/settings/callbacks",
        Agency(SettingsWrite),
        "{}",
    ),
    (
        "GET",
        "/v1/agencies/{agency}/settings/security",
        Agency(SettingsRead),
        "",
    ),
    (
        "PUT",
        "/v1/agencies/{agency}/settings/security",
        Agency(SettingsWrite),
        "{}",
    ),
    (
        "PATCH",
        "/v1/agencies/{agency}/settings/security",
        Agency(SettingsWrite),
        "{}",
    ),
    (
        "GET",
        "/v1/agencies/{agency}/history",
        Agency(HistoryRead),
        "",
    ),
    (
        "GET",
        "/v1/accounts/{account}/recordings",
        Account(RecordingsRead),
        "",
    ),
    (
        "POST",
        "/v1/accounts/{account}/recordings",
        Account(RecordingsWrite),
        "{}",
    ),
    (
        "GET",
        "/v1/accounts/{account}/recordings/{recording}",
        Account(RecordingsRead),
        "",
    ),
    (
        "POST",
        "/v1/accounts/{account}/recordings/{recording}/complete",
        Account(RecordingsWrite),
        "",
    ),
    (
        "GET",
        "/v1/accounts/{account}/recordings/{recording}/audio",
        Account(RecordingsRead),
        "",
    ),
    (
        "POST",
        "/v1/accounts/{account}/recordings/rewrap",
        Account(RecordingsWrite),
        "{}",
    ),
    (
        "GET",
        "/v1/accounts/{account}/recordings/{recording}/key",
        Account(RecordingsRead),
        "",
    ),
    (
        "PUT",
        "/v1/accounts/{account}/recordings/{recording}/audio",
        Account(RecordingsWrite),
        "RIFF",
    ),
    (
        "PUT",
        "/v1/accounts/{account}/recordings/{recording}/pin",
        Account(RecordingsWrite),
        r#"{"pin":"402817"}"#,
    ),
    (
        "DELETE",
        "/v1/accounts/{account}/recordings/{recording}/pin",
        Account(RecordingsWrite),
        "",
    ),
    (
        "GET",
        "/v1/accounts/{account}/recordings/{recording}/links",
        Account(RecordingsRead),
        "",
    ),
    (
        "POST",
        "/v1/accounts/{account}/recordings/{recording}/links",
        Account(RecordingsWrite),
        "{}",
    ),
    (
        "DELETE",
        "/v1/accounts/{account}/recordings/{recording}/links",
        Account(RecordingsWrite),
        "",
    ),
    (
        "DELETE",
        "/v1/accounts/{account}/recordings/{recording}/links/{link}",
        Account(RecordingsWrite),
        "",
    ),
    (
        "GET",
        "/v1/accounts/{account}/recordings/{recording}/listens",
        Account(RecordingsRead),
        "",
    ),
    (
        "DELETE",
        "/v1/accounts/{account}/recordings/{recording}",
        Account(DeletionWrite),
        "",
    ),
    (
        "GET",
        "/v1/accounts/{account}/recordings/{recording}/redactions",
        Account(DeletionRead),
        "",
    ),
    (
        "POST",
        "/v1/accounts/{account}/recordings/{recording}/redactions",
        Account(DeletionWrite),
        r#"{"spans":[{"start_ms":0,"end_ms":100}]}"#,
    ),
    (
        "GET",
        "/v1/accounts/{account}/recordings/{recording}/redactions/{redaction}",
        Account(DeletionRead),
        "",
    ),
    (
        "GET",
        "/v1/accounts/{account}/recordings/{recording}/original",
        Account(DeletionWrite),
        "",
    ),
    (
        "DELETE",
        "/v1/accounts/{account}/recordings/{recording}/original",
        Account(DeletionWrite),
        "",
    ),
    (
        "GET",
        "/v1/accounts/{account}/deletions",
        Account(DeletionRead),
        "",
    ),
    (
        "POST",
        "/v1/accounts/{account}/deletions",
        Account(DeletionWrite),
        "{}",
    ),
    (
        "GET",
        "/v1/accounts/{account}/deletions/{deletion}",
        Account(DeletionRead),
        "",
    ),
    (
        "POST",
        "/v1/accounts/{account}/deletions/{deletion}/stop",
        Account(DeletionWrite),
        "",
    ),
    (
        "POST",
        "/v1/accounts/{account}/deletions/{deletion}/resume",
        Account(DeletionWrite),
        "",
    ),
    (
        "GET",
        "/v1/accounts/{account}/holds",
        Account(HoldsRead),
        "",
    ),
    (
        "POST",
        "/v1/accounts/{account}/holds",
        Account(HoldsWrite),
        r#"{"account":true,"reason":"case"}"#,
    ),
    (
        "GET",
        "/v1/accounts/{account}/holds/{hold}",
        Account(HoldsRead),
        "",
    ),
    (
        "DELETE",
        "/v1/accounts/{account}/holds/{hold}",
        Account(HoldsWrite),
        "",
    ),
    ("GET", "/r/{token}", Link, ""),
    ("POST", "/r/{token}", Link, r#"{"pin":"402817"}"#),
    ("GET", "/r/{token}/audio", Link, ""),
    ("GET", "/r/{token}/key", Link, ""),
    (
        "GET",
        "/v1/accounts/{account}/settings/recordings",
        Account(SettingsRead),
        "",
    ),
    (
        "PUT",
        "/v1/accounts/{account}/settings/recordings",
        Account(SettingsWrite),
        "{}",
    ),
    (
        "PATCH",
        "/v1/accounts/{account}/settings/recordings",
        Account(SettingsWrite),
        "{}",
    ),
    (
        "GET",
        "/v1/agencies/{agency}/settings/recordings",
        Agency(SettingsRead),
        "",
    ),
    (
        "PUT",
        "/v1/agencies/{agency}/settings/recordings",
        Agency(SettingsWrite),
        "{}",
    ),
    (
        "PATCH",
        "/v1/agencies/{agency}/settings/recordings",
        Agency(SettingsWrite),
        "{}",
    ),
    (
        "POST",
        "/v1/session",
        Login(401),
        r#"{"email": "nobody@example.com", "password": "nothing"}"#,
    ),
    ("GET", "/v1/session", Session, ""),
    ("DELETE", "/v1/session", Session, ""),
    (
        "POST",
        "/v1/session/second-factor",
        Login(410),
        r#"{"attempt": "none", "method": "app", "code": "000000"}"#,
    ),
    (
        "POST",
        "/v1/session/second-factor/sms",
        Login(410),
        r#"{"attempt": "none"}"#,
    ),
    (
        "POST",
        "/v1/session/heartbeat",
        Session,
        r#"{"softphone": "available"}"#,
    ),
    ("POST", "/v1/session/confirm", Session, "{}"),
    ("POST", "/v1/session/confirm/sms", Session, ""),
    ("PUT", "/v1/session/password", Session, "{}"),
    ("GET", "/v1/session/two-factor", Session, ""),
    ("POST", "/v1/session/two-factor/app", Session, ""),
    ("POST", "/v1/session/two-factor/app/confirm", Session, "{}"),
    ("DELETE", "/v1/session/two-factor/app", Session, ""),
    ("POST", "/v1/session/two-factor/sms", Session, "{}"),
    ("POST", "/v1/session/two-factor/sms/confirm", Session, "{}"),
    ("DELETE", "/v1/session/two-factor/sms", Session, ""),
    ("POST", "/v1/session/two-factor/recovery-codes", Session, ""),
    ("GET", "/v1/sessions", Session, ""),
    ("DELETE", "/v1/sessions/{session}", Session, ""),
    (
        "POST",
        "/v1/password-resets",
        Login(202),
        r#"{"email": "nobody@example.com"}"#,
    ),
    (
        "POST",
        "/v1/password-resets/complete",
        Login(410),
        r#"{"token": "none", "password": "several quite different words"}"#,
    ),
    (
        "POST",
        "/v1/invitations/accept",
        Login(410),
        r#"{"token": "none", "password": "several quite different words"}"#,
    ),
    (
        "GET",
        "/v1/accounts/{account}/users",
        Account(PeopleRead),
        "",
    ),
    (
        "POST",
        "/v1/accounts/{account}/users",
        Account(PeopleWrite),
        "{}",
    ),
    (
        "GET",
        "/v1/accounts/{account}/users/{user}",
        Account(PeopleRead),
        "",
    ),
    (
        "GET",
        "/v1/accounts/{account}/users/{user}/call-rights",
        Account(PeopleRead),
        "",
    ),
    (
        "PATCH",
        "/v1/accounts/{account}/users/{user}",
        Account(PeopleWrite),
        "{}",
    ),
    (
        "DELETE",
        "/v1/accounts/{account}/users/{user}",
        Account(PeopleWrite),
        "",
    ),
    (
        "POST",
        "/v1/accounts/{account}/users/{user}/suspend",
        Account(PeopleWrite),
        "",
    ),
    (
        "POST",
        "/v1/accounts/{account}/users/{user}/reactivate",
        Account(PeopleWrite),
        "",
    ),
    (
        "POST",
        "/v1/accounts/{account}/users/{user}/invitation",
        Account(PeopleWrite),
        "",
    ),
    (
        "DELETE",
        "/v1/accounts/{account}/users/{user}/two-factor",
        Account(PeopleWrite),
        "",
    ),
    ("GET", "/v1/agencies/{agency}/users", Agency(PeopleRead), ""),
    (
        "POST",
        "/v1/agencies/{agency}/users",
        Agency(PeopleWrite),
        "{}",
    ),
    (
        "GET",
        "/v1/agencies/{agency}/users/{user}",
        Agency(PeopleRead),
        "",
    ),
    (
        "PATCH",
        "/v1/agencies/{agency}/users/{user}",
        Agency(PeopleWrite),
        "{}",
    ),
    (
        "DELETE",
        "/v1/agencies/{agency}/users/{user}",
        Agency(PeopleWrite),
        "",
    ),
    (
        "POST",
        "/v1/agencies/{agency}/users/{user}/suspend",
        Agency(PeopleWrite),
        "",
    ),
    (
        "POST",
        "/v1/agencies/{agency}/users/{user}/reactivate",
        Agency(PeopleWrite),
        "",
    ),
    (
        "POST",
        "/v1/agencies/{agency}/users/{user}/invitation",
        Agency(PeopleWrite),
        "",
    ),
    (
        "POST",
        "/v1/agencies/{agency}/users/{user}/erasure",
        Agency(Admin),
        "",
    ),
    (
        "DELETE",
        "/v1/agencies/{agency}/users/{user}/two-factor",
        Agency(PeopleWrite),
        "",
    ),
    ("GET", "/v1/operators", Platform(PeopleRead), ""),
    ("POST", "/v1/operators", Platform(PeopleWrite), "{}"),
    ("GET", "/v1/operators/{user}", Platform(PeopleRead), ""),
    ("PATCH", "/v1/operators/{user}", Platform(PeopleWrite), "{}"),
    ("DELETE", "/v1/operators/{user}", Platform(PeopleWrite), ""),
    (
        "POST",
        "/v1/operators/{user}/suspend",
        Platform(PeopleWrite),
        "",
    ),
    (
        "POST",
        "/v1/operators/{user}/reactivate",
        Platform(PeopleWrite),
        "",
    ),
    (
        "POST",
        "/v1/operators/{user}/invitation",
        Platform(PeopleWrite),
        "",
    ),
    ("POST", "/v1/operators/{user}/erasure", Platform(Admin), ""),
    (
        "DELETE",
        "/v1/operators/{user}/two-factor",
        Platform(PeopleWrite),
        "",
    ),
    (
        "GET",
        "/v1/accounts/{account}/teams",
        Account(PeopleRead),
        "",
    ),
    (
        "POST",
        "/v1/accounts/{account}/teams",
        Account(PeopleWrite),
        "{}",
    ),
    (
        "GET",
        "/v1/accounts/{account}/teams/{team}",
        Account(PeopleRead),
        "",
    ),
    (
        "PATCH",
        "/v1/accounts/{account}/teams/{team}",
        Account(PeopleWrite),
        "{}",
    ),
    (
        "DELETE",
        "/v1/accounts/{account}/teams/{team}",
        Account(PeopleWrite),
        "",
    ),
    (
        "GET",
        "/v1/agencies/{agency}/access-groups",
        Agency(PeopleRead),
        "",
    ),
    (
        "POST",
        "/v1/agencies/{agency}/access-groups",
        Agency(PeopleWrite),
        "{}",
    ),
    (
        "GET",
        "/v1/agencies/{agency}/access-groups/{group}",
        Agency(PeopleRead),
        "",
    ),
    (
        "PATCH",
        "/v1/agencies/{agency}/access-groups/{group}",
        Agency(PeopleWrite),
        "{}",
    ),
    (
        "DELETE",
        "/v1/agencies/{agency}/access-groups/{group}",
        Agency(PeopleWrite),
        "",
    ),
    (
        "GET",
        "/v1/agencies/{agency}/support-access",
        Agency(PeopleRead),
        "",
    ),
    (
        "PUT",
        "/v1/agencies/{agency}/support-access",
        Agency(PeopleWrite),
        r#"{"hours":1}"#,
    ),
    (
        "DELETE",
        "/v1/agencies/{agency}/support-access",
        Agency(PeopleWrite),
        "",
    ),
    ("GET", "/v1/me", Person, ""),
    ("PATCH", "/v1/me", Person, "{}"),
    (
        "GET",
        "/v1/accounts/{account}/history/export",
        Account(HistoryRead),
        "",
    ),
    (
        "GET",
        "/v1/accounts/{account}/history/checkpoint",
        Account(HistoryRead),
        "",
    ),
    (
        "POST",
        "/v1/accounts/{account}/history/verification",
        Account(HistoryRead),
        "{}",
    ),
    (
        "POST",
        "/v1/accounts/{account}/history/redactions",
        Account(Admin),
        r#"{"person":"usr_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b"}"#,
    ),
    (
        "POST",
        "/v1/accounts/{account}/history/{seq}/redaction",
        Account(Admin),
        "",
    ),
    (
        "GET",
        "/v1/agencies/{agency}/history/export",
        Agency(HistoryRead),
        "",
    ),
    (
        "GET",
        "/v1/agencies/{agency}/history/checkpoint",
        Agency(HistoryRead),
        "",
    ),
    (
        "POST",
        "/v1/agencies/{agency}/history/verification",
        Agency(HistoryRead),
        "{}",
    ),
    (
        "POST",
        "/v1/agencies/{agency}/history/redactions",
        Agency(Admin),
        r#"{"person":"usr_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b"}"#,
    ),
    (
        "POST",
        "/v1/agencies/{agency}/history/{seq}/redaction",
        Agency(Admin),
        "",
    ),
    ("GET", "/v1/history", Platform(HistoryRead), ""),
    ("GET", "/v1/history/export", Platform(HistoryRead), ""),
    ("GET", "/v1/history/checkpoint", Platform(HistoryRead), ""),
    (
        "POST",
        "/v1/history/verification",
        Platform(HistoryRead),
        "{}",
    ),
    (
        "POST",
        "/v1/history/redactions",
        Platform(Admin),
        r#"{"person":"usr_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b"}"#,
    ),
    ("POST", "/v1/history/{seq}/redaction", Platform(Admin), ""),
    ("GET", "/v1/history/keys", Open, ""),
    (
        "POST",
        "/v1/accounts/{account}/billing-notices",
        Account(BillingWrite),
        r#"{"id":"1","subject":"Your invoice"}"#,
    ),
    (
        "GET",
        "/v1/agencies/{agency}/unsent-notices",
        Agency(PeopleRead),
        "",
    ),
    ("GET", "/v1/unsent-notices", Platform(PeopleRead), ""),
    (
        "GET",
        "/v1/accounts/{account}/exports",
        Account(RecordingsRead),
        "",
    ),
    (
        "POST",
        "/v1/accounts/{account}/exports",
        Account(RecordingsRead),
        r#"{"kind":"recordings"}"#,
    ),
    (
        "GET",
        "/v1/accounts/{account}/exports/{export}",
        Account(RecordingsRead),
        "",
    ),
    (
        "DELETE",
        "/v1/accounts/{account}/exports/{export}",
        Account(RecordingsRead),
        "",
    ),
];

#[test]
fn the_table_names_every_endpoint_and_no_other() {
    let document = ringfence_local::api::openapi(None);
    let mut served = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            if ["get", "put", "post", "patch", "delete"].contains(&method.as_str()) {
                served.push(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    let mut listed: Vec<String> = ENDPOINTS
        .iter()
        .map(|(method, path, ..)| format!("{method} {path}"))
        .collect();
    served.sort();
    listed.sort();
    assert_eq!(served, listed);
}

async fn app() -> TestApp {
    TestApp::new()
        .await
        .serving(ringfence_local::api::functions())
}

/// The path with real ids, as far as a test has them.
fn path(template: &str, account: &str, agency: &str) -> String {
    template
        .replace("{account}", account)
        .replace("{agency}", agency)
        .replace("{callback}", "cdr")
        .replace("{type}", "cdr.created")
        .replace("{call}", "call-1")
        .replace("{delivery}", "dlv_019c1310e4007a70858c50c604032a89")
        .replace("{job}", "job_019c1310e4007a70858c50c604032a89")
        .replace("{deletion}", "job_019c1310e4007a70858c50c604032a89")
        .replace("{export}", "exp_019c1310e4007a70858c50c604032a89")
        .replace("{hold}", "hld_019c1310e4007a70858c50c604032a89")
        .replace("{recording}", "rec_019c1310e4007a70858c50c604032a8a")
        .replace("{seq}", "1")
        .replace("{link}", "lnk_019c1310e4007a70858c50c604032a89")
        .replace(
            "{token}",
            "v1.1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA",
        )
        .replace("{session}", "ses_019c1310e4007a70858c50c604032a89")
        .replace("{user}", "usr_019c1310e4007a70858c50c604032a89")
        .replace("{group}", "grp_019c1310e4007a70858c50c604032a89")
        .replace("{team}", "tea_019c1310e4007a70858c50c604032a89")
        .replace("{key}", "key_019c1310e4007a70858c50c604032a89")
}

async fn call(test: &TestApp, key: Option<&str>, method: &str, path: &str, body: &str) -> Response {
    let headers: &[(&str, &str)] = &[("if-match", "\"0\"")];
    test.request_raw(key, method, path, headers, "application/json", body.into())
        .await
}

#[tokio::test]
async fn without_a_key_nobody_gets_in() {
    let test = app().await;
    for (method, template, guard, body) in ENDPOINTS {
        let path = path(template, &test.account, &test.agency);
        let unknown = format!("rfk_{}", "A".repeat(43));
        for key in [None, Some("rfk_short"), Some(unknown.as_str())] {
            let answer = call(&test, key, method, &path, body).await;
            if let Open = guard {
                assert_eq!(answer.status, 200, "{method} {path}");
            } else if let Link = guard {
                assert_eq!(answer.status, 404, "{method} {path}");
            } else if let Login(status) = guard {
                assert_eq!(answer.status, *status, "{method} {path}");
            } else if let Session = guard {
                assert_eq!(answer.status, 401, "{method} {path}");
                assert_eq!(answer.json["type"], "/problems/session-over");
            } else {
                assert_eq!(answer.status, 401, "{method} {path} {}", answer.json);
                assert_eq!(answer.json["type"], "/problems/unauthenticated");
            }
        }
    }
}

#[tokio::test]
async fn every_scope_but_the_right_one_is_not_enough() {
    let test = app().await;
    for (method, template, guard, body) in ENDPOINTS {
        let (owner, scope) = match guard {
            Open | Twilio | Link | Login(_) => continue,
            Person => {
                let path = path(template, &test.account, &test.agency);
                let answer = call(&test, Some(&test.key), method, &path, body).await;
                assert_eq!(answer.status, 403, "{method} {path}");
                continue;
            }
            Session => {
                let path = path(template, &test.account, &test.agency);
                let answer = call(&test, Some(&test.key), method, &path, body).await;
                assert_eq!(
                    answer.status, 401,
                    "{method} {path}: not even the operator's key"
                );
                continue;
            }
            Account(scope) => (Owner::Account(test.account.clone()), scope),
            Agency(scope) => (Owner::Agency(test.agency.clone()), scope),
            Platform(scope) => (Owner::Platform, scope),
        };
        let path = path(template, &test.account, &test.agency);
        let others: Vec<Scope> = Scope::ALL
            .into_iter()
            .filter(|other| other != scope)
            .collect();
        let key = test.key_for(owner.clone(), &others).await;
        let answer = call(&test, Some(&key), method, &path, body).await;
        assert_eq!(answer.status, 403, "{method} {path} {}", answer.json);
        assert!(
            answer.json["detail"]
                .as_str()
                .unwrap()
                .contains(scope.as_str()),
            "{}",
            answer.json
        );
        // And with it alone the guard opens.
        let key = test.key_for(owner, &[*scope]).await;
        let answer = call(&test, Some(&key), method, &path, body).await;
        assert!(
            ![401, 403].contains(&answer.status.as_u16()),
            "{method} {path} {}",
            answer.json
        );
        assert!(
            answer.status.as_u16() < 500,
            "{method} {path} {}",
            answer.json
        );
    }
}

#[tokio::test]
async fn another_tenants_id_answers_as_an_absent_one() {
    let test = app().await;
    let actor = Actor::system();
    let other_agency = test
        .app
        .create_agency("Other", &actor)
        .await
        .unwrap()
        .value
        .id;
    let other_account = test
        .app
        .create_account(&other_agency, "Other", &actor)
        .await
        .unwrap()
        .value
        .id;
    let absent_account = "acc_00000000000070008000000000000000";
    let absent_agency = "agy_00000000000070008000000000000000";
    let account_key = test
        .key_for(Owner::Account(test.account.clone()), &Scope::ALL)
        .await;
    let agency_key = test
        .key_for(Owner::Agency(test.agency.clone()), &Scope::ALL)
        .await;
    for (method, template, guard, body) in ENDPOINTS {
        let keys: &[&str] = match guard {
            Open | Link | Login(_) | Session | Person => continue,
            Account(_) | Twilio | Agency(_) => &[&account_key, &agency_key],
            Platform(_) => {
                for key in [&account_key, &agency_key] {
                    let answer = call(&test, Some(key), method, template, body).await;
                    assert_eq!(answer.status, 404, "{method} {template}");
                }
                continue;
            }
        };
        for key in keys {
            let foreign = call(
                &test,
                Some(key),
                method,
                &path(template, &other_account, &other_agency),
                body,
            )
            .await;
            let absent = call(
                &test,
                Some(key),
                method,
                &path(template, absent_account, absent_agency),
                body,
            )
            .await;
            assert_eq!(foreign.status, 404, "{method} {template} {}", foreign.json);
            assert_eq!(absent.status, 404, "{method} {template} {}", absent.json);
            assert_eq!(foreign.bytes, absent.bytes, "{method} {template}");
            assert_eq!(foreign.headers, absent.headers, "{method} {template}");
        }
    }
    // An account's key reaches its own agency no more than another.
    for (method, template, guard, body) in ENDPOINTS {
        if let Agency(_) = guard {
            let own = call(
                &test,
                Some(&account_key),
                method,
                &path(template, "", &test.agency),
                body,
            )
            .await;
            assert_eq!(own.status, 404, "{method} {template}");
        }
    }
}

#[tokio::test]
async fn what_hangs_under_an_id_of_ours_is_not_found_under_anothers() {
    let test = app().await;
    for (method, template, guard, body) in ENDPOINTS {
        let (Account(_) | Agency(_)) = guard else {
            continue;
        };
        let absent = [
            "{call}",
            "{delivery}",
            "{job}",
            "{deletion}",
            "{export}",
            "{hold}",
            "{key}",
            "{recording}",
            "{link}",
            "{user}",
            "{group}",
            "{team}",
        ]
        .iter()
        .any(|part| template.contains(part));
        if absent {
            let answer = call(
                &test,
                Some(&test.key),
                method,
                &path(template, &test.account, &test.agency),
                body,
            )
            .await;
            assert_eq!(answer.status, 404, "{method} {template}: {}", answer.json);
            assert_ne!(answer.json, Value::Null);
        }
    }
}
