//! What the pump promises beyond the ports' contract.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use common::{Folder, QUEUE, Recorder, delayed, message};
use ringfence_embedded::{Embedded, Options, Pump, PumpOptions};
use ringfence_ports::contract::TestClock;
use ringfence_ports::{Consumer, Queue as _, Received, SystemClock};
use tokio::sync::{Semaphore, oneshot};

fn pump(store: &Embedded, clock: &TestClock, consumer: Arc<dyn Consumer>) -> Pump {
    Pump::new(store, Arc::new(clock.clone())).consumer(QUEUE, consumer, PumpOptions::default())
}

#[tokio::test]
async fn a_long_line_does_not_delay_another_group() {
    let folder = Folder::new();
    let clock = TestClock::default();
    // Room for about a hundred: most of the long line is on disk only.
    let store = folder.open_with(
        &Options {
            queue_memory: 16 * 1024,
            ..Options::default()
        },
        &clock,
    );
    let recorder = Arc::new(Recorder::default());
    let pump = pump(&store, &clock, recorder.clone());
    for part in 0..20 {
        let messages = (0..100)
            .map(|n| message("long", &format!("{part:02}{n:02}")))
            .collect();
        store.send(messages).await.unwrap();
    }
    store
        .send(vec![message("short", "s1"), message("other", "o1")])
        .await
        .unwrap();
    assert_eq!(pump.drain().await, 2002);
    let first: BTreeSet<String> = recorder.groups().into_iter().take(4).collect();
    assert_eq!(first, ["long", "other", "short"].map(str::to_owned).into());
    let long: Vec<String> = recorder
        .bodies()
        .into_iter()
        .filter(|body| body.len() == 4)
        .collect();
    assert_eq!(long.len(), 2000);
    assert!(long.is_sorted(), "read back in order");
    assert!(recorder.receives().iter().all(|n| *n == 1));
    assert_eq!(pump.drain().await, 0);
}

#[tokio::test]
async fn many_groups_beyond_memory_all_arrive() {
    let folder = Folder::new();
    let clock = TestClock::default();
    let store = folder.open_with(
        &Options {
            queue_memory: 1024,
            ..Options::default()
        },
        &clock,
    );
    let recorder = Arc::new(Recorder::default());
    let messages = (0..500)
        .map(|n| message(&format!("g{}", n % 50), &n.to_string()))
        .collect();
    store.send(messages).await.unwrap();
    assert_eq!(pump(&store, &clock, recorder.clone()).drain().await, 500);
    assert_eq!(
        recorder.bodies().into_iter().collect::<BTreeSet<_>>().len(),
        500
    );
}

#[tokio::test]
async fn what_is_unfinished_at_the_end_comes_again_and_says_so() {
    let folder = Folder::new();
    let clock = TestClock::default();
    for memory in [1 << 20, 0] {
        let options = Options {
            queue_memory: memory,
            ..Options::default()
        };
        let store = folder.open_with(&options, &clock);
        store
            .send((0..30).map(|n| message("g", &n.to_string())).collect())
            .await
            .unwrap();
        store
            .send(vec![message("g", "bad"), delayed("g", "late", 60)])
            .await
            .unwrap();
        let recorder = Arc::new(Recorder::default());
        assert_eq!(pump(&store, &clock, recorder).drain().await, 31);
        drop(store);

        let store = folder.open_with(&options, &clock);
        let recorder = Arc::new(Recorder::default());
        let again = pump(&store, &clock, recorder.clone());
        assert_eq!(again.drain().await, 1);
        assert_eq!(
            (recorder.bodies(), recorder.receives()),
            (vec!["bad".to_owned()], vec![2])
        );
        clock.advance(Duration::from_mins(1));
        assert!(again.drain().await > 0);
        assert!(recorder.bodies().contains(&"late".to_owned()));
        for _ in 0..5 {
            clock.advance(Duration::from_mins(5));
            again.drain().await;
        }
        assert_eq!(store.count_dead_letters(QUEUE).await.unwrap(), 1);
        store.redrive(QUEUE).await.unwrap();
        let finish = Arc::new(AtomicUsize::new(0));
        assert_eq!(
            pump(&store, &clock, Arc::new(Count(finish))).drain().await,
            1
        );
    }
}

struct Count(Arc<AtomicUsize>);

#[async_trait]
impl Consumer for Count {
    async fn handle(&self, batch: Vec<Received>) -> Vec<String> {
        self.0.fetch_add(batch.len(), Ordering::SeqCst);
        Vec::new()
    }
}

#[tokio::test]
async fn dead_letters_are_kept_listed_and_sent_again() {
    let folder = Folder::new();
    let clock = TestClock::default();
    let store = folder.open(&clock);
    let recorder = Arc::new(Recorder::default());
    let pump = pump(&store, &clock, recorder.clone());
    store
        .send(vec![
            message("g", "bad 1"),
            message("h", "bad 2"),
            message("g", "good"),
        ])
        .await
        .unwrap();
    for _ in 0..8 {
        pump.drain().await;
        clock.advance(Duration::from_mins(5));
    }
    assert_eq!(recorder.bodies().len(), 11);
    assert_eq!(store.count_dead_letters(QUEUE).await.unwrap(), 2);
    let dead = store.dead_letters(QUEUE, None).await.unwrap();
    assert_eq!(dead[0].receives, 5);
    let bodies: Vec<_> = dead
        .iter()
        .map(|letter| (letter.group.as_str(), letter.body.as_str()))
        .collect();
    assert_eq!(bodies, [("g", "bad 1"), ("h", "bad 2")]);
    assert_eq!(
        store.dead_letters(QUEUE, Some(dead[0].id)).await.unwrap(),
        dead[1..]
    );
    assert!(!format!("{dead:?}").contains("bad"), "no body in a log");

    assert_eq!(store.redrive(QUEUE).await.unwrap(), 2);
    assert_eq!(store.count_dead_letters(QUEUE).await.unwrap(), 0);
    assert_eq!(pump.drain().await, 2);
    assert_eq!(recorder.receives()[11..], [1, 1]);
}

/// Sends two for each that it gets, down to nought.
struct Sender(Arc<Embedded>);

#[async_trait]
impl Consumer for Sender {
    async fn handle(&self, batch: Vec<Received>) -> Vec<String> {
        for received in batch {
            let n: u32 = received.body.parse().unwrap();
            if n > 0 {
                let body = (n - 1).to_string();
                self.0
                    .send(vec![message("a", &body), message("b", &body)])
                    .await
                    .unwrap();
            }
        }
        Vec::new()
    }
}

#[tokio::test]
async fn a_drain_follows_what_is_sent_meanwhile_and_is_the_same_each_time() {
    let mut runs = Vec::new();
    for _ in 0..3 {
        let folder = Folder::new();
        let clock = TestClock::default();
        let store = Arc::new(folder.open(&clock));
        store
            .send(vec![message("a", "5"), delayed("a", "1", 1)])
            .await
            .unwrap();
        let first = pump(&store, &clock, Arc::new(Sender(store.clone())))
            .drain()
            .await;
        clock.advance(Duration::from_secs(1));
        let recorder = Arc::new(Recorder::default());
        pump(&store, &clock, recorder.clone()).drain().await;
        runs.push((first, recorder.bodies()));
    }
    assert_eq!(runs[0], (63, vec!["1".to_owned()]));
    assert!(runs.iter().all(|run| *run == runs[0]));
}

/// Holds what it gets until it is let go; notes how many are in at once.
struct Gate {
    open: Semaphore,
    inside: AtomicUsize,
    most: AtomicUsize,
    arrived: Semaphore,
    done: AtomicUsize,
}

impl Gate {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            open: Semaphore::new(0),
            inside: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            arrived: Semaphore::new(0),
            done: AtomicUsize::new(0),
        })
    }

    async fn arrivals(&self, n: u32) {
        self.arrived.acquire_many(n).await.unwrap().forget();
    }
}

#[async_trait]
impl Consumer for Gate {
    async fn handle(&self, batch: Vec<Received>) -> Vec<String> {
        let n = batch.len();
        let inside = self.inside.fetch_add(n, Ordering::SeqCst) + n;
        self.most.fetch_max(inside, Ordering::SeqCst);
        self.arrived.add_permits(n);
        if batch[0].group != "free" {
            self.open
                .acquire_many(u32::try_from(n).unwrap())
                .await
                .unwrap()
                .forget();
        }
        self.inside.fetch_sub(n, Ordering::SeqCst);
        self.done.fetch_add(n, Ordering::SeqCst);
        Vec::new()
    }
}

#[tokio::test]
async fn a_running_pump_keeps_its_limits_and_finishes_what_is_out() {
    let folder = Folder::new();
    let store = folder.open(&TestClock::default());
    let gate = Gate::new();
    let options = PumpOptions {
        max_in_flight_per_group: 15,
        max_in_flight: 40,
        ..PumpOptions::default()
    };
    let pump = Pump::new(&store, Arc::new(SystemClock)).consumer(QUEUE, gate.clone(), options);
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(async move { pump.run(async { drop(stopped.await) }).await });

    store
        .send((0..100).map(|n| message("slow", &n.to_string())).collect())
        .await
        .unwrap();
    gate.arrivals(15).await;
    store.send(vec![message("free", "1")]).await.unwrap();
    gate.arrivals(1).await;
    store
        .send(
            (0..100)
                .map(|n| message(&format!("s{}", n % 10), &n.to_string()))
                .collect(),
        )
        .await
        .unwrap();
    gate.arrivals(25).await;
    assert_eq!(gate.inside.load(Ordering::SeqCst), 40);

    gate.open.add_permits(160);
    gate.arrivals(120).await;
    assert!(gate.most.load(Ordering::SeqCst) <= 40);
    drop(stop);
    gate.open.add_permits(100);
    running.await.unwrap();
    assert_eq!(
        gate.inside.load(Ordering::SeqCst),
        0,
        "what was out came to its end"
    );

    // What was not handed out is there for the next one; what was done is not.
    let done = gate.done.load(Ordering::SeqCst);
    let recorder = Arc::new(Recorder::default());
    assert_eq!(pump_system(&store, recorder).drain().await, 201 - done);
}

/// Has use for three messages of a slow group at a time.
struct Three(Arc<Gate>);

#[async_trait]
impl Consumer for Three {
    async fn handle(&self, batch: Vec<Received>) -> Vec<String> {
        self.0.handle(batch).await
    }

    fn places(&self, group: &str) -> Option<usize> {
        group.starts_with("slow").then_some(3)
    }
}

#[tokio::test]
async fn slow_groups_take_no_more_places_than_there_is_use_for() {
    let folder = Folder::new();
    let store = folder.open(&TestClock::default());
    let gate = Gate::new();
    let options = PumpOptions {
        max_in_flight: 40,
        ..PumpOptions::default()
    };
    let consumer = Arc::new(Three(gate.clone()));
    let pump = Pump::new(&store, Arc::new(SystemClock)).consumer(QUEUE, consumer, options);
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(async move { pump.run(async { drop(stopped.await) }).await });
    // Ten that hang, each with a backlog that would fill all places.
    let backlog = |n: usize| message(&format!("slow{}", n % 10), &n.to_string());
    store.send((0..500).map(backlog).collect()).await.unwrap();
    gate.arrivals(30).await;
    assert_eq!(gate.inside.load(Ordering::SeqCst), 30);
    store
        .send((0..50).map(|n| message("free", &n.to_string())).collect())
        .await
        .unwrap();
    gate.arrivals(50).await;
    // Each that is done makes room for one more of its group.
    gate.open.add_permits(500);
    gate.arrivals(470).await;
    assert!(gate.most.load(Ordering::SeqCst) <= 40);
    drop(stop);
    running.await.unwrap();
    assert_eq!(gate.done.load(Ordering::SeqCst), 550);
}

fn pump_system(store: &Embedded, consumer: Arc<dyn Consumer>) -> Pump {
    Pump::new(store, Arc::new(SystemClock)).consumer(QUEUE, consumer, PumpOptions::default())
}

#[tokio::test]
async fn a_shutdown_cuts_off_what_hangs() {
    let folder = Folder::new();
    let clock = TestClock::default();
    let store = folder.open(&clock);
    let gate = Gate::new();
    let options = PumpOptions {
        grace: Duration::from_millis(20),
        ..PumpOptions::default()
    };
    let pump = Pump::new(&store, Arc::new(clock.clone())).consumer(QUEUE, gate.clone(), options);
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(async move { pump.run(async { drop(stopped.await) }).await });
    store.send(vec![message("g", "1")]).await.unwrap();
    gate.arrivals(1).await;
    drop(stop);
    running.await.unwrap();
    drop(store);
    let store = folder.open(&clock);
    let recorder = Arc::new(Recorder::default());
    assert_eq!(pump_system(&store, recorder.clone()).drain().await, 1);
    assert_eq!(recorder.receives(), [2]);
}

#[tokio::test]
async fn a_running_pump_wakes_for_delays_and_retries() {
    struct Flaky(Semaphore);

    #[async_trait]
    impl Consumer for Flaky {
        async fn handle(&self, batch: Vec<Received>) -> Vec<String> {
            self.0.add_permits(batch.len());
            batch
                .into_iter()
                .filter(|m| m.receives < 3)
                .map(|m| m.id)
                .collect()
        }
    }
    let folder = Folder::new();
    let store = Embedded::open(folder.path(), &Options::default(), Arc::new(SystemClock)).unwrap();
    let flaky = Arc::new(Flaky(Semaphore::new(0)));
    let options = PumpOptions {
        backoff: Duration::from_millis(1),
        ..PumpOptions::default()
    };
    let pump = Pump::new(&store, Arc::new(SystemClock)).consumer(QUEUE, flaky.clone(), options);
    let running = tokio::spawn(async move { pump.run(std::future::pending()).await });
    let mut soon = delayed("g", "1", 0);
    soon.delay = Duration::from_millis(5);
    store.send(vec![soon, message("g", "2")]).await.unwrap();
    let all = tokio::time::timeout(Duration::from_secs(20), flaky.0.acquire_many(6)).await;
    assert!(all.is_ok(), "both were tried three times");
    running.abort();
}
