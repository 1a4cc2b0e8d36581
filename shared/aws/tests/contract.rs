//! The ports' contract, on this adapter, against an emulator.

mod common;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, MessageSystemAttributeName};
use common::{Account, MAX_RECEIVES};
use ringfence_aws::{KmsKeys, Record, consume};
use ringfence_ports::contract;
use ringfence_ports::{Consumer, QueueName, SystemRandom};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn table() {
    let Some(account) = Account::new() else {
        return;
    };
    let store = account.store(&["contract"]).await;
    contract::table(Arc::new(store), &account.clock, "t").await;
}

#[tokio::test]
async fn keys() {
    let Some(account) = Account::new() else {
        return;
    };
    let kms = aws_sdk_kms::Client::new(&account.config);
    let key = async |key: aws_sdk_kms::operation::create_key::builders::CreateKeyFluentBuilder| {
        key.send()
            .await
            .expect("a key")
            .key_metadata
            .expect("its metadata")
            .key_id
    };
    let seal = key(kms.create_key()).await;
    let mac = key(kms
        .create_key()
        .key_spec(KeySpec::Hmac256)
        .key_usage(KeyUsageType::GenerateVerifyMac))
    .await;
    contract::keys(&KmsKeys::new(
        &account.aws(),
        seal,
        mac,
        Arc::new(SystemRandom::new()),
    ))
    .await;
}

/// Does what Lambda does between SQS and a function.
struct Poller {
    account: Account,
    urls: std::collections::HashMap<String, String>,
}

#[async_trait]
impl contract::Driver for Poller {
    async fn drain(&self, queue: QueueName, consumer: Arc<dyn Consumer>) {
        let sqs = self.account.sqs();
        let url = &self.urls[queue.0];
        loop {
            let received = sqs
                .receive_message()
                .queue_url(url)
                .max_number_of_messages(10)
                .message_system_attribute_names(MessageSystemAttributeName::All)
                .send()
                .await
                .expect("a batch");
            let messages = received.messages.unwrap_or_default();
            if messages.is_empty() {
                return;
            }
            let records = messages.iter().map(|message| {
                let attribute = |name| message.attributes().and_then(|all| all.get(&name)).cloned();
                let receives = attribute(MessageSystemAttributeName::ApproximateReceiveCount);
                Record {
                    id: message.message_id().unwrap().to_owned(),
                    body: message.body().unwrap().to_owned(),
                    group: attribute(MessageSystemAttributeName::MessageGroupId)
                        .unwrap_or_default(),
                    receives: receives.map_or(0, |n| n.parse().unwrap()),
                }
            });
            let failed = consume(&consumer, records.collect()).await;
            let done = messages
                .iter()
                .filter(|m| !failed.iter().any(|id| m.message_id() == Some(id)));
            let entries: Vec<_> = done
                .enumerate()
                .map(|(n, message)| {
                    DeleteMessageBatchRequestEntry::builder()
                        .id(n.to_string())
                        .receipt_handle(message.receipt_handle().unwrap())
                        .build()
                        .unwrap()
                })
                .collect();
            if !entries.is_empty() {
                let deleted = sqs
                    .delete_message_batch()
                    .queue_url(url)
                    .set_entries(Some(entries));
                deleted.send().await.expect("deleted");
            }
        }
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
async fn queue() {
    let Some(account) = Account::new() else {
        return;
    };
    account.create_table("main").await;
    let mut urls = std::collections::HashMap::new();
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
