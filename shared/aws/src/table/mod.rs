//! [`Table`] on `DynamoDB`.

mod count;
mod plan;
mod read;
mod write;

use async_trait::async_trait;
use jiff::Timestamp;
use ringfence_ports::{Key, MAX_UNITS, Page, Query, Row, StoreError, Table, Unit};

use crate::Store;
use crate::store::bounded;

#[async_trait]
impl Table for Store {
    /// The messages follow the rows, in requests of their own.
    fn sends_with_rows(&self) -> bool {
        false
    }

    async fn get(&self, key: &Key) -> Result<Option<Row>, StoreError> {
        key.validate()?;
        self.read(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        self.read_many(keys).await
    }

    async fn query(&self, query: Query) -> Result<Page, StoreError> {
        query.validate()?;
        self.walk(&query).await
    }

    async fn write(&self, units: Vec<Unit>) -> Vec<Result<(), StoreError>> {
        if units.len() > MAX_UNITS {
            return vec![Err(StoreError::Invalid("a write has at most 1,000 units")); units.len()];
        }
        let mut results: Vec<Result<(), StoreError>> = units.iter().map(Unit::validate).collect();
        let sound: Vec<usize> = (0..units.len()).filter(|at| results[*at].is_ok()).collect();
        let rows = sound.into_iter().map(|at| {
            let unit = &units[at];
            async move { (at, self.write_rows(&unit.ops).await) }
        });
        bounded(rows, |(at, result)| results[at] = result).await;
        // Which unit each message is of.
        let mut owners = Vec::new();
        let mut messages = Vec::new();
        for (at, unit) in units.into_iter().enumerate() {
            if results[at].is_ok() {
                owners.extend(std::iter::repeat_n(at, unit.sends.len()));
                messages.extend(unit.sends);
            }
        }
        for (message, error) in self.send_all(&messages).await {
            results[owners[message]] = Err(error);
        }
        results
    }

    async fn count(
        &self,
        key: &Key,
        delta: i64,
        max: Option<i64>,
        expires_at: Option<Timestamp>,
    ) -> Result<i64, StoreError> {
        key.validate()?;
        self.add(key, delta, max, expires_at).await
    }
}
