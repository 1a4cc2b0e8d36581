//! Answers that are lost, and what is refused before it is asked.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use common::Account;
use ringfence_ports::{
    BlobError, BlobMeta, Blobs as _, Consumer, Key, Keys, KeysError, Message, Op, Put, Queue,
    QueueName, Received, StoreError, Table, Unit, When,
};

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
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn a_write_whose_answer_is_lost_knows_its_own_row() {
    let account = Account::new();
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
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn a_transaction_whose_answer_is_lost_is_done_once() {
    let account = Account::new();
    let store = account.store(&[]).await;
    account.counter.lose_answers("TransactWriteItems", 2);
    let ops = vec![put("a", "1", When::Absent), put("b", "1", When::Always)];
    assert_eq!(store.commit(unit(ops)).await, Ok(()));
    assert_eq!(account.counter.take().requests["TransactWriteItems"], 3);
    let row = store.get(&Key::new("p", "b")).await.unwrap().unwrap();
    assert_eq!(row.version, 1);
}

#[tokio::test]
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn a_count_whose_answer_is_lost_is_not_repeated() {
    let account = Account::new();
    let store = account.store(&[]).await;
    let key = Key::new("p", "count");
    account.counter.lose_answers("UpdateItem", 1);
    let lost = store.count(&key, 1, Some(5), None).await;
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
    assert_eq!(account.counter.take().requests["UpdateItem"], 1);
    assert_eq!(store.count(&key, 1, Some(5), None).await, Ok(2));
}

#[tokio::test]
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn what_is_never_answered_is_unavailable_within_the_patience() {
    let account = Account::new();
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
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn a_lone_operation_is_never_a_transaction() {
    let account = Account::new();
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
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn units_of_one_write_share_their_sends() {
    let account = Account::new();
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
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn a_failed_send_fails_its_unit_though_its_row_is_there() {
    let account = Account::new();
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
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn a_transaction_over_four_megabytes_is_refused_before_it_is_asked() {
    let account = Account::new();
    let store = account.store(&[]).await;
    // Noise, so that it does not deflate.
    let mut state = 1_u64;
    let noise = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        char::from(b'#' + u8::try_from((state >> 33) % 57).unwrap())
    };
    let doc: String = std::iter::repeat_with(noise).take(380 * 1024 - 2).collect();
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
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn an_error_tells_a_code_and_no_content() {
    let account = Account::new();
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

const THROTTLED: &str =
    r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"p/1"}"#;

#[tokio::test]
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn throttles_are_outlasted_and_then_told_as_busy() {
    let account = Account::new();
    let store = account.store(&[]).await;
    account.counter.answer_with("PutItem", 400, THROTTLED, 3);
    account.counter.take();
    assert_eq!(
        store.commit(unit(vec![put("a", "1", When::Absent)])).await,
        Ok(())
    );
    assert_eq!(account.counter.take().requests["PutItem"], 4);
    account
        .counter
        .answer_with("PutItem", 400, THROTTLED, u32::MAX);
    let busy = store.commit(unit(vec![put("b", "1", When::Absent)])).await;
    assert_eq!(busy, Err(StoreError::Busy));
    account.counter.answer_with("UpdateItem", 400, THROTTLED, 2);
    assert_eq!(
        store.count(&Key::new("p", "c"), 1, None, None).await,
        Ok(1),
        "a throttled count is repeated"
    );
}

#[tokio::test]
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn conflicts_of_transactions_are_outlasted_and_then_told_as_busy() {
    let account = Account::new();
    let store = account.store(&[]).await;
    let ops = |sk: &str| {
        unit(vec![
            put(sk, "1", When::Absent),
            put("beside", "1", When::Always),
        ])
    };
    let conflict = r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "CancellationReasons":[{"Code":"TransactionConflict"},{"Code":"None"}]}"#;
    account
        .counter
        .answer_with("TransactWriteItems", 400, conflict, 2);
    assert_eq!(store.commit(ops("a")).await, Ok(()));
    account
        .counter
        .answer_with("TransactWriteItems", 400, conflict, u32::MAX);
    assert_eq!(store.commit(ops("b")).await, Err(StoreError::Busy));
    assert_eq!(store.get(&Key::new("p", "b")).await, Ok(None));
}

#[tokio::test]
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn a_service_that_fails_is_unavailable_and_not_busy() {
    let account = Account::new();
    let store = account.store(&[]).await;
    account.counter.answer_with(
        "GetItem",
        500,
        r#"{"__type":"InternalServerError"}"#,
        u32::MAX,
    );
    let failed = store.get(&Key::new("p", "a")).await;
    let cause = "the service answered InternalServerError".to_owned();
    assert_eq!(failed, Err(StoreError::Unavailable(cause)));
    // A refusal is not tried again.
    account.counter.answer_with(
        "GetItem",
        400,
        r#"{"__type":"AccessDeniedException"}"#,
        u32::MAX,
    );
    account.counter.take();
    assert!(matches!(
        store.get(&Key::new("p", "a")).await,
        Err(StoreError::Unavailable(_))
    ));
    assert_eq!(account.counter.take().requests["GetItem"], 1);
}

#[tokio::test]
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn keys_that_were_not_processed_are_asked_for_again() {
    let account = Account::new();
    let store = account.store(&[]).await;
    let units = ["a", "b", "c"]
        .map(|sk| unit(vec![put(sk, "1", When::Absent)]))
        .into();
    assert!(store.write(units).await.iter().all(Result::is_ok));
    let partly = r#"{"Responses":{"main":[{"pk":{"S":"p"},"sk":{"S":"a"},"v":{"N":"7"},"doc":{"S":"first"}}]},
        "UnprocessedKeys":{"main":{"Keys":[{"pk":{"S":"p"},"sk":{"S":"b"}},{"pk":{"S":"p"},"sk":{"S":"c"}}]}}}"#;
    account.counter.answer_with("BatchGetItem", 200, partly, 1);
    let keys = ["c", "a", "b", "c"].map(|sk| Key::new("p", sk));
    let rows = store.get_many(&keys).await.unwrap();
    let docs: Vec<_> = rows.into_iter().map(|row| row.unwrap().doc).collect();
    assert_eq!(docs, ["1", "first", "1", "1"]);
}

/// Keeps the bodies of what it is handed.
#[derive(Default)]
struct Bodies(Mutex<Vec<String>>);

#[async_trait]
impl Consumer for Bodies {
    async fn handle(&self, batch: Vec<Received>) -> Vec<String> {
        self.0
            .lock()
            .unwrap()
            .extend(batch.into_iter().map(|received| received.body));
        Vec::new()
    }
}

#[tokio::test]
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn what_a_batch_did_not_take_is_sent_again_alone() {
    let account = Account::new();
    let url = account.create_queue("work").await;
    let store = account.store_over([("work".to_owned(), url.clone())].into());
    let partly = r#"{"Successful":[{"Id":"0","MessageId":"m","MD5OfMessageBody":"d"}],
        "Failed":[{"Id":"1","Code":"InternalError","SenderFault":false},
                  {"Id":"2","Code":"RequestThrottled","SenderFault":true}]}"#;
    account
        .counter
        .answer_with("SendMessageBatch", 200, partly, 1);
    let messages = ["a", "b", "c"].map(|body| Message {
        queue: QueueName("work"),
        body: format!("\"{body}\""),
        delay: Duration::ZERO,
        group: "g".to_owned(),
    });
    assert_eq!(store.send(messages.to_vec()).await, Ok(()));
    assert_eq!(account.counter.take().requests["SendMessageBatch"], 2);
    let bodies = Arc::new(Bodies::default());
    let consumer: Arc<dyn Consumer> = bodies.clone();
    account.drain(&url, &consumer).await;
    let mut seen = bodies.0.lock().unwrap().clone();
    seen.sort();
    assert_eq!(seen, ["\"b\"", "\"c\""], "the first was taken, by its word");
}

#[tokio::test]
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn a_throttled_key_service_is_asked_again_and_an_absent_one_is_unavailable() {
    let account = Account::new();
    let keys = account.keys().await;
    account.counter.answer_with(
        "GenerateDataKey",
        400,
        r#"{"__type":"ThrottlingException"}"#,
        2,
    );
    let sealed = keys.seal("acc_1", b"secret").await.unwrap();
    account
        .counter
        .answer_with("Decrypt", 500, r#"{"__type":"KMSInternalException"}"#, 1);
    assert_eq!(keys.open("acc_1", &sealed).await.unwrap(), b"secret");
    account
        .counter
        .answer_with("Decrypt", 400, r#"{"__type":"DisabledException"}"#, 1);
    let other = keys.seal("acc_1", b"another").await.unwrap();
    let disabled = keys.open("acc_1", &other).await;
    assert!(
        matches!(disabled, Err(KeysError::Unavailable(_))),
        "a key that may come back refuses nothing"
    );
}

#[tokio::test]
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn what_was_opened_is_opened_again_without_a_request_for_minutes_and_only_in_its_context() {
    let account = Account::new();
    let keys = account.keys().await;
    let sealed = keys.seal("acc_1", b"secret").await.unwrap();
    let requests = async |context: &str| {
        account.counter.take();
        let opened = keys.open(context, &sealed).await;
        assert_eq!(opened.is_ok(), context == "acc_1");
        account
            .counter
            .take()
            .requests
            .get("Decrypt")
            .copied()
            .unwrap_or_default()
    };
    assert_eq!(requests("acc_1").await, 1);
    assert_eq!(requests("acc_1").await, 0);
    assert_eq!(
        requests("acc_2").await,
        1,
        "another context is KMS's to refuse"
    );
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(5)).await;
    tokio::time::resume();
    assert_eq!(requests("acc_1").await, 1);
    assert_eq!(requests("acc_1").await, 0);
}

#[tokio::test]
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn a_key_that_cannot_be_used_is_told_at_once_and_nothing_is_stored() {
    let account = Account::new();
    let clock = Arc::new(account.clock.clone());
    let blobs = account.blobs_over(&account.aws(), "unusable", clock).await;
    let denied = "User: arn:aws:sts::111122223333:assumed-role/r/s is not authorized to perform: \
                  kms:GenerateDataKey on this resource";
    // One request, and the first of an upload in parts.
    for (operation, length) in [("PUT x-id", 3), ("POST uploads", 9 * 1024 * 1024)] {
        for (status, code, message, told) in [
            (400, "KMS.DisabledException", "", "KMS.DisabledException"),
            (400, "KMS.NotFoundException", "", "KMS.NotFoundException"),
            (403, "AccessDenied", denied, "KMS.AccessDeniedException"),
        ] {
            let answer = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
            account.counter.answer_with(operation, status, &answer, 1);
            account.counter.take();
            let meta = BlobMeta {
                content_type: "audio/wav".to_owned(),
                kms_key: Some("arn:aws:kms:eu-west-1:111122223333:key/x".to_owned()),
                ..BlobMeta::default()
            };
            let bytes = futures_util::stream::iter([Ok(vec![7; length].into())]);
            let put = blobs.put("a", meta, Box::pin(bytes)).await;
            assert_eq!(put.err(), Some(BlobError::Key(told.to_owned())), "{code}");
            assert_eq!(account.counter.take().total(), 1, "{operation}");
            assert_eq!(blobs.head("a").await.err(), Some(BlobError::NotFound));
        }
    }
}
