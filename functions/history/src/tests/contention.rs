use std::sync::Arc;

use ringfence_domain::{App, history::Actor};
use ringfence_ports::contract::{Counting, TestRandom};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_parallel_changes_make_a_contiguous_chain() {
    let app = app().await;
    // Ten processes on one table, ten changes each.
    let processes: Vec<Arc<App>> = (0..10)
        .map(|at| {
            Arc::new(App::new(
                app.app.table.clone(),
                app.app.queue.clone(),
                app.app.keys.clone(),
                app.app.clock.clone(),
                Arc::new(TestRandom::new(100 + at)),
                app.app.sender.clone(),
            ))
        })
        .collect();
    let mut tasks = tokio::task::JoinSet::new();
    for at in 0..100 {
        let (process, account) = (processes[at % 10].clone(), app.account.clone());
        tasks.spawn(async move {
            let change = Change {
                item: format!("settings/{at}"),
                action: Action::Update,
                before: Value::Null,
                after: json!(at),
            };
            let made = process
                .commit_change(&account, &Actor::system(), change, no_rows())
                .await;
            made.unwrap().seq
        });
    }
    let mut seqs = tasks.join_all().await;
    seqs.sort_unstable();
    assert_eq!(seqs, (2..=101).collect::<Vec<u64>>());
    let answer = app
        .request("POST", &path(&app, "/verification"), json!({}))
        .await;
    assert_eq!(answer.json["status"], "verified", "{}", answer.json);
    assert_eq!(answer.json["verified"], 101);
    let mut items: Vec<String> = Vec::new();
    let (entries, more) = app
        .app
        .history_before(&app.account, 200, None)
        .await
        .unwrap();
    items.extend(entries.into_iter().map(|entry| entry.item));
    items.sort();
    items.dedup();
    assert_eq!((items.len(), more), (101, false));
}

#[tokio::test]
async fn a_change_costs_one_read_and_one_commit() {
    let app = app().await;
    app.counting.take();
    change(&app, "settings/security", "key_1").await;
    let calls = app.counting.take();
    assert_eq!((calls.get, calls.write, calls.units), (1, 1, 1));
    assert_eq!(calls.puts, 3);
    let _: &Arc<Counting<_>> = &app.counting;
}
