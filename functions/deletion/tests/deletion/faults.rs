//! A deletion that dies at every step, and comes to the same receipt.

use std::sync::Arc;

use ringfence_domain::App;
use ringfence_ports::{
    StoreError,
    contract::{Fault, Faulty},
};
use ringfence_test_support::TestApp;
use ringfence_webhook::{Policy, Sender, target::SystemResolver};
use serde_json::{Value, json};

use crate::world::{World, facts, step};

/// The same account over a store that fails.
fn failing(test: &TestApp) -> (Arc<App>, Arc<Faulty<dyn ringfence_ports::Table>>) {
    let faulty = Arc::new(Faulty::new(test.app.table.clone()));
    let sender = Sender::new(
        Policy::public(),
        Arc::new(SystemResolver),
        ringfence_webhook::send::Options::default(),
    )
    .unwrap();
    let app = App::new(
        faulty.clone(),
        test.app.queue.clone(),
        test.app.keys.clone(),
        test.app.clock.clone(),
        test.app.random.clone(),
        sender,
    )
    .with_blobs(test.blobs.clone());
    (Arc::new(app), faulty)
}

/// Three recordings to delete, one that is held, one that another job has deleted.
async fn world() -> (World, String) {
    let world = World::new().await;
    world.test.blobs.keep_versions();
    let mut all: Vec<_> = (0..5)
        .map(|n| facts(&format!("2026-01-30T07:15:0{n}Z")))
        .collect();
    "held".clone_into(&mut all[3].call_id);
    let mut ids = Vec::new();
    for facts in all {
        ids.push(world.recording(facts).await);
    }
    world.hold(json!({"call_id": "held"})).await;
    let job = world.delete(json!({"from_date": "2026-01-01"})).await;
    world.steps_to(&job, "tombstone").await;
    let gone = world
        .call("DELETE", &format!("/recordings/{}", ids[0]), Value::Null)
        .await;
    assert_eq!(gone.status, 200, "{}", gone.json);
    (world, job)
}

/// Works on it over `app` until it is done; a step that fails comes again. Answers how often one did.
async fn finish(world: &World, app: &Arc<App>, job: &str) -> (Value, u32) {
    let mut failed = 0;
    for _ in 0..50 {
        let read = world.deletion(job).await;
        if read["state"] == "done" {
            let mut receipt = world.finish(job).await["receipt"].clone();
            // Each folder has keys of its own.
            receipt["signature"] = Value::Null;
            return (receipt, failed);
        }
        if !step(&world.test.app, app, &world.test.account, job).await {
            failed += 1;
        }
    }
    panic!("it never ends");
}

#[tokio::test]
async fn whatever_call_of_the_stores_fails_the_receipt_is_the_same() {
    let (first, job) = world().await;
    let (receipt, _) = finish(&first, &first.test.app, &job).await;
    assert_eq!(
        (
            &receipt["deleted"],
            &receipt["already_absent"],
            &receipt["held"],
            &receipt["failed"]
        ),
        (&json!(3), &json!(1), &json!(1), &json!(0))
    );
    let mut tried = 0;
    for call in 0.. {
        let mut hit = false;
        for lose_answer in [false, true] {
            let (world, job) = world().await;
            let (app, faulty) = failing(&world.test);
            let error = StoreError::Unavailable("a fault".to_owned());
            let fault = if lose_answer {
                Fault::LoseAnswer(error)
            } else {
                Fault::Refuse(error)
            };
            faulty.fail(call, fault);
            let (after, failed) = finish(&world, &app, &job).await;
            hit |= failed > 0;
            assert_eq!(after, receipt, "call {call}");
            assert_eq!(world.test.blobs.versions_kept(), 1, "call {call}");
            tried += failed;
        }
        if !hit {
            break;
        }
    }
    assert!(tried > 20, "{tried}");
}

#[tokio::test]
async fn whatever_call_of_the_objects_fails_the_receipt_is_the_same() {
    let (first, job) = world().await;
    let (receipt, _) = finish(&first, &first.test.app, &job).await;
    for call in 0.. {
        let mut hit = false;
        for after in [false, true] {
            let (world, job) = world().await;
            // One more to give up, so that every kind of call is made.
            world.test.blobs.begin_upload(&format!(
                "recordings/{}/{}/sealed-1",
                world.test.account, "x"
            ));
            world.test.blobs.fail(call, after);
            let (again, failed) = finish(&world, &world.test.app.clone(), &job).await;
            hit |= failed > 0;
            assert_eq!(again, receipt, "call {call}");
            assert_eq!(world.test.blobs.versions_kept(), 1, "call {call}");
        }
        if !hit {
            assert!(call >= 3, "{call}");
            break;
        }
    }
}

#[tokio::test]
async fn copies_of_a_message_do_nothing() {
    let (world, job) = world().await;
    for _ in 0..50 {
        if world.deletion(&job).await["state"] == "done" {
            break;
        }
        let both = tokio::join!(world.step(&job), world.step(&job));
        assert_eq!(both, (true, true));
    }
    let receipt = &world.finish(&job).await["receipt"];
    assert_eq!(
        (&receipt["deleted"], &receipt["already_absent"]),
        (&json!(3), &json!(1))
    );
    // One receipt in the history.
    let (entries, _) = world
        .test
        .app
        .history_before(&world.test.account, 100, None)
        .await
        .unwrap();
    let receipts = entries
        .iter()
        .filter(|entry| entry.item.ends_with(&job) && entry.after["signature"].is_string());
    assert_eq!(receipts.count(), 1);
}
