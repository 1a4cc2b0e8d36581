//! When API keys were last used. Noted at most once in [`NOTED_EVERY`] by each process, so that a busy
//! key costs no write a request; and never at the price of a request: where it cannot be noted, it is
//! noted later.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use ringfence_ports::{Op, Put, StoreError, Unit, When};
use serde::{Deserialize, Serialize};

use super::{ApiKey, parse_doc, to_doc};
use crate::{App, keyspace};

/// How exactly the last use of a key is known.
pub const NOTED_EVERY: SignedDuration = SignedDuration::from_mins(10);

/// How many keys a process remembers to have noted.
const CAPACITY: usize = 10_000;

/// When this process last noted the use of which key.
#[derive(Default)]
pub(crate) struct LastUses(Mutex<HashMap<String, Timestamp>>);

impl LastUses {
    /// Whether the use of a key at `now` is to be noted; then it counts as noted.
    fn is_due(&self, key: &str, now: Timestamp) -> bool {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = noted
            .get(key)
            .is_none_or(|at| now.duration_since(*at).abs() >= NOTED_EVERY);
        if is_due {
            if noted.len() >= CAPACITY {
                noted.clear();
            }
            noted.insert(key.to_owned(), now);
        }
        is_due
    }

    fn forget(&self, key: &str) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.remove(key);
    }
}

/// A key as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedKey {
    /// The key.
    #[serde(flatten)]
    pub key: ApiKey,
    /// When it was last used, to within [`NOTED_EVERY`]; `None`: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct Use {
    at: Timestamp,
}

impl App {
    /// Notes that a key is used now.
    pub(super) async fn note_use(&self, key: &ApiKey, now: Timestamp) {
        if !self.key_uses.is_due(&key.id, now) {
            return;
        }
        let noted = async {
            let doc = to_doc(&Use { at: now })?;
            let put = Put::new(keyspace::api_key_use(&key.id), doc, When::Always);
            let unit = Unit {
                ops: vec![Op::Put(put)],
                sends: Vec::new(),
            };
            self.table.commit(unit).await
        };
        if noted.await.is_err() {
            self.key_uses.forget(&key.id);
            tracing::warn!(key = key.id, "the use of an API key could not be noted");
        }
    }

    /// These keys with when each was last used.
    pub(crate) async fn with_last_use(
        &self,
        keys: Vec<ApiKey>,
    ) -> Result<Vec<ListedKey>, StoreError> {
        let rows: Vec<_> = keys
            .iter()
            .map(|key| keyspace::api_key_use(&key.id))
            .collect();
        let mut uses = Vec::with_capacity(rows.len());
        // What one read takes.
        for rows in rows.chunks(100) {
            uses.extend(self.table.get_many(rows).await?);
        }
        keys.into_iter()
            .zip(uses)
            .map(|(key, row)| {
                let last_used_at = row
                    .map(|row| parse_doc::<Use>(&row.doc))
                    .transpose()?
                    .map(|used| used.at);
                Ok(ListedKey { key, last_used_at })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_key_is_noted_once_in_ten_minutes() {
        let uses = LastUses::default();
        let start: Timestamp = "2026-01-31T08:00:00Z".parse().unwrap();
        let noted: Vec<_> = (0..=1200)
            .filter(|second| uses.is_due("key_1", start + SignedDuration::from_secs(*second)))
            .collect();
        assert_eq!(noted, [0, 600, 1200]);
        assert!(uses.is_due("key_2", start));
        // What could not be written is noted the next time.
        uses.forget("key_2");
        assert!(uses.is_due("key_2", start));
    }
}
