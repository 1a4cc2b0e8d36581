//! What a clock sets off: every minute, deliveries whose due time has come go back into the queue, and so
//! do the steps of jobs, and the exports, redactions and notices whose message was lost or whose time has come; and what an owner's
//! retention ends begins to be deleted.

use ringfence_ports::{Op, Query, StoreError, Unit};

use super::{delivery::Delivery, log::order, replay::Job};
use crate::{
    App,
    deletion::Deletion,
    export::Export,
    keyspace::{self, SHARDS},
    notification,
    redaction::Redaction,
};

/// How many due deliveries one sweep queues of each shard; what is left is for the next.
const MAX_PER_SHARD: usize = 5_000;

impl App {
    /// Queues every delivery that is due, and answers how many that were. Running twice at once is
    /// harmless: each delivery is queued by whoever takes it out of the index first.
    pub async fn sweep_due_deliveries(&self) -> Result<usize, StoreError> {
        let shards = (0..SHARDS).map(|shard| self.sweep_shard(shard));
        let mut queued = 0;
        for result in futures_util::future::join_all(shards).await {
            queued += result?;
        }
        Ok(queued)
    }

    async fn sweep_shard(&self, shard: u8) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let mut queued = 0;
        let mut query = Query {
            to: Some(keyspace::due_from(now)),
            limit: 100,
            ..Query::index(1, keyspace::due_partition(shard))
        };
        while queued < MAX_PER_SHARD {
            let page = self.table.query(query.clone()).await?;
            let mut units = Vec::with_capacity(page.rows.len());
            for row in &page.rows {
                if row.key.sk == keyspace::RETENTION_SORT {
                    match self.retention_due(row).await {
                        Ok(unit) => units.push(unit),
                        // One owner's trouble is not the others'.
                        Err(error) => {
                            tracing::error!(owner = row.key.pk, %error, "retention did not start");
                        }
                    }
                    continue;
                }
                units.push(if row.key.pk.starts_with(keyspace::JOBS_PREFIX) {
                    Job::again(row, now)?
                } else if row.key.pk.starts_with(keyspace::DELETIONS_PREFIX) {
                    Deletion::again(row, now)?
                } else if row.key.pk.starts_with(keyspace::EXPORTS_PREFIX) {
                    Export::again(row, now)?
                } else if row.key.pk.starts_with(keyspace::REDACTIONS_PREFIX) {
                    Redaction::again(row, now)?
                } else if row.key.pk.starts_with(keyspace::NOTICES_PREFIX) {
                    notification::again(row, now)?
                } else {
                    let mut delivery = Delivery::from_row(row)?;
                    // Until the attempt is recorded it stays due, in case that this message is lost too.
                    delivery.next_at = Some(now);
                    let message = order(&delivery).into_message(std::time::Duration::ZERO)?;
                    Unit {
                        ops: vec![Op::Put(delivery.put()?)],
                        sends: vec![message],
                    }
                });
            }
            for result in self.table.write(units).await {
                match result {
                    Ok(()) => queued += 1,
                    // Its attempt was under way after all.
                    Err(StoreError::Condition { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            let Some(next) = page.next else { break };
            query.after = Some(next);
        }
        Ok(queued)
    }
}
