//! Who may do what, by the table `roles.csv`: every endpoint for every role, over HTTP, by people who
//! are logged in; and that no two tenants ever meet.

use std::collections::BTreeMap;

use ringfence_domain::{
    access::{Caller, Owner, Principal, Scope},
    history::Actor,
    people::{Grant, Home, Role},
};
use ringfence_test_support::{Response, SignedIn, TestApp, sha256_hex, wav};
use serde_json::{Value, json};

use super::{ENDPOINTS, Guard, app, path};

const TABLE: &str = include_str!("roles.csv");

/// What the table says of one endpoint and one role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    /// Everything of what the role is held on.
    All,
    /// What the person took part in.
    Own,
    /// 403.
    Denied,
    /// As if it were not there.
    Absent,
    /// About the person itself.
    Itself,
    /// Whoever comes, by other means: a session changes nothing.
    Open,
}

/// The columns, and of each endpoint the cells.
fn table() -> (Vec<&'static str>, BTreeMap<String, Vec<Cell>>) {
    let mut lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    let columns: Vec<_> = lines.next().unwrap().split(',').skip(2).collect();
    let mut rows = BTreeMap::new();
    for line in lines {
        let mut parts = line.split(',');
        let endpoint = format!("{} {}", parts.next().unwrap(), parts.next().unwrap());
        let cells: Vec<_> = parts
            .map(|cell| match cell {
                "all" => Cell::All,
                "own" => Cell::Own,
                "-" => Cell::Denied,
                "404" => Cell::Absent,
                "self" => Cell::Itself,
                "open" => Cell::Open,
                other => panic!("{endpoint}: {other}?"),
            })
            .collect();
        assert_eq!(cells.len(), columns.len(), "{endpoint}");
        assert!(rows.insert(endpoint.clone(), cells).is_none(), "{endpoint}");
    }
    (columns, rows)
}

#[test]
fn the_table_of_roles_names_every_endpoint_and_every_role() {
    let (columns, rows) = table();
    let mut served: Vec<_> = ENDPOINTS
        .iter()
        .map(|(method, path, ..)| format!("{method} {path}"))
        .collect();
    served.sort();
    assert_eq!(rows.keys().cloned().collect::<Vec<_>>(), served);
    let mut roles: Vec<_> = Role::ALL.iter().map(|role| role.as_str()).collect();
    roles.push("operator_in");
    assert_eq!(columns, roles);
}

/// Where one role walks the table: two calls, each with a recording, of two agents.
struct Walk {
    app: TestApp,
    role: Role,
    person: SignedIn,
    /// A key of the agency, for what must be so before each step.
    agency: Caller,
    is_let_in: bool,
    /// The recordings of `c-own` and `c-other`.
    recordings: [String; 2],
}

impl Walk {
    async fn new(column: &str) -> Self {
        let app = app().await;
        let role = Role::parse(column).unwrap_or(Role::Operator);
        let own = recording(&app, "c-own", "ada").await;
        let other = recording(&app, "c-other", "bob").await;
        let person = sign_in(&app, role).await;
        let owner = Owner::Agency(app.agency.clone());
        let key = app.key_for(owner, &Scope::ALL).await;
        Self {
            agency: app.app.authenticate(&key, None).await.unwrap(),
            role,
            person,
            is_let_in: column == "operator_in",
            recordings: [own, other],
            app,
        }
    }

    async fn step(&self, method: &str, path: &str, body: &str) -> Response {
        if self.is_let_in {
            // A step before may have closed it.
            let agency = &self.app.agency;
            self.app
                .app
                .open_support(&self.agency, agency, 1, None)
                .await
                .unwrap();
        }
        send(&self.app, Some(&self.person), method, path, body).await
    }

    async fn check(&mut self, method: &str, template: &str, body: &str, cell: Cell) {
        let what = format!("{method} {template} as {}", self.role.as_str());
        let filled = path(template, &self.app.account, &self.app.agency);
        match cell {
            Cell::All | Cell::Own if is_data(method, template) => {
                self.check_data(template, cell, &what).await;
            }
            Cell::Own if !is_of_what_is_seen(template) => {
                panic!("{what}: there is nothing to be one's own")
            }
            Cell::All | Cell::Own => {
                let answer = self.step(method, &filled, body).await;
                assert!(
                    is_reached(&answer),
                    "{what} {} {}",
                    answer.status,
                    answer.json
                );
                assert!(answer.status.as_u16() < 500, "{what} {}", answer.json);
            }
            Cell::Denied => {
                let answer = self.step(method, &filled, body).await;
                assert_eq!(answer.status, 403, "{what} {}", answer.json);
                assert_eq!(answer.json["type"], "/problems/insufficient-scope");
            }
            Cell::Absent => {
                let there = self.step(method, &filled, body).await;
                let nowhere = self
                    .step(method, &path(template, NO_ACCOUNT, NO_AGENCY), body)
                    .await;
                assert_eq!(there.status, 404, "{what} {}", there.json);
                assert_eq!(there.bytes, nowhere.bytes, "{what}");
            }
            Cell::Itself => {
                let answer = self.step(method, &filled, body).await;
                let kind = answer.json["type"].as_str().unwrap_or_default();
                let is_refused = [
                    "/problems/unauthenticated",
                    "/problems/session-over",
                    "/problems/insufficient-scope",
                    "/problems/foreign-request",
                ]
                .contains(&kind);
                assert!(!is_refused, "{what} {}", answer.json);
                if method != "GET" {
                    // It may have been the end of the session.
                    self.person = sign_in(&self.app, self.role).await;
                }
            }
            Cell::Open => {
                let with = self.step(method, &filled, body).await;
                let without = send(&self.app, None, method, &filled, body).await;
                assert_eq!(with.status, without.status, "{what} {}", with.json);
            }
        }
    }

    /// Reads what belongs to each of the two agents.
    async fn check_data(&self, template: &str, cell: Cell, what: &str) {
        let ids = [
            ("c-own", &self.recordings[0]),
            ("c-other", &self.recordings[1]),
        ];
        let has_id = template.contains("{call}") || template.contains("{recording}");
        if !has_id {
            let list = self
                .step("GET", &path(template, &self.app.account, ""), "")
                .await;
            let seen: Vec<_> = list.json["items"]
                .as_array()
                .unwrap_or_else(|| panic!("{what}"))
                .iter()
                .map(|item| item["call_id"].as_str().unwrap())
                .collect();
            for (call, _) in ids {
                let is_seen = cell == Cell::All || call == "c-own";
                assert_eq!(seen.contains(&call), is_seen, "{what} {call}");
            }
            return;
        }
        for (call, recording) in ids {
            let own = template
                .replace("{call}", call)
                .replace("{recording}", recording);
            let answer = self
                .step("GET", &path(&own, &self.app.account, ""), "")
                .await;
            if cell == Cell::All || call == "c-own" {
                // It is found, and has no key of its customer's, and was not redacted.
                let is_without = [
                    ("/key", "key"),
                    ("/original", "original"),
                    ("/{redaction}", "redaction"),
                ]
                .iter()
                .any(|(end, what)| {
                    template.ends_with(end)
                        && answer.json["detail"] == format!("There is no such {what}.")
                });
                assert!(
                    answer.status.is_success() || answer.status == 302 || is_without,
                    "{what} {call} {}",
                    answer.json
                );
            } else {
                let nowhere = template
                    .replace("{call}", "c-nowhere")
                    .replace("{recording}", "rec_019c1310e4007a70858c50c604032a8a");
                let nowhere = self
                    .step("GET", &path(&nowhere, &self.app.account, ""), "")
                    .await;
                assert_eq!(answer.status, 404, "{what} {call}");
                assert_eq!(answer.bytes, nowhere.bytes, "{what} {call}");
            }
        }
    }
}

const NO_ACCOUNT: &str = "acc_00000000000070008000000000000000";
const NO_AGENCY: &str = "agy_00000000000070008000000000000000";

/// Whether an endpoint reads activities, of which some may be one's own.
fn is_data(method: &str, template: &str) -> bool {
    let reads = ["/calls", "/recordings"];
    method == "GET"
        && !template.contains("/settings/")
        && reads.iter().any(|part| template.contains(part))
}

/// Whether an endpoint works with what of the activities its caller sees: functions/exports/tests has that.
fn is_of_what_is_seen(template: &str) -> bool {
    template.contains("/exports")
}

/// Whether an answer comes from behind the door.
fn is_reached(answer: &Response) -> bool {
    let is_door = answer.status == 404
        && [
            "There is no such account.",
            "There is no such agency.",
            "There is no such resource.",
        ]
        .contains(&answer.json["detail"].as_str().unwrap_or_default());
    ![401, 403].contains(&answer.status.as_u16()) && !is_door
}

async fn sign_in(app: &TestApp, role: Role) -> SignedIn {
    if role == Role::CallAgent {
        let mut grant = Grant::new(Owner::Account(app.account.clone()), role);
        grant.agent = Some("ada".to_owned());
        app.sign_in(vec![grant]).await
    } else {
        app.sign_in_as(role).await
    }
}

async fn send(
    app: &TestApp,
    person: Option<&SignedIn>,
    method: &str,
    path: &str,
    body: &str,
) -> Response {
    let mut headers = person.map(SignedIn::headers).unwrap_or_default();
    headers.push(("if-match", "\"0\""));
    app.request_raw(
        None,
        method,
        path,
        &headers,
        "application/json",
        body.into(),
    )
    .await
}

/// A call of this agent, and its recording, which is stored.
async fn recording(app: &TestApp, call: &str, agent: &str) -> String {
    let account = format!("/v1/accounts/{}", app.account);
    let event = json!({"id": format!("{call}-1"), "type": "cdr.created", "timestamp": "2026-01-31T07:10:00Z",
        "data": {"call_id": call, "direction": "inbound", "from": "+4915112345678", "to": "+4943112345",
            "agent_id": agent, "started_at": "2026-01-31T07:00:00Z", "ended_at": "2026-01-31T07:05:00Z",
            "duration": 300, "billsec": 290, "disposition": "answered"}});
    let posted = app
        .request("POST", &format!("{account}/events"), event)
        .await;
    assert_eq!(posted.status, 202, "{}", posted.json);
    let audio = wav(1);
    let facts = json!({"call_id": call, "started_at": "2026-01-31T07:00:00Z", "duration": 1,
        "content_type": "audio/wav", "size": audio.len(), "sha256": sha256_hex(&audio), "agent_id": agent});
    let made = app
        .request("POST", &format!("{account}/recordings"), facts)
        .await;
    assert_eq!(made.status, 201, "{}", made.json);
    let id = made.json["id"].as_str().unwrap().to_owned();
    let path = format!("{account}/recordings/{id}/audio");
    let stored = app
        .request_raw(Some(&app.key), "PUT", &path, &[], "audio/wav", audio)
        .await;
    assert_eq!(stored.status, 200, "{}", stored.json);
    id
}

async fn walk(column: &str) {
    let (columns, rows) = table();
    let at = columns.iter().position(|name| *name == column).unwrap();
    let mut walk = Walk::new(column).await;
    for (method, template, _, body) in ENDPOINTS {
        let cell = rows[&format!("{method} {template}")][at];
        walk.check(method, template, body, cell).await;
    }
}

macro_rules! walks {
    ($($name:ident),+) => {
        $(#[tokio::test]
        async fn $name() {
            walk(stringify!($name)).await;
        })+
    };
}

mod each_role {
    use super::walk;

    walks!(
        call_agent,
        call_manager,
        report_manager,
        billing_manager,
        marketing_manager,
        administrator,
        agency_billing_manager,
        agency_administrator,
        operator,
        operator_in
    );
}

/// Another agency with an account, and an administrator of each.
async fn neighbours(app: &TestApp) -> (String, String, SignedIn, SignedIn) {
    let actor = Actor::system();
    let agency = app.app.create_agency("Beta agency", &actor).await.unwrap();
    let agency = agency.value.id;
    let account = app
        .app
        .create_account(&agency, "Beta account", &actor)
        .await;
    let account = account.unwrap().value.id;
    let home = Home::Agency(agency.clone());
    let above = Grant::new(Owner::Agency(agency.clone()), Role::AgencyAdministrator);
    let inside = Grant::new(Owner::Account(account.clone()), Role::Administrator);
    let above = app.sign_in_at(home.clone(), vec![above]).await;
    let inside = app.sign_in_at(home, vec![inside]).await;
    (agency, account, above, inside)
}

#[tokio::test]
async fn another_tenants_people_get_what_they_would_for_an_absent_id() {
    let app = app().await;
    let (_, _, above, inside) = neighbours(&app).await;
    // And somebody of the same agency, but another account.
    let beside = app
        .app
        .create_account(&app.agency, "Beside", &Actor::system())
        .await
        .unwrap()
        .value
        .id;
    let beside = Grant::new(Owner::Account(beside), Role::Administrator);
    let beside = app.sign_in(vec![beside]).await;
    for (method, template, guard, body) in ENDPOINTS {
        if !matches!(guard, Guard::Account(_) | Guard::Agency(_)) {
            continue;
        }
        for person in [&above, &inside, &beside] {
            let there = path(template, &app.account, &app.agency);
            let there = send(&app, Some(person), method, &there, body).await;
            let nowhere = path(template, NO_ACCOUNT, NO_AGENCY);
            let nowhere = send(&app, Some(person), method, &nowhere, body).await;
            assert_eq!(there.status, 404, "{method} {template} {}", there.json);
            assert_eq!(there.bytes, nowhere.bytes, "{method} {template}");
            assert_eq!(there.headers, nowhere.headers, "{method} {template}");
        }
    }
}

/// Every list there is: its path, with ids in it.
fn lists(account: &str, agency: &str) -> Vec<String> {
    ENDPOINTS
        .iter()
        .filter(|(method, template, guard, _)| {
            *method == "GET"
                && matches!(guard, Guard::Account(_) | Guard::Agency(_))
                && !template.ends_with('}')
                && !template.contains("/settings/")
        })
        .map(|(_, template, ..)| path(template, account, agency))
        .collect()
}

#[tokio::test]
async fn a_cursor_of_one_tenant_is_of_no_use_to_another() {
    let app = app().await;
    let (agency, account, above, _) = neighbours(&app).await;
    let first = app.sign_in_as(Role::AgencyAdministrator).await;
    for at in 0..3 {
        for (account, agency) in [(&app.account, &app.agency), (&account, &agency)] {
            let actor = Actor::system();
            app.key_for(Owner::Account(account.clone()), &[Scope::CallsRead])
                .await;
            app.key_for(Owner::Agency(agency.clone()), &[Scope::CallsRead])
                .await;
            app.app
                .create_account(agency, &format!("N{at}"), &actor)
                .await
                .unwrap();
            let found = app.app.find_account(account).await.unwrap().unwrap().value;
            let team = json!({"name": format!("T{at}")});
            app.app.create_team(&found, team, &actor).await.unwrap();
            let grant = Grant::new(Owner::Account(account.clone()), Role::CallManager);
            app.sign_in_at(Home::Agency(agency.clone()), vec![grant])
                .await;
        }
        recording(&app, &format!("c-{at}"), "ada").await;
    }
    let mut tried = 0;
    let theirs = lists(&account, &agency);
    for (own, other) in lists(&app.account, &app.agency).iter().zip(&theirs) {
        let page = send(&app, Some(&first), "GET", &format!("{own}?limit=1"), "").await;
        let Some(cursor) = page.json["next_cursor"].as_str() else {
            continue;
        };
        tried += 1;
        let query = format!("?limit=1&cursor={cursor}");
        let again = send(&app, Some(&first), "GET", &format!("{own}{query}"), "").await;
        assert_eq!(again.status, 200, "{own} {}", again.json);
        let used = send(&app, Some(&above), "GET", &format!("{other}{query}"), "").await;
        assert_eq!(used.status, 400, "{other} {}", used.json);
        assert_eq!(used.json["type"], "/problems/invalid-cursor", "{other}");
    }
    assert!(tried >= 8, "only {tried} lists had a second page");
}

#[tokio::test]
async fn two_tenants_in_turn_in_one_warm_process_share_nothing() {
    let app = app().await;
    let (agency, account, above, inside) = neighbours(&app).await;
    let first = app.sign_in_as(Role::AgencyAdministrator).await;
    let first_inside = app.sign_in_as(Role::Administrator).await;
    recording(&app, "c-alpha", "ada").await;
    let keys = [
        app.key_for(Owner::Agency(app.agency.clone()), &Scope::ALL)
            .await,
        app.key_for(Owner::Agency(agency.clone()), &Scope::ALL)
            .await,
    ];
    let tenants = [
        (&app.account, &app.agency, [&first, &first_inside]),
        (&account, &agency, [&above, &inside]),
    ];
    let mut answers = 0;
    // Three rounds: the first fills what the process remembers, the others use it.
    for _ in 0..3 {
        for (method, template, guard, _) in ENDPOINTS {
            if *method != "GET" || !matches!(guard, Guard::Account(_) | Guard::Agency(_)) {
                continue;
            }
            for (at, (account, agency, people)) in tenants.iter().enumerate() {
                let (strange_account, strange_agency, strangers) = &tenants[1 - at];
                let path = path(template, account, agency);
                let by_key = app
                    .request_as(Some(&keys[at]), "GET", &path, &[], Value::Null)
                    .await;
                let mut all = vec![by_key];
                for person in people {
                    all.push(send(&app, Some(person), "GET", &path, "").await);
                }
                for answer in all {
                    let text = String::from_utf8_lossy(&answer.bytes);
                    for strange in [
                        strange_account.as_str(),
                        strange_agency.as_str(),
                        &strangers[0].id,
                        &strangers[1].id,
                    ] {
                        assert!(!text.contains(strange), "{path} {text}");
                    }
                    answers += usize::from(answer.status == 200);
                }
            }
        }
    }
    assert!(answers > 200, "{answers}");
    // The door of the platform's people stays what it was, whoever else came in between.
    let Principal::Key(key) = app
        .app
        .authenticate(&keys[1], None)
        .await
        .unwrap()
        .principal
    else {
        panic!("a key is a key");
    };
    assert_eq!(key.owner, Owner::Agency(agency.clone()));
}
