//! A small cache of values that are loaded from the store and may be a few seconds old.

use std::{
    collections::HashMap,
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::{SignedDuration, Timestamp};

/// Loaded values by key. A value older than `ttl` is loaded again; callers that find the same
/// value too old load it once. A process that changes a value forgets it here, so that it sees its own change at once;
/// other processes see it within `ttl`.
pub(crate) struct Cache<V> {
    ttl: SignedDuration,
    capacity: usize,
    slots: Mutex<HashMap<String, Arc<Slot<V>>>>,
    /// Counts [`Cache::clear`]s: what was being loaded during one is not kept.
    generation: AtomicU64,
}

struct Slot<V> {
    value: Mutex<Option<(Timestamp, Arc<V>)>>,
    loading: tokio::sync::Mutex<()>,
}

impl<V> Cache<V> {
    pub(crate) fn new(ttl: SignedDuration, capacity: usize) -> Self {
        Self {
            ttl,
            capacity,
            slots: Mutex::default(),
            generation: AtomicU64::new(0),
        }
    }

    /// The value of `key`, from memory when it is fresh at `now`. What `load` does not find is not
    /// remembered.
    pub(crate) async fn get<E, F>(
        &self,
        key: &str,
        now: Timestamp,
        load: impl FnOnce() -> F,
    ) -> Result<Option<Arc<V>>, E>
    where
        F: Future<Output = Result<Option<V>, E>>,
    {
        let known = lock(&self.slots).get(key).cloned();
        if let Some(slot) = &known
            && let Some(value) = slot.fresh(now, self.ttl)
        {
            return Ok(Some(value));
        }
        let slot = known.unwrap_or_else(|| {
            Arc::new(Slot {
                value: Mutex::new(None),
                loading: tokio::sync::Mutex::new(()),
            })
        });
        // Only a key that exists gets a slot in the map, so guesses cannot fill it.
        let _loading = slot.loading.lock().await;
        if let Some(value) = slot.fresh(now, self.ttl) {
            return Ok(Some(value));
        }
        let generation = self.generation.load(Ordering::Acquire);
        let Some(value) = load().await? else {
            return Ok(None);
        };
        let value = Arc::new(value);
        let mut slots = lock(&self.slots);
        if self.generation.load(Ordering::Acquire) != generation {
            return Ok(Some(value));
        }
        *lock(&slot.value) = Some((now, value.clone()));
        if slots.len() >= self.capacity && !slots.contains_key(key) {
            slots.retain(|_, slot| slot.fresh(now, self.ttl).is_some());
            if slots.len() >= self.capacity {
                slots.clear();
            }
        }
        slots.insert(key.to_owned(), slot.clone());
        Ok(Some(value))
    }

    /// Forgets the value of `key`.
    pub(crate) fn forget(&self, key: &str) {
        let mut slots = lock(&self.slots);
        self.generation.fetch_add(1, Ordering::AcqRel);
        slots.remove(key);
    }

    /// Forgets everything. Changes are rare, loading is cheap, and an agency's change reaches all of
    /// its accounts.
    pub(crate) fn clear(&self) {
        let mut slots = lock(&self.slots);
        self.generation.fetch_add(1, Ordering::AcqRel);
        slots.clear();
    }
}

impl<V> Slot<V> {
    fn fresh(&self, now: Timestamp, ttl: SignedDuration) -> Option<Arc<V>> {
        lock(&self.value)
            .as_ref()
            .filter(|(loaded, _)| now.duration_since(*loaded).abs() < ttl)
            .map(|(_, value)| value.clone())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
