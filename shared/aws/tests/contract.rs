//! The ports' contract, on this adapter, against an emulator.

mod common;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use common::{Account, MAX_RECEIVES};
use jiff::Timestamp;
use ringfence_ports::contract;
use ringfence_ports::{Clock, Consumer, QueueName, SystemClock};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn table() {
    let account = Account::new();
    let store = account.store(&["contract"]).await;
    contract::table(Arc::new(store), &account.clock, "t").await;
}

#[tokio::test]
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn keys() {
    let account = Account::new();
    contract::keys(&account.keys().await).await;
}

struct Poller {
    account: Account,
    urls: HashMap<String, String>,
}

#[async_trait]
impl contract::Driver for Poller {
    async fn drain(&self, queue: QueueName, consumer: Arc<dyn Consumer>) {
        self.account.drain(&self.urls[queue.0], &consumer).await;
    }

    async fn advance(&self, by: Duration) {
        common::advance("RINGFENCE_TEST_AWS_CLOCK", by);
    }

    fn max_receives(&self) -> u32 {
        MAX_RECEIVES
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn queue() {
    let account = Account::new();
    account.create_table("main").await;
    let mut urls = HashMap::new();
    for n in 0..10 {
        let name = format!("contract-{n}");
        urls.insert(name.clone(), account.create_queue(&name).await);
    }
    let store = Arc::new(account.store_over(urls.clone()));
    contract::queue(
        store.clone(),
        store,
        Arc::new(Poller { account, urls }),
        "q",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn blobs() {
    let account = Account::new();
    let blobs = account.blobs("contract", Arc::new(SystemClock)).await;
    contract::blobs(Arc::new(blobs), true, "b").await;
}

/// The time by which the emulator judges links.
struct LinkClock;

impl Clock for LinkClock {
    fn now(&self) -> Timestamp {
        SystemClock.now() + common::ahead(LINK_CLOCK)
    }
}

const LINK_CLOCK: &str = "RINGFENCE_TEST_AWS_LINK_CLOCK";

struct S3Web;

#[async_trait]
impl contract::BlobWeb for S3Web {
    fn origin(&self) -> String {
        panic!("presigned links are absolute")
    }

    async fn advance(&self, by: Duration) {
        common::advance(LINK_CLOCK, by);
    }

    async fn created(&self, _: &str) -> Option<Vec<(String, u64)>> {
        None
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an emulator: tests/aws/setup cargo test -p ringfence-aws -- --include-ignored"]
async fn blob_links() {
    let account = Account::new();
    let blobs = account.blobs("links", Arc::new(LinkClock)).await;
    contract::blob_links(Arc::new(blobs), Arc::new(S3Web), "l").await;
}
