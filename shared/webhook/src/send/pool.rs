//! Idle connections, kept for the next message to the same origin.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::connection::Connection;
use crate::target::Origin;

pub(super) struct Limits {
    pub(super) per_origin: usize,
    pub(super) total: usize,
    pub(super) idle: Duration,
    pub(super) age: Duration,
}

pub(super) struct Pool {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The connection used last is at the end, and is taken first: the others may time out.
    idle: HashMap<Arc<Origin>, Vec<Idle>>,
    count: usize,
    sweeping: bool,
}

struct Idle {
    connection: Box<Connection>,
    since: Instant,
}

impl Pool {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: Mutex::default(),
        }
    }

    /// A connection that was idle neither too long nor is too old; it may be dead for all that.
    pub(super) fn take(&self, origin: &Arc<Origin>, now: Instant) -> Option<Box<Connection>> {
        let mut state = self.lock();
        let state = &mut *state;
        let idle = state.idle.get_mut(origin)?;
        while let Some(last) = idle.pop() {
            state.count -= 1;
            if self.limits.keeps(&last, now) {
                return Some(last.connection);
            }
        }
        state.idle.remove(origin);
        None
    }

    /// Keeps a connection, or closes it where there are enough.
    pub(super) fn put(
        self: &Arc<Self>,
        origin: &Arc<Origin>,
        connection: Box<Connection>,
        now: Instant,
    ) {
        let mut state = self.lock();
        let state = &mut *state;
        let fresh = Idle {
            connection,
            since: now,
        };
        if state.count >= self.limits.total || !self.limits.keeps(&fresh, now) {
            return;
        }
        if let Some(idle) = state.idle.get_mut(origin) {
            if idle.len() >= self.limits.per_origin {
                return;
            }
            idle.push(fresh);
        } else {
            state.idle.insert(Arc::clone(origin), vec![fresh]);
        }
        state.count += 1;
        if !state.sweeping {
            state.sweeping = true;
            tokio::spawn(sweep(Arc::downgrade(self), self.limits.idle));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change above is complete before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes what was idle too long; whether anything is left.
    fn sweep(&self, now: Instant) -> bool {
        let mut state = self.lock();
        let mut count = 0;
        state.idle.retain(|_, idle| {
            idle.retain(|one| self.limits.keeps(one, now));
            count += idle.len();
            !idle.is_empty()
        });
        state.count = count;
        state.sweeping = count > 0;
        state.sweeping
    }
}

impl Limits {
    fn keeps(&self, one: &Idle, now: Instant) -> bool {
        now.saturating_duration_since(one.since) < self.idle
            && now.saturating_duration_since(one.connection.opened) < self.age
    }
}

/// One task for the whole pool while there is anything in it, so that a quiet sender holds no
/// connection that its peer has long closed.
async fn sweep(pool: Weak<Pool>, every: Duration) {
    loop {
        sleep(every).await;
        let Some(pool) = pool.upgrade() else { return };
        if !pool.sweep(Instant::now()) {
            return;
        }
    }
}
