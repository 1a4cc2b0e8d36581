//! What S3 tells of objects, for a consumer that knows how the port tells of them.

use async_trait::async_trait;
use ringfence_ports::{Consumer, Received};

/// Hands on what a message of S3's tells of, each object as the port's [`ObjectCreated`], and any other
/// message as it is. A message of S3's that cannot be read fails, so that it ends among the dead letters.
///
/// [`ObjectCreated`]: ringfence_ports::ObjectCreated
pub(crate) struct Objects<C>(pub(crate) C);

#[async_trait]
impl<C: Consumer> Consumer for Objects<C> {
    async fn handle(&self, batch: Vec<Received>) -> Vec<String> {
        let mut failed = Vec::new();
        for message in batch {
            let told = match ringfence_aws::objects_created(&message.body) {
                Ok(None) => {
                    failed.extend(self.0.handle(vec![message]).await);
                    continue;
                }
                Ok(Some(told)) => told,
                Err(error) => {
                    tracing::error!(message = message.id, %error, "a message cannot be read");
                    failed.push(message.id);
                    continue;
                }
            };
            let mut handed = Vec::with_capacity(told.len());
            for object in told {
                // Of text and a number: that serializes.
                let Ok(body) = serde_json::to_string(&object) else {
                    continue;
                };
                handed.push(Received {
                    body,
                    ..message.clone()
                });
            }
            if !handed.is_empty() && !self.0.handle(handed).await.is_empty() {
                failed.push(message.id);
            }
        }
        failed
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Fails what names `late`, and remembers all.
    #[derive(Default)]
    struct Told(Mutex<Vec<String>>);

    #[async_trait]
    impl Consumer for Told {
        async fn handle(&self, batch: Vec<Received>) -> Vec<String> {
            let mut seen = self.0.lock().unwrap();
            seen.extend(batch.iter().map(|message| message.body.clone()));
            let late = batch
                .into_iter()
                .filter(|message| message.body.contains("late"));
            late.map(|message| message.id).collect()
        }
    }

    fn notification(keys: &[&str]) -> String {
        let records: Vec<_> = keys
            .iter()
            .map(|key| {
                serde_json::json!({"eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
                    "s3": {"object": {"key": key, "size": 7}}})
            })
            .collect();
        serde_json::json!({ "Records": records }).to_string()
    }

    #[tokio::test]
    async fn each_object_is_told_of_and_a_message_fails_once_if_any_of_its_objects_does() {
        let objects = Objects(Told::default());
        let bodies = [
            notification(&["a", "b%2Fc"]),
            notification(&["late", "later"]),
            notification(&["%zz"]),
            r#"{"Service":"Amazon S3","Event":"s3:TestEvent"}"#.to_owned(),
            "late, and none of S3's".to_owned(),
        ];
        let batch = bodies.into_iter().enumerate().map(|(n, body)| Received {
            id: n.to_string(),
            body,
            group: String::new(),
            receives: 1,
        });
        assert_eq!(objects.handle(batch.collect()).await, ["1", "2", "4"]);
        assert_eq!(
            *objects.0.0.lock().unwrap(),
            [
                r#"{"key":"a","length":7}"#,
                r#"{"key":"b/c","length":7}"#,
                r#"{"key":"late","length":7}"#,
                r#"{"key":"later","length":7}"#,
                "late, and none of S3's",
            ]
        );
    }
}
