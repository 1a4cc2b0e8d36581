use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Message;

/// The most operations of one [`Unit`] (`DynamoDB`'s `TransactWriteItems` limit).
pub const MAX_OPS: usize = 100;

/// The largest document of a row, in bytes. `DynamoDB` holds items of 400 KB; the rest is room for
/// keys and attributes.
pub const MAX_DOC_BYTES: usize = 380 * 1024;

/// The address of a row. Both parts compare as bytes. `pk` spreads, `sk` sorts inside.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Partition, 1 to 1,024 bytes.
    pub pk: String,
    /// Sort key, 1 to 1,024 bytes.
    pub sk: String,
}

impl Key {
    /// A key of these two parts.
    pub fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self {
            pk: pk.into(),
            sk: sk.into(),
        }
    }
}

/// A row as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where it is.
    pub key: Key,
    /// 1 when created, one more at each put.
    pub version: u64,
    /// From this instant on the row is never returned, whatever the store's own clean-up does.
    /// Kept to the millisecond; what is finer is cut off.
    pub expires_at: Option<Timestamp>,
    /// Keys under which the two indexes list this row; `None`: not listed there.
    pub index: [Option<Key>; 2],
    /// The body: JSON text.
    pub doc: String,
}

/// The condition of an [`Op`], judged against what is stored. An expired row counts as absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// No condition.
    Always,
    /// There is no row.
    Absent,
    /// There is a row.
    Present,
    /// There is a row, with exactly this version.
    Version(u64),
}

/// A row to be written whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Where.
    pub key: Key,
    /// The body: JSON text of at most [`MAX_DOC_BYTES`].
    pub doc: String,
    /// Index keys; `None` takes the row out of that index.
    pub index: [Option<Key>; 2],
    /// When it vanishes.
    pub expires_at: Option<Timestamp>,
    /// On what condition.
    pub when: When,
}

impl Put {
    /// A put in no index that never expires.
    pub fn new(key: Key, doc: impl Into<String>, when: When) -> Self {
        Self {
            key,
            doc: doc.into(),
            index: [None, None],
            expires_at: None,
            when,
        }
    }
}

/// One write of a [`Unit`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Writes a row.
    Put(Put),
    /// Deletes a row; deleting an absent one is no error unless the condition says so.
    Delete(Key, When),
    /// Only judges the condition.
    Check(Key, When),
}

/// Writes that happen all or not at all, and messages that go out only if they did.
///
/// On the embedded store rows and messages are one durable commit. On AWS the messages follow the
/// rows: a process that dies between leaves rows without messages, so whoever writes a unit makes it
/// repeatable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    /// Up to [`MAX_OPS`] operations on distinct keys. May be empty.
    pub ops: Vec<Op>,
    /// Sent when the operations are durable.
    pub sends: Vec<Message>,
}

impl Unit {
    /// Takes in the writes and messages of another unit, behind its own.
    pub fn extend(&mut self, other: Self) {
        self.ops.extend(other.ops);
        self.sends.extend(other.sends);
    }
}

/// What a query walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The rows themselves, by their key.
    Main,
    /// The first (0) or second (1) index, by its key. May lag behind the rows.
    Index(u8),
}

/// A range of one partition, in order of the sort key (ties in an index: in order of the row's key).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Rows or index.
    pub source: Source,
    /// The partition.
    pub pk: String,
    /// First sort key, inclusive; `None`: from the start.
    pub from: Option<String>,
    /// Sort key to stop before, exclusive; `None`: to the end.
    pub to: Option<String>,
    /// From the end to the start.
    pub descending: bool,
    /// The most rows of a page, 1 to 1,000.
    pub limit: usize,
    /// Where the page before ended.
    pub after: Option<Position>,
}

impl Query {
    /// The first 100 rows of a whole partition, ascending.
    pub fn partition(pk: impl Into<String>) -> Self {
        Self {
            source: Source::Main,
            pk: pk.into(),
            from: None,
            to: None,
            descending: false,
            limit: 100,
            after: None,
        }
    }

    /// The same over an index (0 or 1).
    pub fn index(which: u8, pk: impl Into<String>) -> Self {
        Self {
            source: Source::Index(which),
            ..Self::partition(pk)
        }
    }
}

/// Where a page ended: the row's key and, in an index, the key there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The last row's key.
    pub key: Key,
    /// Its key in the index walked, if one was.
    pub index: Option<Key>,
}

/// A page of rows. It may be shorter than the limit before there is no more: a page also ends at
/// about 1 MiB of documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// In the order asked for; unexpired ones only.
    pub rows: Vec<Row>,
    /// Where to go on; `None`: there is no more.
    pub next: Option<Position>,
}

/// Why the store did not do it.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum StoreError {
    /// The condition of operation `op` (its index in the unit; the first that failed) did not hold.
    /// Nothing of the unit was written.
    #[error("the condition of operation {op} does not hold")]
    Condition {
        /// Index of the operation in [`Unit::ops`].
        op: usize,
    },
    /// The request breaks a limit or rule of the port; the same request will never succeed.
    #[error("invalid store request: {0}")]
    Invalid(&'static str),
    /// A document or message is over its limit.
    #[error("a document or message is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Throttled, or in conflict with another writer, beyond the adapter's own retries. Try later.
    #[error("the store is busy")]
    Busy,
    /// The store cannot be reached or cannot write (a full disk). The cause is for the log.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
}

/// Rows under (partition, sort).
#[async_trait]
pub trait Table: Send + Sync {
    /// One row, read after all writes that were answered (strongly consistent).
    async fn get(&self, key: &Key) -> Result<Option<Row>, StoreError>;

    /// Up to 100 rows, each as [`Table::get`] would give it, in the order asked for.
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError>;

    /// A page of one partition or index.
    async fn query(&self, query: Query) -> Result<Page, StoreError>;

    /// Writes units, each all or nothing and each on its own, and sends their messages.
    ///
    /// The answer has a result per unit, in order; a unit's `Ok` means durable. One unit's failed
    /// condition touches no other unit. This is the cheap way to write many rows: embedded, all units
    /// of all waiting callers share one commit; on AWS, a unit of one operation is a plain write.
    /// At most 1,000 units.
    async fn write(&self, units: Vec<Unit>) -> Vec<Result<(), StoreError>>;

    /// Whether a unit's messages become durable in one step with its rows. Where they do not, a process
    /// that dies in between, or a queue that refuses, leaves rows without messages: whoever finds such
    /// a row sends its message again.
    fn sends_with_rows(&self) -> bool;

    /// Adds `delta` to a counter row (0 when absent or expired), unless the sum would exceed `max`
    /// (then [`StoreError::Condition`] and nothing changes). Answers the new value.
    ///
    /// A counter is a row of its own kind: only this method writes it. `expires_at` is set when the
    /// counter is created (or re-created after expiry) and kept afterwards.
    async fn count(
        &self,
        key: &Key,
        delta: i64,
        max: Option<i64>,
        expires_at: Option<Timestamp>,
    ) -> Result<i64, StoreError>;

    /// Writes one unit.
    async fn commit(&self, unit: Unit) -> Result<(), StoreError> {
        self.write(vec![unit])
            .await
            .pop()
            .unwrap_or(Err(StoreError::Invalid("a write answered nothing")))
    }
}
