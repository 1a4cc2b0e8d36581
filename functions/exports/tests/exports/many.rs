//! Many recordings: what they cost.

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use ringfence_domain::recording::Facts;
use serde_json::json;

use crate::world::{World, facts};

async fn many(world: &World, count: i64) {
    let start: Timestamp = "2026-01-10T00:00:00Z".parse().unwrap();
    let all: Vec<_> = (0..count)
        .map(|n| Facts {
            started_at: start + SignedDuration::from_secs(n * 60),
            call_id: format!("call-{n}"),
            ..facts("2026-01-10T00:00:00Z")
        })
        .collect();
    for some in all.chunks(500) {
        join_all(some.iter().map(|facts| world.recording(facts.clone()))).await;
    }
}

#[tokio::test]
async fn two_thousand_links_are_made_fifty_at_a_time() {
    let world = World::new().await;
    many(&world, 2_000).await;
    let export = world.order(json!({"links": true})).await;
    world.test.counting.take();
    world.test.drain().await;
    let calls = world.test.counting.take();
    let read = world.export(&export).await;
    assert_eq!(
        (&read["rows"], &read["linked"]),
        (&json!(2_000), &json!(2_000))
    );
    let lines = world.lines(&export);
    assert_eq!(lines.len(), 2_000);
    let newest_first = lines
        .windows(2)
        .all(|two| two[0]["started_at"] > two[1]["started_at"]);
    assert!(newest_first);
    for line in lines.iter().step_by(400) {
        assert_eq!(world.visit(&line["link"]).await.status, 200);
    }
    println!("{calls:?}");
    // Two pages: the links of each in one call of twenty units; beside them the export's own row, and its end.
    assert!(calls.write <= 8, "{calls:?}");
    assert!((40..=48).contains(&calls.units), "{calls:?}");
    assert!((4_000..=4_020).contains(&calls.puts), "{calls:?}");
    // A recording is read twice at most.
    assert!(calls.rows <= 4_200 && calls.query <= 100, "{calls:?}");
    assert!(calls.get + calls.get_many <= 20, "{calls:?}");
}

#[tokio::test]
async fn a_second_run_finds_the_links_of_the_first() {
    let world = World::new().await;
    many(&world, 1_200).await;
    let export = world.order(json!({"links": true})).await;
    // As if a run had died at its very end.
    let failing = {
        use ringfence_ports::Consumer as _;
        let mut row = world
            .test
            .app
            .table
            .get(&ringfence_domain::keyspace::export(
                &world.test.account,
                &export,
            ))
            .await
            .unwrap()
            .unwrap();
        let jobs = ringfence_jobs::consumer(world.test.app.clone());
        assert!(jobs.handle(vec![world.message(&export)]).await.is_empty());
        let text = world.text(&export);
        let mut doc: serde_json::Value = serde_json::from_str(&row.doc).unwrap();
        doc["run"] = json!(1);
        row.doc = doc.to_string();
        let put = ringfence_ports::Put {
            index: row.index,
            ..ringfence_ports::Put::new(row.key, row.doc, ringfence_ports::When::Always)
        };
        let unit = ringfence_ports::Unit {
            ops: vec![ringfence_ports::Op::Put(put)],
            sends: Vec::new(),
        };
        world.test.app.table.commit(unit).await.unwrap();
        world.test.counting.take();
        assert!(jobs.handle(vec![world.message(&export)]).await.is_empty());
        text
    };
    let calls = world.test.counting.take();
    assert_eq!(world.text(&export), failing, "the same links");
    assert!(calls.puts <= 10 && calls.get_many <= 20, "{calls:?}");
}
