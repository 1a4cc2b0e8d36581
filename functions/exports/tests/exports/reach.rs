//! What people export: what they see, and nobody gets the file of somebody who sees more.

use ringfence_domain::{
    access::{Owner, Scope},
    history::Actor,
    people::{Grant, Role},
    recording::Facts,
};
use ringfence_test_support::{Response, SignedIn};
use serde_json::{Value, json};

use crate::world::{World, facts};

impl World {
    async fn send(&self, person: &SignedIn, method: &str, rest: &str, body: Value) -> Response {
        let path = self.path(rest);
        self.test.request_of(person, method, &path, &[], body).await
    }

    async fn ordered_by(&self, person: &SignedIn) -> String {
        let body = json!({"kind": "recordings"});
        let asked = self.send(person, "POST", "/exports", body).await;
        assert_eq!(asked.status, 202, "{}", asked.json);
        self.test.drain().await;
        asked.json["id"].as_str().unwrap().to_owned()
    }

    fn grant(&self, role: Role, change: impl FnOnce(&mut Grant)) -> Vec<Grant> {
        let mut grant = Grant::new(Owner::Account(self.test.account.clone()), role);
        change(&mut grant);
        vec![grant]
    }

    async fn group(&self, document: Value) -> String {
        let made = self
            .test
            .app
            .create_access_group(&self.test.agency, document, &Actor::system())
            .await;
        made.unwrap().value.id
    }
}

async fn world() -> (World, [String; 2]) {
    let world = World::new().await;
    let mut ids = Vec::new();
    for (at, agent, team) in [
        ("2026-01-30T07:15:09Z", "ada", "sales"),
        ("2026-01-29T07:15:09Z", "bob", "care"),
    ] {
        let made = Facts {
            agent_id: Some(agent.to_owned()),
            team: Some(team.to_owned()),
            ..facts(at)
        };
        ids.push(world.recording(made).await);
    }
    let ids = ids.try_into().unwrap();
    (world, ids)
}

#[tokio::test]
async fn an_agent_exports_its_own_and_a_manager_its_teams() {
    let (world, [own, other]) = world().await;
    let account = world.test.app.find_account(&world.test.account).await;
    let care = world
        .test
        .app
        .create_team(
            &account.unwrap().unwrap().value,
            json!({"name": "Care", "label": "care"}),
            &Actor::system(),
        )
        .await;
    let care = care.unwrap().value.id;
    let agent = world.grant(Role::CallAgent, |grant| {
        grant.agent = Some("ada".to_owned());
    });
    let manager = world.grant(Role::CallManager, |grant| grant.teams = vec![care]);
    for (grants, expected) in [(agent, &own), (manager, &other)] {
        let person = world.test.sign_in(grants).await;
        let listed = world.send(&person, "GET", "/recordings", Value::Null).await;
        assert_eq!(listed.json["items"][0]["id"], expected.as_str());
        let export = world.ordered_by(&person).await;
        let lines = world.lines(&export);
        assert_eq!(lines.len(), 1);
        assert_eq!(&lines[0]["id"], expected);
        // Its own is listed, and it may delete that.
        let path = format!("/exports/{export}");
        let all = world.send(&person, "GET", "/exports", Value::Null).await;
        assert_eq!(all.json["items"].as_array().unwrap().len(), 1);
        let read = world.send(&person, "GET", &path, Value::Null).await;
        assert!(read.json["download"].is_string(), "{}", read.json);
        // Links are for those who make links.
        let with_links = json!({"kind": "recordings", "links": true});
        let refused = world.send(&person, "POST", "/exports", with_links).await;
        assert_eq!(refused.status, 403, "{}", refused.json);
        let deleted = world.send(&person, "DELETE", &path, Value::Null).await;
        assert_eq!(deleted.status, 204, "{}", deleted.json);
    }
}

#[tokio::test]
async fn hidden_columns_are_not_in_the_file() {
    let (world, _) = world().await;
    let group = world
        .group(json!({"name": "G", "columns": ["recording", "team", "duration"]}))
        .await;
    let manager = world.grant(Role::CallManager, |grant| {
        grant.access_group = Some(group.clone());
    });
    let manager = world.test.sign_in(manager).await;
    let export = world.ordered_by(&manager).await;
    let text = world.text(&export);
    assert!(
        text.starts_with("id,call_id,duration,team,content_type,size,redacted\r\n"),
        "{text}"
    );
    assert!(!text.contains("ada") && !text.contains("2026"), "{text}");
    let listed = world
        .send(&manager, "GET", "/recordings", Value::Null)
        .await;
    for (line, item) in world
        .lines(&export)
        .iter()
        .zip(listed.json["items"].as_array().unwrap())
    {
        for name in line.keys() {
            assert!(item.get(name).is_some(), "{name}");
        }
    }
    // A group that hides recordings leaves none.
    let blind = world.group(json!({"name": "H", "columns": ["from"]})).await;
    let blind = world.grant(Role::CallManager, |grant| grant.access_group = Some(blind));
    let blind = world.test.sign_in(blind).await;
    let export = world.ordered_by(&blind).await;
    assert_eq!(world.lines(&export).len(), 0);
}

#[tokio::test]
async fn nobody_gets_the_file_of_somebody_who_sees_more() {
    let (world, _) = world().await;
    let admin = world.made(json!({})).await;
    let manager = world.test.sign_in_as(Role::CallManager).await;
    let other = world.test.sign_in_as(Role::CallManager).await;
    let own = world.ordered_by(&manager).await;
    let nowhere = "exp_019c1310e4007a70858c50c604032a89";
    for (person, hidden) in [(&manager, &admin), (&other, &admin), (&other, &own)] {
        for method in ["GET", "DELETE"] {
            let path = format!("/exports/{hidden}");
            let there = world.send(person, method, &path, Value::Null).await;
            let path = format!("/exports/{nowhere}");
            let absent = world.send(person, method, &path, Value::Null).await;
            assert_eq!(there.status, 404, "{}", there.json);
            assert_eq!(there.bytes, absent.bytes);
        }
        let all = world.send(person, "GET", "/exports", Value::Null).await;
        assert!(
            !all.json.to_string().contains(hidden.as_str()),
            "{}",
            all.json
        );
    }
    // Whoever sees everything sees all of them; with reading alone it deletes its own, and no links.
    assert_eq!(world.export(&own).await["state"], "done");
    let reader = world
        .test
        .key_for(
            Owner::Account(world.test.account.clone()),
            &[Scope::RecordingsRead],
        )
        .await;
    let path = world.path(&format!("/exports/{own}"));
    let refused = world
        .test
        .request_as(Some(&reader), "DELETE", &path, &[], Value::Null)
        .await;
    assert_eq!(refused.status, 403, "{}", refused.json);
    let deleted = world
        .call("DELETE", &format!("/exports/{own}"), Value::Null)
        .await;
    assert_eq!(deleted.status, 204);
}

#[tokio::test]
async fn files_with_links_are_for_those_who_make_links() {
    let (world, _) = world().await;
    let with = world.made(json!({"links": true})).await;
    let without = world.made(json!({})).await;
    // A key that only reads, and one of the operator's team who was let in: nothing they get outlasts that.
    let owner = Owner::Account(world.test.account.clone());
    let reader = world.test.key_for(owner, &[Scope::RecordingsRead]).await;
    let operator = world.test.sign_in_as(Role::Operator).await;
    let agency = Owner::Agency(world.test.agency.clone());
    let admin = world.test.key_for(agency, &Scope::ALL).await;
    let admin = world.test.app.authenticate(&admin, None).await.unwrap();
    let (app, agency) = (&world.test.app, &world.test.agency);
    app.open_support(&admin, agency, 1, None).await.unwrap();
    for (export, is_given) in [(&with, false), (&without, true)] {
        let path = format!("/exports/{export}");
        let by_operator = world.send(&operator, "GET", &path, Value::Null).await;
        let path = world.path(&path);
        let by_key = world
            .test
            .request_as(Some(&reader), "GET", &path, &[], Value::Null)
            .await;
        for read in [by_operator, by_key] {
            assert_eq!(read.json["state"], "done", "{}", read.json);
            assert_eq!(read.json["download"].is_string(), is_given);
            assert_eq!(read.json["withheld"].is_string(), !is_given);
        }
        assert!(world.export(export).await["download"].is_string());
    }
}

#[tokio::test]
async fn whoever_sees_less_than_when_asking_gets_the_file_no_more() {
    let (world, _) = world().await;
    let group = world
        .group(json!({"name": "G", "columns": ["recording", "agent_id"]}))
        .await;
    let manager = world.grant(Role::CallManager, |grant| {
        grant.access_group = Some(group.clone());
    });
    let manager = world.test.sign_in(manager).await;
    // Narrowed after asking and before it is made: it has what could be seen when asking.
    let body = json!({"kind": "recordings"});
    let asked = world.send(&manager, "POST", "/exports", body).await;
    let export = asked.json["id"].as_str().unwrap().to_owned();
    let path = format!("/exports/{export}");
    let change = async |document: Value| {
        let (app, agency) = (&world.test.app, &world.test.agency);
        let found = app.access_group(agency, &group).await.unwrap();
        let version = found.version;
        app.update_access_group(agency, found, version, document, &Actor::system())
            .await
            .unwrap();
    };
    change(json!({"name": "Another name"})).await;
    let read = world.send(&manager, "GET", &path, Value::Null).await;
    assert_eq!(read.status, 200, "a name changes nothing: {}", read.json);
    change(json!({"columns": ["recording"]})).await;
    world.test.drain().await;
    assert!(world.text(&export).contains("ada"));
    let read = world.send(&manager, "GET", &path, Value::Null).await;
    assert_eq!(read.status, 404, "{}", read.json);
    assert_eq!(world.export(&export).await["state"], "done");
}
