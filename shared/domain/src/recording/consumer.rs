use std::sync::Arc;

use async_trait::async_trait;
use ringfence_ports::{Consumer, ObjectCreated, Received};
use serde::Deserialize;

use super::{RecordingError, Role, import::Import, recording_at};
use crate::{App, redaction::RedactionMessage};

/// Works on two queues: [`crate::keyspace::RECORDINGS`], objects that events name and redactions, and
/// [`ringfence_ports::OBJECTS`], what the store tells of objects that were created.
pub struct RecordingConsumer {
    app: Arc<App>,
}

impl RecordingConsumer {
    /// A consumer over this app.
    pub fn new(app: Arc<App>) -> Self {
        Self { app }
    }

    async fn take(&self, message: &Received) -> Result<(), RecordingError> {
        match serde_json::from_str::<Body>(&message.body) {
            Ok(Body::Import(import)) => {
                let Some(config) = self.app.account_config(&import.account).await? else {
                    return Ok(());
                };
                settled(self.app.import_recording(&config, &import).await.map(drop))
            }
            Ok(Body::Redaction(redaction)) => {
                let Some(config) = self.app.account_config(&redaction.account).await? else {
                    return Ok(());
                };
                self.app
                    .redaction_message(&config, &redaction, message.receives)
                    .await
            }
            Ok(Body::Created(created)) => self.created(&created).await,
            // No retry mends that.
            Err(_) => {
                tracing::warn!(
                    "a message tells neither of an import, a redaction nor of an object"
                );
                Ok(())
            }
        }
    }

    async fn created(&self, created: &ObjectCreated) -> Result<(), RecordingError> {
        let Some((account, recording, role)) = recording_at(&created.key) else {
            return Ok(());
        };
        let Some(config) = self.app.account_config(account).await? else {
            return Ok(());
        };
        let completed = match role {
            Role::Audio => self.app.complete_recording(&config, recording).await,
            Role::Staged => self.app.seal_staged(&config, recording).await,
        };
        if let Err(RecordingError::NotFound) = &completed {
            // It came later than its recording was waited for: nothing would ever find it again.
            self.app.erase_object(account, &created.key).await?;
        }
        settled(completed.map(drop))
    }
}

/// What is decided once and for all is done with; anything else is tried again.
fn settled(result: Result<(), RecordingError>) -> Result<(), RecordingError> {
    match result {
        Err(
            error @ (RecordingError::NotFound
            | RecordingError::Refused(_)
            | RecordingError::Deleted
            | RecordingError::IdReused
            | RecordingError::Fields(_)),
        ) => {
            tracing::warn!(%error, "an object did not become a recording");
            Ok(())
        }
        other => other,
    }
}

#[async_trait]
impl Consumer for RecordingConsumer {
    async fn handle(&self, batch: Vec<Received>) -> Vec<String> {
        let mut failed = Vec::new();
        for message in batch {
            if let Err(error) = self.take(&message).await {
                tracing::warn!(message = message.id, receives = message.receives, %error, "an object could not be looked at");
                failed.push(message.id);
            }
        }
        failed
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Body {
    Import(Import),
    Redaction(RedactionMessage),
    Created(ObjectCreated),
}
