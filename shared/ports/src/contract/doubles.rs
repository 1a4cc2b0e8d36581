use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{Key, Message, Op, Page, Query, Queue, Row, StoreError, Table, Unit};

/// What went through a [`Counting`] wrapper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Calls of [`Table::get`].
    pub get: u64,
    /// Calls of [`Table::get_many`].
    pub get_many: u64,
    /// Keys asked for by `get_many`.
    pub keys: u64,
    /// Calls of [`Table::query`].
    pub query: u64,
    /// Rows that queries answered with.
    pub rows: u64,
    /// Calls of [`Table::write`] and [`Table::commit`].
    pub write: u64,
    /// Units written by them.
    pub units: u64,
    /// Puts in those units.
    pub puts: u64,
    /// Deletes in those units.
    pub deletes: u64,
    /// Checks in those units.
    pub checks: u64,
    /// Messages sent by units.
    pub unit_sends: u64,
    /// Calls of [`Table::count`].
    pub count: u64,
    /// Calls of [`Queue::send`].
    pub send: u64,
    /// Messages sent by them.
    pub sends: u64,
}

/// Counts what a caller asks of a store.
#[derive(Debug)]
pub struct Counting<T: ?Sized> {
    inner: Arc<T>,
    calls: Mutex<Calls>,
}

impl<T: ?Sized> Counting<T> {
    /// Counts from nought.
    pub fn new(inner: Arc<T>) -> Self {
        Self {
            inner,
            calls: Mutex::default(),
        }
    }

    /// The counts so far.
    pub fn calls(&self) -> Calls {
        *self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counts since the last time.
    pub fn take(&self) -> Calls {
        std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is counted.
    pub fn inner(&self) -> &Arc<T> {
        &self.inner
    }

    fn add(&self, add: impl FnOnce(&mut Calls)) {
        add(&mut self.calls.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[async_trait]
impl<T: Table + ?Sized> Table for Counting<T> {
    fn sends_with_rows(&self) -> bool {
        self.inner.sends_with_rows()
    }

    async fn get(&self, key: &Key) -> Result<Option<Row>, StoreError> {
        self.add(|calls| calls.get += 1);
        self.inner.get(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        self.add(|calls| {
            calls.get_many += 1;
            calls.keys += keys.len() as u64;
        });
        self.inner.get_many(keys).await
    }

    async fn query(&self, query: Query) -> Result<Page, StoreError> {
        let page = self.inner.query(query).await;
        self.add(|calls| {
            calls.query += 1;
            calls.rows += page.as_ref().map_or(0, |page| page.rows.len() as u64);
        });
        page
    }

    async fn write(&self, units: Vec<Unit>) -> Vec<Result<(), StoreError>> {
        self.add(|calls| {
            calls.write += 1;
            calls.units += units.len() as u64;
            for unit in &units {
                calls.unit_sends += unit.sends.len() as u64;
                for op in &unit.ops {
                    match op {
                        Op::Put(_) => calls.puts += 1,
                        Op::Delete(..) => calls.deletes += 1,
                        Op::Check(..) => calls.checks += 1,
                    }
                }
            }
        });
        self.inner.write(units).await
    }

    async fn count(
        &self,
        key: &Key,
        delta: i64,
        max: Option<i64>,
        expires_at: Option<Timestamp>,
    ) -> Result<i64, StoreError> {
        self.add(|calls| calls.count += 1);
        self.inner.count(key, delta, max, expires_at).await
    }
}

#[async_trait]
impl<T: Queue + ?Sized> Queue for Counting<T> {
    async fn send(&self, messages: Vec<Message>) -> Result<(), StoreError> {
        self.add(|calls| {
            calls.send += 1;
            calls.sends += messages.len() as u64;
        });
        self.inner.send(messages).await
    }
}

/// What goes wrong in a [`Faulty`] store, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Answered instead of doing it.
    Refuse(StoreError),
    /// Answered after doing it: the caller cannot know.
    LoseAnswer(StoreError),
}

/// A store that fails at chosen calls. Calls of every kind are counted together, from 0.
#[derive(Debug)]
pub struct Faulty<T: ?Sized> {
    inner: Arc<T>,
    next: AtomicU64,
    faults: Mutex<BTreeMap<u64, Fault>>,
}

impl<T: ?Sized> Faulty<T> {
    /// Nothing goes wrong yet.
    pub fn new(inner: Arc<T>) -> Self {
        Self {
            inner,
            next: AtomicU64::new(0),
            faults: Mutex::default(),
        }
    }

    /// The call after `skip` others from now goes wrong.
    pub fn fail(&self, skip: u64, fault: Fault) {
        let at = self.next.load(Ordering::SeqCst) + skip;
        self.faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(at, fault);
    }

    /// What fails.
    pub fn inner(&self) -> &Arc<T> {
        &self.inner
    }

    fn fault(&self) -> Option<Fault> {
        let at = self.next.fetch_add(1, Ordering::SeqCst);
        self.faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&at)
    }

    async fn call<R>(
        &self,
        call: impl Future<Output = Result<R, StoreError>>,
    ) -> Result<R, StoreError> {
        match self.fault() {
            None => call.await,
            Some(Fault::Refuse(error)) => Err(error),
            Some(Fault::LoseAnswer(error)) => call.await.and(Err(error)),
        }
    }
}

#[async_trait]
impl<T: Table + ?Sized> Table for Faulty<T> {
    fn sends_with_rows(&self) -> bool {
        self.inner.sends_with_rows()
    }

    async fn get(&self, key: &Key) -> Result<Option<Row>, StoreError> {
        self.call(self.inner.get(key)).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        self.call(self.inner.get_many(keys)).await
    }

    async fn query(&self, query: Query) -> Result<Page, StoreError> {
        self.call(self.inner.query(query)).await
    }

    async fn write(&self, units: Vec<Unit>) -> Vec<Result<(), StoreError>> {
        let all = |n, error: StoreError| std::iter::repeat_n(Err(error), n).collect();
        match self.fault() {
            None => self.inner.write(units).await,
            Some(Fault::Refuse(error)) => all(units.len(), error),
            Some(Fault::LoseAnswer(error)) => all(self.inner.write(units).await.len(), error),
        }
    }

    async fn count(
        &self,
        key: &Key,
        delta: i64,
        max: Option<i64>,
        expires_at: Option<Timestamp>,
    ) -> Result<i64, StoreError> {
        self.call(self.inner.count(key, delta, max, expires_at))
            .await
    }
}

#[async_trait]
impl<T: Queue + ?Sized> Queue for Faulty<T> {
    async fn send(&self, messages: Vec<Message>) -> Result<(), StoreError> {
        self.call(self.inner.send(messages)).await
    }
}
