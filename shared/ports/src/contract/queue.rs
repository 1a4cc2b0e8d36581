use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::{Report, Running};
use crate::{
    Consumer, Key, MAX_DELAY, MAX_MESSAGE_BYTES, Message, Op, Put, Queue, QueueName, Received,
    StoreError, Table, Unit, When,
};

/// How the suite makes an adapter deliver. Queues of these names are the suite's own:
/// `contract-0` to `contract-9`.
#[async_trait]
pub trait Driver: Send + Sync {
    /// Feeds the consumer until nothing is visible in `queue`.
    async fn drain(&self, queue: QueueName, consumer: Arc<dyn Consumer>);
    /// Lets this much time pass for the queue.
    async fn advance(&self, by: Duration);
    /// At which receive a message that fails is given up.
    fn max_receives(&self) -> u32;
}

/// What every case works with.
#[derive(Clone)]
struct Case {
    table: Arc<dyn Table>,
    queue: Arc<dyn Queue>,
    driver: Arc<dyn Driver>,
    name: QueueName,
    prefix: String,
}

/// Runs every case against a queue, and the table whose units send into it.
///
/// # Panics
///
/// With the names of the cases that failed.
pub async fn queue(
    queue: Arc<dyn Queue>,
    table: Arc<dyn Table>,
    driver: Arc<dyn Driver>,
    prefix: &str,
) {
    let report = Report::default();
    let case = |name| Case {
        table: Arc::clone(&table),
        queue: Arc::clone(&queue),
        driver: Arc::clone(&driver),
        name: QueueName(name),
        prefix: prefix.to_owned(),
    };
    let cases: [(&'static str, Running); 8] = [
        (
            "messages_arrive_once_and_whole",
            Box::pin(messages_arrive_once_and_whole(case("contract-0"))),
        ),
        (
            "a_batch_is_of_one_group",
            Box::pin(a_batch_is_of_one_group(case("contract-1"))),
        ),
        (
            "a_delay_is_kept",
            Box::pin(a_delay_is_kept(case("contract-2"))),
        ),
        (
            "what_failed_comes_again_alone",
            Box::pin(what_failed_comes_again_alone(case("contract-3"))),
        ),
        (
            "what_always_fails_is_given_up",
            Box::pin(what_always_fails_is_given_up(case("contract-4"))),
        ),
        (
            "a_panic_fails_its_batch",
            Box::pin(a_panic_fails_its_batch(case("contract-5"))),
        ),
        (
            "only_a_unit_that_was_written_sends",
            Box::pin(only_a_unit_that_was_written_sends(case("contract-6"))),
        ),
        (
            "limits_are_refused",
            Box::pin(limits_are_refused(case("contract-7"))),
        ),
    ];
    for (name, running) in cases {
        report.run(name, running).await;
    }
    report.finish("queue");
}

/// Takes down what it gets, and fails what it is told to.
#[derive(Default)]
struct Recorder {
    seen: Mutex<Vec<Received>>,
    /// Bodies that fail up to this receive.
    failing: BTreeMap<String, u32>,
    panics_once: Mutex<bool>,
    mixed: Mutex<bool>,
}

impl Recorder {
    fn failing(body: &str, until: u32) -> Arc<Self> {
        Arc::new(Self {
            failing: [(body.to_owned(), until)].into(),
            ..Self::default()
        })
    }

    fn bodies(&self) -> Vec<(String, u32)> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bodies: Vec<_> = seen.iter().map(|m| (m.body.clone(), m.receives)).collect();
        bodies.sort();
        bodies
    }
}

#[async_trait]
impl Consumer for Recorder {
    async fn handle(&self, batch: Vec<Received>) -> Vec<String> {
        let first = std::mem::take(
            &mut *self
                .panics_once
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        assert!(!first, "a consumer panics, as it was told to");
        if batch.windows(2).any(|pair| pair[0].group != pair[1].group) {
            *self.mixed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        }
        let fails = |m: &&Received| {
            self.failing
                .get(&m.body)
                .is_some_and(|until| m.receives <= *until)
        };
        let failed = batch.iter().filter(fails).map(|m| m.id.clone()).collect();
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(batch);
        failed
    }
}

impl Case {
    fn message(&self, body: &str, group: &str, delay: Duration) -> Message {
        Message {
            queue: self.name,
            body: body.to_owned(),
            delay,
            group: group.to_owned(),
        }
    }

    async fn send(&self, bodies: &[&str]) {
        let messages = bodies
            .iter()
            .map(|body| self.message(body, "g", Duration::ZERO))
            .collect();
        self.queue.send(messages).await.expect("sent");
    }

    async fn drain(&self, recorder: &Arc<Recorder>) {
        self.driver
            .drain(self.name, Arc::clone(recorder) as Arc<dyn Consumer>)
            .await;
    }
}

fn once(bodies: &[&str]) -> Vec<(String, u32)> {
    bodies.iter().map(|body| ((*body).to_owned(), 1)).collect()
}

async fn messages_arrive_once_and_whole(case: Case) {
    let recorder = Arc::new(Recorder::default());
    let large = format!("\"{}\"", "ü".repeat((MAX_MESSAGE_BYTES - 2) / 2));
    let mut bodies: Vec<String> = (100..135)
        .map(|n| format!("{{\"n\":{n},\"t\":\"🎧 \\\"x\\\"\"}}"))
        .collect();
    bodies.push(large);
    bodies.sort();
    let messages = bodies
        .iter()
        .map(|body| case.message(body, "группа 1", Duration::ZERO))
        .collect();
    case.queue.send(messages).await.expect("sent");
    case.drain(&recorder).await;
    let expected: Vec<(String, u32)> = bodies.into_iter().map(|body| (body, 1)).collect();
    assert_eq!(recorder.bodies(), expected);
    let seen = recorder.seen.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(seen.iter().all(|message| message.group == "группа 1"));
}

async fn a_batch_is_of_one_group(case: Case) {
    let recorder = Arc::new(Recorder::default());
    let messages =
        (0..40).map(|n| case.message(&format!("{n:02}"), &format!("g{}", n % 3), Duration::ZERO));
    case.queue.send(messages.collect()).await.expect("sent");
    case.drain(&recorder).await;
    assert_eq!(recorder.bodies().len(), 40);
    assert!(
        !*recorder
            .mixed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    );
}

async fn a_delay_is_kept(case: Case) {
    let recorder = Arc::new(Recorder::default());
    let messages = [("1", 0), ("2", 10), ("3", 5), ("4", 900)]
        .map(|(body, seconds)| case.message(body, "g", Duration::from_secs(seconds)));
    case.queue.send(messages.into()).await.expect("sent");
    case.drain(&recorder).await;
    assert_eq!(recorder.bodies(), once(&["1"]));
    case.driver.advance(Duration::from_secs(6)).await;
    case.drain(&recorder).await;
    assert_eq!(recorder.bodies(), once(&["1", "3"]));
    case.driver.advance(Duration::from_secs(6)).await;
    case.drain(&recorder).await;
    assert_eq!(recorder.bodies(), once(&["1", "2", "3"]));
    case.driver.advance(Duration::from_secs(890)).await;
    case.drain(&recorder).await;
    assert_eq!(recorder.bodies(), once(&["1", "2", "3", "4"]));
}

async fn what_failed_comes_again_alone(case: Case) {
    let recorder = Recorder::failing("b", 2);
    case.send(&["a", "b", "c"]).await;
    for _ in 0..6 {
        case.drain(&recorder).await;
        case.driver.advance(Duration::from_mins(5)).await;
    }
    let expected =
        [("a", 1), ("b", 1), ("b", 2), ("b", 3), ("c", 1)].map(|(b, n)| (b.to_owned(), n));
    assert_eq!(recorder.bodies(), expected);
}

async fn what_always_fails_is_given_up(case: Case) {
    let recorder = Recorder::failing("b", u32::MAX);
    case.send(&["a", "b"]).await;
    for _ in 0..case.driver.max_receives() + 3 {
        case.drain(&recorder).await;
        case.driver.advance(Duration::from_mins(5)).await;
    }
    let seen = recorder.bodies();
    let tries = seen.iter().filter(|(body, _)| body == "b").count();
    assert_eq!(u32::try_from(tries), Ok(case.driver.max_receives()));
    assert_eq!(seen.len() - tries, 1);
}

async fn a_panic_fails_its_batch(case: Case) {
    let recorder = Arc::new(Recorder {
        panics_once: Mutex::new(true),
        ..Recorder::default()
    });
    case.send(&["a"]).await;
    for _ in 0..2 {
        case.drain(&recorder).await;
        case.driver.advance(Duration::from_mins(5)).await;
    }
    assert_eq!(recorder.bodies(), [("a".to_owned(), 2)]);
}

async fn only_a_unit_that_was_written_sends(case: Case) {
    let recorder = Arc::new(Recorder::default());
    let key = |n: u32| Key::new(format!("{}/sends", case.prefix), n.to_string());
    let unit = |n: u32, when, body: &str| Unit {
        ops: vec![
            Op::Put(Put::new(key(n), "1", when)),
            Op::Check(key(100 + n), When::Absent),
        ],
        sends: vec![
            case.message(body, "g", Duration::ZERO),
            case.message(&format!("{body}+"), "h", Duration::ZERO),
        ],
    };
    let units = vec![
        unit(1, When::Absent, "a"),
        unit(2, When::Present, "b"),
        unit(3, When::Absent, "c"),
    ];
    let results = case.table.write(units).await;
    assert_eq!(
        results,
        [Ok(()), Err(StoreError::Condition { op: 0 }), Ok(())]
    );
    let bare = Unit {
        ops: Vec::new(),
        sends: vec![case.message("d", "g", Duration::ZERO)],
    };
    assert_eq!(case.table.commit(bare).await, Ok(()));
    case.drain(&recorder).await;
    assert_eq!(recorder.bodies(), once(&["a", "a+", "c", "c+", "d"]));
}

async fn limits_are_refused(case: Case) {
    let recorder = Arc::new(Recorder::default());
    let large = "x".repeat(MAX_MESSAGE_BYTES + 1);
    let refused = case
        .queue
        .send(vec![case.message(&large, "g", Duration::ZERO)])
        .await;
    assert_eq!(
        refused,
        Err(StoreError::TooLarge {
            limit: MAX_MESSAGE_BYTES
        })
    );
    for message in [
        case.message("1", "g", MAX_DELAY + Duration::from_secs(1)),
        case.message("1", "", Duration::ZERO),
        case.message("1", &"g".repeat(1025), Duration::ZERO),
    ] {
        assert!(matches!(
            case.queue.send(vec![message]).await,
            Err(StoreError::Invalid(_))
        ));
    }
    assert_eq!(case.queue.send(Vec::new()).await, Ok(()));
    case.drain(&recorder).await;
    assert_eq!(recorder.bodies(), []);
}
