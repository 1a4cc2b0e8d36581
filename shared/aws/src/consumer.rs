use std::collections::HashMap;
use std::sync::Arc;

use ringfence_ports::{Consumer, Received};

use crate::envelope::opened;

/// A message of an SQS batch, as Lambda hands it over.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// `messageId`: what a partial batch response names.
    pub id: String,
    /// `body`.
    pub body: String,
    /// `attributes.MessageGroupId`; empty where it is missing.
    pub group: String,
    /// `attributes.ApproximateReceiveCount`; 0 where it is missing, which counts as not the first.
    pub receives: u32,
}

impl std::fmt::Debug for Record {
    /// Without the body, which may hold what no log may.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record")
            .field("id", &self.id)
            .field("receives", &self.receives)
            .finish_non_exhaustive()
    }
}

/// Hands a batch to `consumer`, each group on its own and all at once, and answers with the ids that
/// failed: the `batchItemFailures` of a partial batch response.
///
/// A consumer that panics fails its group's part of the batch and nothing else.
pub async fn consume(consumer: &Arc<dyn Consumer>, records: Vec<Record>) -> Vec<String> {
    let mut failed = Vec::new();
    let mut groups: HashMap<String, Vec<Received>> = HashMap::new();
    for Record {
        id,
        body,
        group,
        receives,
    } in records
    {
        match opened(body, group) {
            // What does not tell how often it was handed out may be half done.
            Some((body, group)) => {
                let times = if receives == 0 { 2 } else { receives };
                let received = Received {
                    id,
                    body,
                    group: group.clone(),
                    receives: times,
                };
                groups.entry(group).or_default().push(received);
            }
            None => failed.push(id),
        }
    }
    let mut running = Vec::with_capacity(groups.len());
    for (_, batch) in groups {
        let ids: Vec<String> = batch.iter().map(|received| received.id.clone()).collect();
        let consumer = Arc::clone(consumer);
        running.push((
            ids,
            tokio::spawn(async move { consumer.handle(batch).await }),
        ));
    }
    for (ids, task) in running {
        if let Ok(some) = task.await {
            // An id that is not of this batch would make Lambda fail the whole of it.
            failed.extend(some.into_iter().filter(|id| ids.contains(id)));
        } else {
            tracing::error!(messages = ids.len(), "a consumer panicked");
            failed.extend(ids);
        }
    }
    failed
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Parts(Mutex<Vec<Vec<(String, u32)>>>);

    #[async_trait]
    impl Consumer for Parts {
        async fn handle(&self, batch: Vec<Received>) -> Vec<String> {
            assert_ne!(batch[0].group, "panics");
            let mut parts = self.0.lock().unwrap();
            parts.push(batch.iter().map(|m| (m.body.clone(), m.receives)).collect());
            let mut failed: Vec<String> = batch
                .into_iter()
                .filter(|m| m.body == "bad")
                .map(|m| m.id)
                .collect();
            failed.push("unknown".to_owned());
            failed
        }
    }

    fn record(id: &str, body: &str, group: &str, receives: u32) -> Record {
        Record {
            id: id.to_owned(),
            body: body.to_owned(),
            group: group.to_owned(),
            receives,
        }
    }

    #[tokio::test]
    async fn each_group_by_itself_and_only_what_failed() {
        let parts = Arc::new(Parts::default());
        let consumer: Arc<dyn Consumer> = parts.clone();
        let records = vec![
            record("1", "a", "g", 1),
            record("2", "bad", "h", 3),
            record("3", "b", "g", 0),
            record("4", "c", "panics", 1),
            record("5", "~not ours", "g", 1),
        ];
        let mut failed = consume(&consumer, records).await;
        failed.sort();
        assert_eq!(failed, ["2", "4", "5"]);
        let mut seen = parts.0.lock().unwrap().clone();
        seen.sort();
        let of = |body: &str, n| (body.to_owned(), n);
        assert_eq!(seen, [vec![of("a", 1), of("b", 2)], vec![of("bad", 3)]]);
    }
}
