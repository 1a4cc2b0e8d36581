use std::time::Duration;

use proptest::{prelude::*, test_runner::TestRunner};
use ringfence_domain::history::{Entry, Filter};

use super::*;

const ITEMS: [&str; 6] = [
    "settings/callbacks",
    "settings/security",
    "recordings/rec_1/links/lnk_1",
    "recordings/rec_1",
    "recordings/rec_10",
    "callbacks/cdr/secret",
];
const ACTORS: [&str; 3] = ["usr_1", "key_1", "system"];
const WANTED: [&str; 8] = [
    "settings",
    "settings/callbacks",
    "recordings/rec_1",
    "recordings/rec_1/links/lnk_1",
    "recordings/rec_1/links",
    "callbacks/cdr",
    "account",
    "settings/call",
];

/// A history of some size, with a clock that sometimes stands still and once is set back.
async fn history() -> (TestApp, Vec<Entry>) {
    let app = app().await;
    for at in 0..120_usize {
        match at % 7 {
            0 => {}
            3 if at == 59 => app
                .clock
                .set(app.app.clock.now() - jiff::SignedDuration::from_secs(40)),
            more => app.clock.advance(Duration::from_millis(more as u64 * 400)),
        }
        change(&app, ITEMS[at * at % 6], ACTORS[(at / 3) % 3]).await;
    }
    let (entries, _) = app
        .app
        .history_before(&app.account, 500, None)
        .await
        .unwrap();
    assert_eq!(entries.len(), 121);
    (app, entries)
}

fn naive(entries: &[Entry], filter: &Filter) -> Vec<u64> {
    let mut found: Vec<&Entry> = entries
        .iter()
        .filter(|entry| {
            filter.item.as_ref().is_none_or(|item| {
                entry.item == *item || entry.item.starts_with(&format!("{item}/"))
            }) && filter
                .actor
                .as_ref()
                .is_none_or(|actor| entry.actor == *actor)
                && filter.since.is_none_or(|since| since <= entry.at)
                && filter.until.is_none_or(|until| entry.at < until)
        })
        .collect();
    found.sort_by_key(|entry| (entry.at, entry.seq));
    found.iter().rev().map(|entry| entry.seq).collect()
}

#[test]
fn every_filter_finds_what_a_look_at_each_entry_finds() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (app, entries) = runtime.block_on(history());
    let instant = (0..entries.len(), -1_i64..=1).prop_map({
        let entries = entries.clone();
        move |(at, off)| entries[at].at + jiff::SignedDuration::from_nanos(off)
    });
    let cases = (
        prop::option::of(prop::sample::select(WANTED.to_vec())),
        prop::option::of(prop::sample::select(ACTORS.to_vec())),
        prop::option::of(instant.clone()),
        prop::option::of(instant),
        1_usize..30,
    );
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&cases, |(item, actor, since, until, limit)| {
            let filter = Filter {
                item: item.map(str::to_owned),
                actor: actor.map(str::to_owned),
                since,
                until,
            };
            // Without an item below which something is listed, an actor or a time, by number.
            let is_by_number = filter.actor.is_none()
                && since.is_none()
                && until.is_none()
                && !item.is_some_and(|item| item.contains('/'));
            let mut expected = naive(&entries, &filter);
            if is_by_number {
                expected.sort_unstable_by(|a, b| b.cmp(a));
            }
            let found = runtime.block_on(async {
                let (mut found, mut after) = (Vec::new(), None);
                loop {
                    let page = app
                        .app
                        .search_history(&app.account, &filter, limit, after)
                        .await
                        .unwrap();
                    assert!(page.entries.len() <= limit);
                    found.extend(page.entries.iter().map(|entry| entry.seq));
                    after = page.next;
                    if after.is_none() {
                        return found;
                    }
                }
            });
            prop_assert_eq!(found, expected);
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn filters_over_http_go_on_from_page_to_page_and_not_with_other_filters() {
    let (app, entries) = history().await;
    let since = entries[100].at;
    let query = format!("?item=recordings/rec_1&actor=usr_1&since={since}&limit=2");
    let first = get(&app, &app.key, &path(&app, &query)).await;
    assert_eq!(first.status, 200, "{}", first.json);
    let item = &first.json["items"][0];
    assert_eq!(item["actor"], "usr_1");
    assert!(
        item["item"]
            .as_str()
            .unwrap()
            .starts_with("recordings/rec_1")
    );
    assert_eq!(
        item["changes"],
        json!([{"field": "/on", "before": false, "after": true}])
    );
    let cursor = first.json["next_cursor"].as_str().unwrap();
    let second = get(
        &app,
        &app.key,
        &path(&app, &format!("{query}&cursor={cursor}")),
    )
    .await;
    assert_eq!(second.status, 200);
    assert_ne!(second.json["items"][0]["seq"], item["seq"]);
    let other = format!("?item=recordings/rec_1&since={since}&limit=2&cursor={cursor}");
    let answer = get(&app, &app.key, &path(&app, &other)).await;
    assert_eq!(answer.json["type"], "/problems/invalid-cursor");
}

#[tokio::test]
async fn a_page_of_one_item_reads_no_more_than_that() {
    let (app, _) = history().await;
    app.counting.take();
    let filter = Filter {
        item: Some("recordings/rec_10".to_owned()),
        ..Filter::default()
    };
    let page = app
        .app
        .search_history(&app.account, &filter, 5, None)
        .await
        .unwrap();
    let calls = app.counting.take();
    assert_eq!(page.entries.len(), 5);
    assert_eq!((calls.query, calls.rows, calls.get_many), (1, 5, 0));
}
