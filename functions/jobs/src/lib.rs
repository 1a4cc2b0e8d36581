//! The `jobs` function: takes steps of background jobs from the queue.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;
use ringfence_domain::App;
use ringfence_ports::{Consumer, Received};

/// The consumer of the jobs queue.
pub fn consumer(app: Arc<App>) -> Jobs {
    Jobs { app }
}

/// Works on steps of jobs.
pub struct Jobs {
    app: Arc<App>,
}

#[async_trait]
impl Consumer for Jobs {
    async fn handle(&self, batch: Vec<Received>) -> Vec<String> {
        let results = join_all(batch.iter().map(|message| self.app.job_step(message))).await;
        let mut failed = Vec::new();
        for (message, result) in batch.into_iter().zip(results) {
            if let Err(error) = result {
                tracing::warn!(message = message.id, receives = message.receives, %error, "a job's step failed");
                failed.push(message.id);
            }
        }
        failed
    }
}
