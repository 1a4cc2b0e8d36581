#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TimeToLiveSpecification,
};
use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration,
    VersioningConfiguration,
};
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, MessageSystemAttributeName, QueueAttributeName,
};
use aws_types::SdkConfig;
use ringfence_aws::{
    Aws, Connection, Counter, Credentials, KmsKeys, Record, S3Blobs, Store, StoreOptions,
    TTL_ATTRIBUTE, consume,
};
use ringfence_ports::contract::TestClock;
use ringfence_ports::{Clock, Consumer, SystemRandom};

pub const MAX_RECEIVES: u32 = 5;

/// An AWS account of a test's own, on the emulator.
pub struct Account {
    pub connection: Connection,
    pub counter: Arc<Counter>,
    pub clock: TestClock,
    /// The SDK's own configuration, for what deployments do and the adapter does not.
    pub config: SdkConfig,
}

impl Account {
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let endpoint =
            std::env::var("RINGFENCE_TEST_AWS_ENDPOINT").expect("an emulator (tests/aws/setup)");
        // Twelve digits are an account of their own.
        let id = 100_000_000_000
            + u64::from(std::process::id()) * 1000
            + NEXT.fetch_add(1, Ordering::Relaxed);
        let connection = Connection {
            region: "eu-west-1".to_owned(),
            endpoint: Some(endpoint),
            credentials: Credentials {
                access_key_id: id.to_string(),
                secret_access_key: "test".to_owned(),
                session_token: None,
            },
        };
        let config = SdkConfig::builder()
            .behavior_version(
                aws_smithy_runtime_api::client::behavior_version::BehaviorVersion::latest(),
            )
            .region(aws_types::region::Region::new(connection.region.clone()))
            .endpoint_url(connection.endpoint.clone().unwrap())
            .credentials_provider(
                aws_credential_types::provider::SharedCredentialsProvider::new(
                    aws_credential_types::Credentials::new(
                        id.to_string(),
                        "test",
                        None,
                        None,
                        "test",
                    ),
                ),
            )
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
            .time_source(aws_smithy_async::time::SystemTimeSource::new())
            .build();
        Self {
            connection,
            counter: Arc::default(),
            clock: TestClock::default(),
            config,
        }
    }

    pub fn aws(&self) -> Aws {
        Aws::counted(&self.connection, &self.counter).unwrap()
    }

    pub fn dynamo(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config)
    }

    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }

    /// A bucket as the template makes it, with versions. Its requests are not counted: to be counted, an
    /// answer is read whole.
    pub async fn blobs(&self, bucket: &str, clock: Arc<dyn Clock>) -> S3Blobs {
        let aws = Aws::new(&self.connection).unwrap();
        self.blobs_over(&aws, bucket, clock).await
    }

    /// The same over these clients.
    pub async fn blobs_over(&self, aws: &Aws, bucket: &str, clock: Arc<dyn Clock>) -> S3Blobs {
        let config = aws_sdk_s3::config::Builder::from(&self.config).force_path_style(true);
        let s3 = aws_sdk_s3::Client::from_conf(config.build());
        // Names of buckets are of all accounts.
        let bucket = format!("{bucket}-{}", self.connection.credentials.access_key_id);
        let place = CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::EuWest1)
            .build();
        s3.create_bucket()
            .bucket(&bucket)
            .create_bucket_configuration(place)
            .send()
            .await
            .expect("a bucket");
        let versions = VersioningConfiguration::builder()
            .status(BucketVersioningStatus::Enabled)
            .build();
        s3.put_bucket_versioning()
            .bucket(&bucket)
            .versioning_configuration(versions)
            .send()
            .await
            .expect("versions");
        let random = Arc::new(SystemRandom::new());
        S3Blobs::new(aws, bucket, clock, random)
    }

    /// A table as the template makes it.
    pub async fn create_table(&self, name: &str) {
        let keys = |pk: &str, sk: &str| {
            [(pk, KeyType::Hash), (sk, KeyType::Range)].map(|(name, kind)| {
                KeySchemaElement::builder()
                    .attribute_name(name)
                    .key_type(kind)
                    .build()
                    .unwrap()
            })
        };
        let mut table = self
            .dynamo()
            .create_table()
            .table_name(name)
            .billing_mode(BillingMode::PayPerRequest);
        for name in ["pk", "sk", "i0pk", "i0sk", "i1pk", "i1sk"] {
            let kind = ScalarAttributeType::S;
            table = table.attribute_definitions(
                AttributeDefinition::builder()
                    .attribute_name(name)
                    .attribute_type(kind)
                    .build()
                    .unwrap(),
            );
        }
        for (index, pk, sk) in [("index0", "i0pk", "i0sk"), ("index1", "i1pk", "i1sk")] {
            table = table.global_secondary_indexes(
                GlobalSecondaryIndex::builder()
                    .index_name(index)
                    .set_key_schema(Some(keys(pk, sk).into()))
                    .projection(
                        Projection::builder()
                            .projection_type(ProjectionType::All)
                            .build(),
                    )
                    .build()
                    .unwrap(),
            );
        }
        table
            .set_key_schema(Some(keys("pk", "sk").into()))
            .send()
            .await
            .expect("a table");
        let ttl = TimeToLiveSpecification::builder()
            .enabled(true)
            .attribute_name(TTL_ATTRIBUTE)
            .build()
            .unwrap();
        self.dynamo()
            .update_time_to_live()
            .table_name(name)
            .time_to_live_specification(ttl)
            .send()
            .await
            .expect("a time to live");
    }

    /// A queue with its dead letter queue; its URL.
    pub async fn create_queue(&self, name: &str) -> String {
        let sqs = self.sqs();
        let dead = sqs
            .create_queue()
            .queue_name(format!("{name}-dead"))
            .send()
            .await
            .expect("a queue");
        let dead = sqs
            .get_queue_attributes()
            .queue_url(dead.queue_url().unwrap())
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await
            .expect("its attributes");
        let arn = &dead.attributes().unwrap()[&QueueAttributeName::QueueArn];
        let policy =
            serde_json::json!({ "deadLetterTargetArn": arn, "maxReceiveCount": MAX_RECEIVES });
        let queue = sqs
            .create_queue()
            .queue_name(name)
            .attributes(QueueAttributeName::VisibilityTimeout, "60")
            .attributes(QueueAttributeName::RedrivePolicy, policy.to_string())
            .send()
            .await
            .expect("a queue");
        queue.queue_url().unwrap().to_owned()
    }

    /// A store with its table, and these queues.
    pub async fn store(&self, queues: &[&str]) -> Store {
        self.create_table("main").await;
        let mut urls = HashMap::new();
        for name in queues {
            urls.insert((*name).to_owned(), self.create_queue(name).await);
        }
        self.store_over(urls)
    }

    pub fn store_over(&self, queues: HashMap<String, String>) -> Store {
        let options = StoreOptions {
            table: "main".to_owned(),
            queues,
            report_capacity: true,
        };
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        Store::new(&self.aws(), options, clock, Arc::new(SystemRandom::new()))
    }

    /// Keys of the two kinds that [`KmsKeys`] needs.
    pub async fn keys(&self) -> KmsKeys {
        let kms = aws_sdk_kms::Client::new(&self.config);
        let made = kms.create_key().send().await.expect("a key");
        let seal = made.key_metadata.expect("its metadata").key_id;
        let mac = kms
            .create_key()
            .key_spec(KeySpec::Hmac256)
            .key_usage(KeyUsageType::GenerateVerifyMac);
        let mac = mac
            .send()
            .await
            .expect("a key")
            .key_metadata
            .expect("its metadata")
            .key_id;
        KmsKeys::new(&self.aws(), seal, mac, Arc::new(SystemRandom::new()))
    }

    /// Does what Lambda does between SQS and a function, until nothing is visible. Answers how many
    /// batches that were.
    pub async fn drain(&self, url: &str, consumer: &Arc<dyn Consumer>) -> u32 {
        let sqs = self.sqs();
        let mut batches = 0;
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
                return batches;
            }
            batches += 1;
            let records = messages.iter().map(|message| {
                let attribute = |name| message.attributes().and_then(|all| all.get(&name)).cloned();
                let times = attribute(MessageSystemAttributeName::ApproximateReceiveCount);
                Record {
                    id: message.message_id().unwrap().to_owned(),
                    body: message.body().unwrap().to_owned(),
                    group: attribute(MessageSystemAttributeName::MessageGroupId)
                        .unwrap_or_default(),
                    receives: times.map_or(0, |n| n.parse().unwrap()),
                }
            });
            let failed = consume(consumer, records.collect()).await;
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
}

/// By how much one of the emulator's clocks is ahead.
pub fn ahead(clock: &str) -> std::time::Duration {
    let path = std::env::var_os(clock).expect("the emulator's clock");
    let ahead = std::fs::read(&path).unwrap();
    std::time::Duration::from_secs_f64(f64::from_le_bytes(ahead.try_into().unwrap()))
}

/// Puts one of the emulator's clocks forward.
pub fn advance(clock: &str, by: std::time::Duration) {
    let ahead = (ahead(clock) + by).as_secs_f64();
    let path = std::env::var_os(clock).expect("the emulator's clock");
    // In place: the emulator has it mapped.
    let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    std::io::Write::write_all(&mut file, &ahead.to_le_bytes()).unwrap();
}
