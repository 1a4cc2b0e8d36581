mod contention;
mod erasure;
mod filters;
mod proof;
mod reading;

use ringfence_domain::{
    access::Scope,
    history::{Action, Actor, Change, Personal},
    keyspace,
};
use ringfence_ports::{Op, Put, Unit, When};
use ringfence_test_support::{Response, TestApp};
use serde_json::{Value, json};

async fn app() -> TestApp {
    TestApp::new().await.serving(crate::router())
}

async fn get(app: &TestApp, key: &str, path: &str) -> Response {
    app.request_as(Some(key), "GET", path, &[], Value::Null)
        .await
}

fn actor(id: &str) -> Actor {
    Actor {
        id: id.to_owned(),
        address: None,
    }
}

fn no_rows() -> Unit {
    Unit {
        ops: Vec::new(),
        sends: Vec::new(),
    }
}

/// A change of the account without rows of its own.
async fn change(app: &TestApp, item: &str, by: &str) {
    let change = Change {
        item: item.to_owned(),
        action: Action::Update,
        before: json!({"on": false}),
        after: json!({"on": true}),
    };
    app.app
        .commit_change(&app.account, &actor(by), change, no_rows())
        .await
        .unwrap();
}

/// A change of a person's name and address.
async fn person(app: &TestApp, id: &str, name: &str) {
    let change = Change {
        item: format!("users/{id}"),
        action: Action::Create,
        before: Value::Null,
        after: json!({"id": id, "name": name, "email": format!("{name}@example.com"), "status": "active"}),
    };
    app.app
        .commit_change(
            &app.account,
            &actor("usr_admin"),
            change.personal(Personal::all_but(&["/id", "/status"]).of(id)),
            no_rows(),
        )
        .await
        .unwrap();
}

/// What an attacker with the table in hand does: writes over an entry, or takes it away.
async fn tamper(app: &TestApp, seq: u64, doc: Option<String>) {
    let key = keyspace::history_entry(&app.account, seq);
    let op = match doc {
        Some(doc) => Op::Put(Put::new(key, doc, When::Always)),
        None => Op::Delete(key, When::Present),
    };
    write(app, op).await;
}

async fn write(app: &TestApp, op: Op) {
    let unit = Unit {
        ops: vec![op],
        sends: Vec::new(),
    };
    app.app.table.commit(unit).await.unwrap();
}

/// An entry as it is stored.
async fn stored(app: &TestApp, seq: u64) -> String {
    let key = keyspace::history_entry(&app.account, seq);
    app.app.table.get(&key).await.unwrap().unwrap().doc
}

fn path(app: &TestApp, rest: &str) -> String {
    format!("/v1/accounts/{}/history{rest}", app.account)
}

/// A key of the account with these scopes.
async fn key(app: &TestApp, scopes: &[Scope]) -> String {
    let owner = ringfence_domain::access::Owner::Account(app.account.clone());
    app.key_for(owner, scopes).await
}
