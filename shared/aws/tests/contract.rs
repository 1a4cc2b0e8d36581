//! The ports' contract, on this adapter, against an emulator.

mod common;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use common::{Account, MAX_RECEIVES};
use ringfence_ports::contract;
use ringfence_ports::{Consumer, QueueName};

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
        let path = std::env::var_os("RINGFENCE_TEST_AWS_CLOCK").expect("the emulator's clock");
        let ahead = std::fs::read(&path).unwrap();
        let ahead = f64::from_le_bytes(ahead.try_into().unwrap()) + by.as_secs_f64();
        // In place: the emulator has it mapped.
        let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        std::io::Write::write_all(&mut file, &ahead.to_le_bytes()).unwrap();
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
