//! Connections that only read. They never wait for the writer: the write-ahead log gives each its
//! snapshot.
//!
//! What may take long (queries, many keys) goes to a few threads, each with a connection of its own. To
//! wake one and to be woken by it costs several times what looking up a row does, so a few rows are
//! looked up right where they are asked for, on a connection that nobody else is at.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use ringfence_ports::StoreError;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

use crate::error::{closed, unavailable};

/// More reads than this in line, and the next one is told to come later.
const MAX_WAITING: usize = 10_000;

type Task = Box<dyn FnOnce(&Connection) + Send>;

#[derive(Default)]
struct Line {
    tasks: VecDeque<Task>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    line: Mutex<Line>,
    filled: Condvar,
}

/// The way to the readers.
#[derive(Clone)]
pub(crate) struct Readers {
    shared: Arc<Shared>,
    /// Of those who read on their own threads; `None`: closed.
    here: Arc<[Mutex<Option<Connection>>]>,
}

impl Readers {
    pub(crate) fn start(
        file: &Path,
        count: usize,
    ) -> rusqlite::Result<(Self, Vec<JoinHandle<()>>)> {
        let shared = Arc::new(Shared::default());
        let here = (0..count.max(1))
            .map(|_| {
                let connection = open(file)?;
                // Who cannot read at once hands over instead of waiting.
                connection.busy_timeout(std::time::Duration::ZERO)?;
                Ok(Mutex::new(Some(connection)))
            })
            .collect::<rusqlite::Result<_>>()?;
        let mut threads = Vec::with_capacity(count);
        for n in 0..count.max(1) {
            let connection = open(file)?;
            let shared = Arc::clone(&shared);
            let thread = std::thread::Builder::new().name(format!("reader-{n}"));
            // A thread that cannot start is one reader fewer; the first must.
            match thread.spawn(move || shared.serve(&connection)) {
                Ok(thread) => threads.push(thread),
                Err(_) if n > 0 => {}
                Err(_) => return Err(rusqlite::Error::InvalidQuery),
            }
        }
        Ok((Self { shared, here }, threads))
    }

    /// Runs `work` on a reader.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.hand_over(work)?
            .await
            .map_err(|_| closed())?
            .map_err(|e| unavailable(&e))
    }

    /// Runs `work`, which looks up a few rows, here; on a reader where no connection is free.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        work: impl Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        for place in &*self.here {
            let Ok(connection) = place.try_lock() else {
                continue;
            };
            let Some(connection) = &*connection else {
                return Err(closed());
            };
            match work(connection) {
                Err(error) if is_busy(&error) => break,
                done => return done.map_err(|e| unavailable(&e)),
            }
        }
        self.run(work).await
    }

    /// The same, for a thread that may wait.
    pub(crate) fn run_here<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.hand_over(work)?
            .blocking_recv()
            .map_err(|_| closed())?
            .map_err(|e| unavailable(&e))
    }

    fn hand_over<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<oneshot::Receiver<rusqlite::Result<T>>, StoreError> {
        let (reply, answer) = oneshot::channel();
        {
            let mut line = self
                .shared
                .line
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if line.closed {
                return Err(closed());
            }
            if line.tasks.len() >= MAX_WAITING {
                return Err(StoreError::Busy);
            }
            line.tasks.push_back(Box::new(move |connection| {
                // A caller that has gone needs no answer.
                let _ = reply.send(work(connection));
            }));
        }
        self.shared.filled.notify_one();
        Ok(answer)
    }

    pub(crate) fn close(&self) {
        for place in &*self.here {
            *place.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        self.shared
            .line
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .closed = true;
        self.shared.filled.notify_all();
    }
}

impl Shared {
    fn serve(&self, connection: &Connection) {
        loop {
            let task = {
                let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
                loop {
                    if let Some(task) = line.tasks.pop_front() {
                        break task;
                    }
                    if line.closed {
                        return;
                    }
                    line = self
                        .filled
                        .wait(line)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            };
            task(connection);
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
    )
}

fn open(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        file,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -2048;")?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}
