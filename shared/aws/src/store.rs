use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use ringfence_ports::{Clock, Random};

use crate::{Aws, ConfigError};

/// How many requests of one call are under way together. Each is a connection: HTTP/1.1 has no
/// streams.
pub(crate) const TOGETHER: usize = 32;

/// Names of what a deployment made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreOptions {
    /// The table: its name.
    pub table: String,
    /// URLs of the queues, by the name that [`QueueName`](ringfence_ports::QueueName) has.
    pub queues: HashMap<String, String>,
    /// Ask `DynamoDB` for what each request consumed (for tests that count it).
    pub report_capacity: bool,
}

/// What names a queue's URL in the environment: `RINGFENCE_QUEUE_DISPATCH` is of queue `dispatch`.
const QUEUE_PREFIX: &str = "RINGFENCE_QUEUE_";

impl StoreOptions {
    /// From `RINGFENCE_TABLE` and one `RINGFENCE_QUEUE_<NAME>` for each queue that the function sends
    /// to (upper case, `_` for `-`).
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_variables(std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }))
    }

    fn from_variables(
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut options = Self::default();
        for (name, value) in variables {
            if name == "RINGFENCE_TABLE" {
                options.table = value;
            } else if let Some(queue) = name.strip_prefix(QUEUE_PREFIX) {
                if !(value.starts_with("https://") || value.starts_with("http://")) {
                    return Err(ConfigError::Invalid(name));
                }
                options
                    .queues
                    .insert(queue.to_ascii_lowercase().replace('_', "-"), value);
            }
        }
        if options.table.is_empty() {
            return Err(ConfigError::Missing("RINGFENCE_TABLE".to_owned()));
        }
        Ok(options)
    }
}

/// [`Table`](ringfence_ports::Table) on one `DynamoDB` table, and
/// [`Queue`](ringfence_ports::Queue) on SQS.
///
/// Messages of a unit are sent after its rows are durable. Where sending fails beyond the retries,
/// the unit's result is an error though its rows are there, and a process that dies in between says
/// nothing at all: whoever writes a unit must be able to write it again and have its messages sent
/// then.
///
/// Throttles and conflicts are tried again for two seconds, then answered with
/// [`StoreError::Busy`](ringfence_ports::StoreError::Busy). A request whose answer was lost is tried
/// again too, and recognizes its own first try by a token in the item. A counter's is not: it could
/// count twice.
#[derive(Clone)]
pub struct Store {
    pub(crate) dynamo: aws_sdk_dynamodb::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) options: Arc<StoreOptions>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Over the table and queues of `options`. Sends nothing.
    pub fn new(
        aws: &Aws,
        options: StoreOptions,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            dynamo: aws_sdk_dynamodb::Client::new(&aws.config),
            sqs: aws_sdk_sqs::Client::new(&aws.config),
            options: Arc::new(options),
            clock,
            random,
        }
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    pub(crate) fn capacity(&self) -> Option<ReturnConsumedCapacity> {
        self.options
            .report_capacity
            .then_some(ReturnConsumedCapacity::Total)
    }
}

/// Runs futures, [`TOGETHER`] at a time, and gives their answers to `done` as they come.
pub(crate) async fn bounded<F: Future>(
    futures: impl Iterator<Item = F>,
    mut done: impl FnMut(F::Output),
) {
    let mut waiting = futures;
    let mut running: FuturesUnordered<F> = waiting.by_ref().take(TOGETHER).collect();
    while let Some(output) = running.next().await {
        done(output);
        running.extend(waiting.next());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(all: &[(&str, &str)]) -> Result<StoreOptions, ConfigError> {
        let pairs = all
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        StoreOptions::from_variables(pairs)
    }

    #[test]
    fn queues_are_named_by_their_variables() {
        let all = [
            ("RINGFENCE_TABLE", "main"),
            ("RINGFENCE_QUEUE_DISPATCH", "https://sqs/1/dispatch"),
            ("RINGFENCE_QUEUE_SLOW_JOBS", "https://sqs/1/jobs"),
            ("PATH", "/bin"),
        ];
        let options = options(&all).unwrap();
        assert_eq!(options.table, "main");
        assert_eq!(options.queues["dispatch"], "https://sqs/1/dispatch");
        assert_eq!(options.queues["slow-jobs"], "https://sqs/1/jobs");
        assert_eq!(options.queues.len(), 2);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named_without_its_value() {
        assert_eq!(
            options(&[]),
            Err(ConfigError::Missing("RINGFENCE_TABLE".to_owned()))
        );
        let wrong = options(&[("RINGFENCE_TABLE", "t"), ("RINGFENCE_QUEUE_JOBS", "jobs")]);
        assert_eq!(
            wrong,
            Err(ConfigError::Invalid("RINGFENCE_QUEUE_JOBS".to_owned()))
        );
    }

    #[tokio::test]
    async fn no_more_than_so_many_run_together() {
        let running = std::cell::Cell::new(0);
        let most = std::cell::Cell::new(0);
        let mut sum = 0;
        bounded(
            (0..100).map(|n| {
                let (running, most) = (&running, &most);
                async move {
                    running.set(running.get() + 1);
                    most.set(most.get().max(running.get()));
                    tokio::task::yield_now().await;
                    running.set(running.get() - 1);
                    n
                }
            }),
            |n| sum += n,
        )
        .await;
        assert_eq!((sum, most.get()), (4950, TOGETHER));
    }
}
