//! Answers that are lost, and what is refused before it is asked.

mod common;

use std::time::Duration;

use common::Account;
use ringfence_ports::{Key, Message, Op, Put, QueueName, StoreError, Table, Unit, When};

fn unit(ops: Vec<Op>) -> Unit {
    Unit {
        ops,
        sends: Vec::new(),
    }
}

fn put(sk: &str, doc: &str, when: When) -> Op {
    Op::Put(Put::new(Key::new("p", sk), doc, when))
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_knows_its_own_row() {
    let Some(account) = Account::new() else {
        return;
    };
    let store = account.store(&[]).await;
    for (n, when) in [When::Absent, When::Version(1), When::Version(2)]
        .into_iter()
        .enumerate()
    {
        account.counter.lose_answers("PutItem", 1);
        account.counter.take();
        assert_eq!(
            store.commit(unit(vec![put("a", "1", when)])).await,
            Ok(()),
            "{when:?}"
        );
        assert_eq!(account.counter.take().requests["PutItem"], 2);
        let row = store.get(&Key::new("p", "a")).await.unwrap().unwrap();
        assert_eq!(row.version, n as u64 + 1, "written once");
    }
    // The same bytes from somebody else are not one's own.
    account.counter.lose_answers("PutItem", 1);
    let refused = store.commit(unit(vec![put("a", "1", When::Absent)])).await;
    assert_eq!(refused, Err(StoreError::Condition { op: 0 }));
}

#[tokio::test]
async fn a_transaction_whose_answer_is_lost_is_done_once() {
    let Some(account) = Account::new() else {
        return;
    };
    let store = account.store(&[]).await;
    account.counter.lose_answers("TransactWriteItems", 2);
    let ops = vec![put("a", "1", When::Absent), put("b", "1", When::Always)];
    assert_eq!(store.commit(unit(ops)).await, Ok(()));
    assert_eq!(account.counter.take().requests["TransactWriteItems"], 3);
    let row = store.get(&Key::new("p", "b")).await.unwrap().unwrap();
    assert_eq!(row.version, 1);
}

#[tokio::test]
async fn a_count_whose_answer_is_lost_is_not_repeated() {
    let Some(account) = Account::new() else {
        return;
    };
    let store = account.store(&[]).await;
    let key = Key::new("p", "count");
    account.counter.lose_answers("UpdateItem", 1);
    let lost = store.count(&key, 1, Some(5), None).await;
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
    assert_eq!(account.counter.take().requests["UpdateItem"], 1);
    assert_eq!(store.count(&key, 1, Some(5), None).await, Ok(2));
}

#[tokio::test]
async fn what_is_never_answered_is_unavailable_within_the_patience() {
    let Some(account) = Account::new() else {
        return;
    };
    let store = account.store(&[]).await;
    account.counter.lose_answers("GetItem", u32::MAX);
    let started = std::time::Instant::now();
    let lost = store.get(&Key::new("p", "a")).await;
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
    assert!(started.elapsed() < Duration::from_secs(4));
    let tries = account.counter.take().requests["GetItem"];
    assert!((4..60).contains(&tries), "{tries} tries");
}

#[tokio::test]
async fn a_lone_operation_is_never_a_transaction() {
    let Some(account) = Account::new() else {
        return;
    };
    let store = account.store(&[]).await;
    account.counter.take();
    for when in [When::Absent, When::Always, When::Present, When::Version(3)] {
        store.commit(unit(vec![put("a", "1", when)])).await.unwrap();
    }
    let key = || Key::new("p", "a");
    store
        .commit(unit(vec![Op::Check(key(), When::Present)]))
        .await
        .unwrap();
    // An operation that does nothing does not make one of two.
    let ops = vec![
        Op::Check(Key::new("p", "b"), When::Always),
        Op::Delete(key(), When::Present),
    ];
    store.commit(unit(ops)).await.unwrap();
    let tally = account.counter.take();
    let requests: Vec<_> = tally
        .requests
        .iter()
        .map(|(name, n)| (name.as_str(), *n))
        .collect();
    assert_eq!(
        requests,
        [
            ("DeleteItem", 1),
            ("GetItem", 1),
            ("PutItem", 2),
            ("UpdateItem", 2)
        ]
    );
}

#[tokio::test]
async fn units_of_one_write_share_their_sends() {
    let Some(account) = Account::new() else {
        return;
    };
    let store = account.store(&["work"]).await;
    account.counter.take();
    let units = (0..25).map(|n| Unit {
        ops: vec![put(&n.to_string(), "1", When::Absent)],
        sends: vec![Message {
            queue: QueueName("work"),
            body: n.to_string(),
            delay: Duration::ZERO,
            group: "g".to_owned(),
        }],
    });
    assert!(store.write(units.collect()).await.iter().all(Result::is_ok));
    let tally = account.counter.take();
    assert_eq!(
        (
            tally.requests["PutItem"],
            tally.requests["SendMessageBatch"]
        ),
        (25, 3)
    );
}

#[tokio::test]
async fn a_failed_send_fails_its_unit_though_its_row_is_there() {
    let Some(account) = Account::new() else {
        return;
    };
    let store = account.store(&["work"]).await;
    let send = |queue, sk: &str| Unit {
        ops: vec![put(sk, "1", When::Absent)],
        sends: vec![Message {
            queue: QueueName(queue),
            body: "1".to_owned(),
            delay: Duration::ZERO,
            group: "g".to_owned(),
        }],
    };
    let results = store
        .write(vec![send("work", "a"), send("nowhere", "b")])
        .await;
    assert!(
        matches!(results.as_slice(), [Ok(()), Err(StoreError::Invalid(_))]),
        "{results:?}"
    );
    assert!(store.get(&Key::new("p", "b")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_transaction_over_four_megabytes_is_refused_before_it_is_asked() {
    let Some(account) = Account::new() else {
        return;
    };
    let store = account.store(&[]).await;
    // Noise, so that it does not deflate.
    let mut state = 1_u64;
    let mut noise = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        char::from(b'#' + u8::try_from((state >> 33) % 57).unwrap())
    };
    let doc: String = std::iter::repeat_with(|| noise())
        .take(380 * 1024 - 2)
        .collect();
    let doc = format!("\"{doc}\"");
    account.counter.take();
    let ops = (0..15)
        .map(|n| put(&n.to_string(), &doc, When::Absent))
        .collect();
    let refused = store.commit(unit(ops)).await;
    assert_eq!(
        refused,
        Err(StoreError::TooLarge {
            limit: 4 * 1024 * 1024
        })
    );
    assert_eq!(account.counter.take().total(), 0);
}

#[tokio::test]
async fn an_error_tells_a_code_and_no_content() {
    let Some(account) = Account::new() else {
        return;
    };
    // There is no table.
    let store = account.store_over(std::collections::HashMap::new());
    let op = Op::Put(Put::new(
        Key::new("p/+14155550132", "s"),
        "\"+14155550132\"",
        When::Absent,
    ));
    let refused = store.commit(unit(vec![op])).await;
    let cause = "the service answered ResourceNotFoundException".to_owned();
    assert_eq!(refused, Err(StoreError::Unavailable(cause)));
}
