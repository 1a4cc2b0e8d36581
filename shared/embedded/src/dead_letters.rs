use jiff::Timestamp;
use ringfence_ports::{QueueName, StoreError};
use rusqlite::params;

use crate::Embedded;
use crate::writer::Job;

/// A message that failed too often. It is kept until it is sent again.
#[derive(Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its number; rises with time.
    pub id: i64,
    /// Its fairness group.
    pub group: String,
    /// Its body.
    pub body: String,
    /// How often it was handed out.
    pub receives: u32,
    /// When it was given up.
    pub died_at: Timestamp,
}

impl std::fmt::Debug for DeadLetter {
    /// Without the body, which may hold what no log may.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeadLetter")
            .field("id", &self.id)
            .field("receives", &self.receives)
            .field("died_at", &self.died_at)
            .finish_non_exhaustive()
    }
}

impl Embedded {
    /// How many messages of a queue were given up.
    pub async fn count_dead_letters(&self, queue: QueueName) -> Result<u64, StoreError> {
        self.shared
            .readers
            .run(move |connection| {
                connection
                    .prepare_cached("SELECT count(*) FROM dead_letters WHERE queue = ?1")?
                    .query_row([queue.0], |row| row.get::<_, i64>(0))
            })
            .await
            .map(i64::cast_unsigned)
    }

    /// The given up messages of a queue, oldest first, from after the id `after`; at most 100.
    pub async fn dead_letters(
        &self,
        queue: QueueName,
        after: Option<i64>,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.shared
            .readers
            .run(move |connection| {
                connection
                    .prepare_cached(
                        "SELECT id, grp, body, receives, died_at FROM dead_letters \
                         WHERE queue = ?1 AND id > ?2 ORDER BY id LIMIT 100",
                    )?
                    .query_map(params![queue.0, after.unwrap_or(i64::MIN)], |row| {
                        Ok(DeadLetter {
                            id: row.get(0)?,
                            group: row.get(1)?,
                            body: row.get(2)?,
                            receives: row.get(3)?,
                            died_at: Timestamp::from_millisecond(row.get(4)?)
                                .unwrap_or(Timestamp::MIN),
                        })
                    })?
                    .collect()
            })
            .await
    }

    /// Sends the dead letters of a queue again, as if they were new. Answers how many.
    pub async fn redrive(&self, queue: QueueName) -> Result<usize, StoreError> {
        let mut total = 0;
        // No more than there are now: a message may die again meanwhile.
        let count = usize::try_from(self.count_dead_letters(queue).await?).unwrap_or(usize::MAX);
        while total < count {
            let job = |reply| Job::Redrive {
                queue: queue.0.to_owned(),
                reply,
            };
            match self.shared.submit.ask(job).await? {
                0 => break,
                n => total += n,
            }
        }
        Ok(total)
    }
}
