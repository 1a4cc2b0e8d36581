//! Batches of SQS messages.
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>,
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::future::join_all;
use ringfence_aws::Record;
use ringfence_ports::{Consumer, Received};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use crate::EventError;

#[derive(Deserialize)]
struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "messageId")]
    id: String,
    body: Option<String>,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    approximate_receive_count: Option<String>,
    message_group_id: Option<String>,
}

/// A partial batch response. What it does not name is deleted from the queue.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    batch_item_failures: Vec<Failure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

/// Hands each message of `event` to `consumer` by itself, so that one which panics fails alone.
///
/// An error, which brings back the whole batch, only where the event is none: then no message can be
/// named.
pub(crate) async fn consume(
    consumer: Arc<dyn Consumer>,
    event: &str,
    left: Duration,
) -> Result<Answer, EventError> {
    let batch: Batch = serde_json::from_str(event).map_err(|_| {
        tracing::error!("the event is no batch of SQS messages");
        EventError::Unknown
    })?;
    let consumer: Arc<dyn Consumer> = Arc::new(Bounded {
        consumer,
        until: Instant::now() + left,
        span: Span::current(),
    });
    let failed = join_all(batch.records.into_iter().map(async |message| {
        let Some(body) = message.body else {
            return vec![message.id];
        };
        let receives = message.attributes.approximate_receive_count;
        let record = Record {
            id: message.id,
            body,
            group: message.attributes.message_group_id.unwrap_or_default(),
            receives: receives
                .and_then(|count| count.parse().ok())
                .unwrap_or_default(),
        };
        ringfence_aws::consume(&consumer, vec![record]).await
    }))
    .await;
    Ok(Answer {
        batch_item_failures: failed
            .into_iter()
            .flatten()
            .map(|item_identifier| Failure { item_identifier })
            .collect(),
    })
}

/// A consumer that is stopped when the function's time is over. What it had not done by then fails: the
/// messages become visible again after their queue's timeout, and dispatch, which may have been cut
/// off in the middle of a request, finds in the delivery's row what was done.
struct Bounded {
    consumer: Arc<dyn Consumer>,
    until: Instant,
    span: Span,
}

#[async_trait]
impl Consumer for Bounded {
    async fn handle(&self, batch: Vec<Received>) -> Vec<String> {
        let ids: Vec<String> = batch.iter().map(|message| message.id.clone()).collect();
        let work = self.consumer.handle(batch).instrument(self.span.clone());
        tokio::time::timeout_at(self.until, work)
            .await
            .unwrap_or_else(|_| {
                self.span.in_scope(|| {
                    tracing::warn!(
                        messages = ids.len(),
                        "the function's time was over before the work was"
                    );
                });
                ids
            })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::*;

    /// Does as the body says, and remembers what it was given.
    #[derive(Default)]
    struct Told(Mutex<Vec<Received>>);

    #[async_trait]
    impl Consumer for Told {
        async fn handle(&self, batch: Vec<Received>) -> Vec<String> {
            self.0.lock().unwrap().extend(batch.clone());
            let mut failed = Vec::new();
            for message in batch {
                match message.body.as_str() {
                    "panic" => panic!("+14155550132"),
                    "fail" => failed.push(message.id),
                    "hang" => std::future::pending().await,
                    "sleep" => tokio::time::sleep(Duration::from_secs(10)).await,
                    _ => {}
                }
            }
            failed
        }
    }

    fn batch(bodies: &[&str]) -> String {
        let records: Vec<_> = bodies
            .iter()
            .enumerate()
            .map(|(n, body)| {
                json!({"messageId": n.to_string(), "receiptHandle": "h", "body": body,
                       "attributes": {"ApproximateReceiveCount": "3", "MessageGroupId": "g"}})
            })
            .collect();
        json!({ "Records": records }).to_string()
    }

    async fn failed(consumer: &Arc<Told>, event: &str) -> Result<Vec<String>, EventError> {
        let answer = consume(consumer.clone(), event, Duration::from_secs(29)).await?;
        Ok(answer
            .batch_item_failures
            .into_iter()
            .map(|failure| failure.item_identifier)
            .collect())
    }

    #[tokio::test]
    async fn what_fails_or_panics_fails_alone_though_all_are_of_one_group() {
        let consumer = Arc::default();
        let event = batch(&["ok", "panic", "ok", "fail", "~none of ours"]);
        assert_eq!(failed(&consumer, &event).await.unwrap(), ["1", "3", "4"]);
        let seen = consumer.0.lock().unwrap();
        assert_eq!(seen.len(), 4, "what is none of ours is not handed on");
        assert!(
            seen.iter()
                .all(|message| message.receives == 3 && message.group == "g")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn all_are_worked_on_at_once_and_those_not_done_in_time_fail() {
        let consumer = Arc::default();
        let event = batch(&["sleep", "hang", "sleep", "sleep", "hang"]);
        let started = Instant::now();
        assert_eq!(failed(&consumer, &event).await.unwrap(), ["1", "4"]);
        assert_eq!(started.elapsed(), Duration::from_secs(29));
    }

    #[tokio::test]
    async fn a_message_of_which_something_is_missing_fails_or_is_taken_for_half_done() {
        let consumer = Arc::default();
        let event = json!({"Records": [{"messageId": "a", "attributes": {}}, {"messageId": "b", "body": "ok"}]});
        assert_eq!(failed(&consumer, &event.to_string()).await.unwrap(), ["a"]);
        assert_eq!(consumer.0.lock().unwrap()[0].receives, 2);
    }

    #[tokio::test]
    async fn what_is_no_batch_is_an_error() {
        for event in ["null", "{}", "[]", r#"{"Records": [{"body": "no id"}]}"#] {
            assert_eq!(
                failed(&Arc::default(), event).await,
                Err(EventError::Unknown),
                "{event}"
            );
        }
    }

    #[test]
    fn the_answer_is_as_lambda_wants_it() {
        let failure = Failure {
            item_identifier: "a".to_owned(),
        };
        let answer = Answer {
            batch_item_failures: vec![failure],
        };
        assert_eq!(
            serde_json::to_value(answer).unwrap(),
            json!({"batchItemFailures": [{"itemIdentifier": "a"}]})
        );
    }
}
