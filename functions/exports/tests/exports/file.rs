//! What is in a file: the same that the list of recordings shows.

use ringfence_domain::{event::PhoneNumber, recording::Facts};
use serde_json::{Value, json};

use crate::world::{Line, World, facts};

fn ids(lines: &[Line]) -> Vec<&str> {
    lines.iter().map(|line| line["id"].as_str()).collect()
}

/// Recordings of two teams, of which one is deleted and one has no audio yet.
async fn world() -> World {
    let world = World::new().await;
    for (at, team, agent, tags) in [
        (
            "2026-01-10T07:15:09Z",
            "sales",
            "ada",
            vec!["inbound", "vip"],
        ),
        ("2026-01-20T07:15:09.5Z", "care", "bob", vec![]),
        ("2026-01-30T07:15:09Z", "sales", "bob", vec!["vip"]),
    ] {
        let made = Facts {
            call_id: format!("call-+4915112345678-{team}"),
            team: Some(team.to_owned()),
            agent_id: Some(agent.to_owned()),
            from: Some(PhoneNumber::new("+4915112345678")),
            to: Some(PhoneNumber::new("+4943112345")),
            tags: tags.into_iter().map(str::to_owned).collect(),
            ..facts(at)
        };
        world.recording(made).await;
    }
    let gone = world.recording(facts("2026-01-15T07:15:09Z")).await;
    let path = format!("/recordings/{gone}");
    let deleted = world.call("DELETE", &path, Value::Null).await;
    assert_eq!(deleted.status, 200, "{}", deleted.json);
    let config = world.test.app.account_config(&world.test.account).await;
    let config = config.unwrap().unwrap();
    let pending = facts("2026-01-16T07:15:09Z");
    let pending = world.test.app.register_recording(&config, pending).await;
    pending.unwrap();
    world
}

/// The cell of a value in JSON.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(all) => {
            let all: Vec<_> = all.iter().map(|one| one.as_str().unwrap()).collect();
            all.join(";")
        }
        other => other.to_string(),
    };
    if text.starts_with('+') {
        format!("'{text}")
    } else {
        text
    }
}

#[tokio::test]
async fn the_rows_are_those_of_the_list_masked_or_not() {
    let world = world().await;
    for masked in [false, true] {
        let masking = json!({"phone_number_masking": masked});
        world.settings("security", masking).await;
        let listed = world.get("/recordings?status=available").await;
        let listed = listed["items"].as_array().unwrap();
        assert_eq!(listed.len(), 3);
        let export = world.made(json!({})).await;
        let lines = world.lines(&export);
        assert_eq!(lines.len(), 3);
        for (line, item) in lines.iter().zip(listed) {
            assert_eq!(line.len(), 12, "{line:?}");
            for (name, text) in line {
                assert_eq!(*text, cell(&item[name]), "{name}, masked: {masked}");
            }
        }
        let is_whole = world.text(&export).contains("4915112345678");
        assert_eq!(is_whole, !masked);
        let read = world.export(&export).await;
        assert_eq!((&read["rows"], &read["linked"]), (&json!(3), &json!(0)));
        assert_eq!(read["size"], world.text(&export).len());
        assert!(read["finished_at"].is_string());
        let download = read["download"].as_str().unwrap();
        assert!(download.contains(&world.blob(&export)), "{download}");
        assert!(download.contains("text/csv"), "{download}");
    }
}

#[tokio::test]
async fn a_file_with_whole_numbers_is_kept_back_once_the_account_masks() {
    let world = world().await;
    let export = world.made(json!({"team": "sales"})).await;
    let masking = json!({"phone_number_masking": true});
    world.settings("security", masking).await;
    let read = world.export(&export).await;
    assert_eq!(read.get("download"), None);
    assert!(read["withheld"].is_string(), "{read}");
    // One that is made now is given out, and says nothing of the number that was asked for.
    let asked = json!({"call_id": "call-+4915112345678-sales"});
    let export = world.made(asked).await;
    let read = world.export(&export).await;
    assert!(read["download"].is_string() && read.get("withheld").is_none());
    assert!(!read.to_string().contains("4915112345678"), "{read}");
    assert_eq!(read["rows"], 2);
}

#[tokio::test]
async fn all_conditions_hold_together() {
    let world = world().await;
    for (body, expected) in [
        (json!({"team": "sales"}), 2),
        (json!({"agent_id": "bob"}), 2),
        (json!({"team": "sales", "agent_id": "bob"}), 1),
        (json!({"tag": "vip"}), 2),
        (json!({"tag": "inbound", "shorter_than": 2}), 1),
        (json!({"shorter_than": 1}), 0),
        (json!({"call_id": "call-+4915112345678-care"}), 1),
        (json!({"since": "2026-01-20T07:15:09.5Z"}), 2),
        (json!({"until": "2026-01-20T07:15:09.5Z"}), 1),
        (
            json!({"from_date": "2026-01-20", "to_date": "2026-01-30"}),
            1,
        ),
        (
            json!({"from_date": "2026-01-20", "until": "2026-01-31T00:00:00Z"}),
            2,
        ),
    ] {
        let lines = world.lines_of(body.clone()).await;
        assert_eq!(lines.len(), expected, "{body}");
    }
}

#[tokio::test]
async fn days_are_those_of_the_account() {
    let world = World::new().await;
    let path = world.path("");
    let before = world.test.request("GET", &path, Value::Null).await;
    let etag = before.headers["etag"].to_str().unwrap().to_owned();
    let headers = [
        ("if-match", etag.as_str()),
        ("content-type", "application/merge-patch+json"),
    ];
    let zone = json!({"time_zone": "America/New_York"});
    let saved = world
        .test
        .request_as(Some(&world.test.key), "PATCH", &path, &headers, zone)
        .await;
    assert_eq!(saved.status, 200, "{}", saved.json);
    // The day on which clocks were put back has 25 hours.
    for at in [
        "2025-11-02T03:59:59Z",
        "2025-11-02T04:00:00Z",
        "2025-11-03T04:59:59Z",
        "2025-11-03T05:00:00Z",
    ] {
        world.recording(facts(at)).await;
    }
    let day = json!({"from_date": "2025-11-02", "to_date": "2025-11-03"});
    let export = world.made(day).await;
    let lines = world.lines(&export);
    let begun: Vec<_> = lines
        .iter()
        .map(|line| line["started_at"].as_str())
        .collect();
    assert_eq!(begun, ["2025-11-03T04:59:59Z", "2025-11-02T04:00:00Z"]);
    let selection = &world.export(&export).await["selection"];
    assert_eq!(
        selection,
        &json!({"time_zone": "America/New_York", "from_date": "2025-11-02", "to_date": "2025-11-03",
            "since": "2025-11-02T04:00:00Z", "until": "2025-11-03T05:00:00Z"})
    );
}

#[tokio::test]
async fn what_is_registered_after_asking_is_not_in_it() {
    let world = World::new().await;
    let early = world.recording(facts("2026-01-30T07:00:00Z")).await;
    let export = world.order(json!({})).await;
    world.test.clock.advance(std::time::Duration::from_secs(1));
    world.recording(facts("2026-01-29T07:00:00Z")).await;
    world.test.drain().await;
    assert_eq!(ids(&world.lines(&export)), [early]);
}

#[tokio::test]
async fn no_cell_is_a_formula() {
    let world = World::new().await;
    let hostile = Facts {
        call_id: "=1+1".to_owned(),
        agent_id: Some("@SUM(A1:A9)".to_owned()),
        team: Some("-2+3".to_owned()),
        tags: ["=1+1", "a, \"b\"", "=1+2"].map(str::to_owned).to_vec(),
        from: Some(PhoneNumber::new("+4915112345678")),
        ..facts("2026-01-30T07:15:09Z")
    };
    world.recording(hostile).await;
    let lines = world.lines_of(json!({})).await;
    for (name, expected) in [
        ("call_id", "'=1+1"),
        ("agent_id", "'@SUM(A1:A9)"),
        ("team", "'-2+3"),
        ("tags", "'=1+1;a, \"b\";'=1+2"),
        ("from", "'+4915112345678"),
    ] {
        assert_eq!(lines[0][name], expected);
    }
}

#[tokio::test]
async fn an_export_of_nothing_has_its_names() {
    let world = World::new().await;
    let export = world.made(json!({})).await;
    assert_eq!(
        world.text(&export),
        "id,call_id,started_at,duration,agent_id,team,from,to,tags,content_type,size,redacted\r\n"
    );
    let export = world.made(json!({"links": true})).await;
    assert!(
        world
            .text(&export)
            .ends_with(",redacted,link,link_expires_at\r\n")
    );
}
