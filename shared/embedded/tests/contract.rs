//! The ports' contract, on this adapter.

mod common;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use common::Folder;
use ringfence_embedded::{Embedded, Pump, PumpOptions};
use ringfence_ports::contract::{self, TestClock};
use ringfence_ports::{Consumer, QueueName};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn table() {
    let folder = Folder::new();
    let clock = TestClock::default();
    contract::table(Arc::new(folder.open(&clock)), &clock, "t").await;
}

#[tokio::test]
async fn keys() {
    let folder = Folder::new();
    contract::keys(&*folder.open(&TestClock::default()).keys()).await;
}

struct Driver {
    store: Arc<Embedded>,
    clock: TestClock,
}

#[async_trait]
impl contract::Driver for Driver {
    async fn drain(&self, queue: QueueName, consumer: Arc<dyn Consumer>) {
        let pump = Pump::new(&self.store, Arc::new(self.clock.clone()));
        pump.consumer(queue, consumer, PumpOptions::default())
            .drain()
            .await;
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn max_receives(&self) -> u32 {
        PumpOptions::default().max_receives
    }
}

#[tokio::test]
async fn queue() {
    let folder = Folder::new();
    let clock = TestClock::default();
    let store = Arc::new(folder.open(&clock));
    let driver = Arc::new(Driver {
        store: Arc::clone(&store),
        clock,
    });
    contract::queue(store.clone(), store, driver, "q").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs() {
    let folder = Folder::new();
    let store = folder.open(&TestClock::default());
    contract::blobs(store.blobs(), false, "b").await;
    // What failed and what was overwritten left nothing behind.
    assert_eq!(store.blobs().remove_orphans().await, Ok(0));
}
