//! A few connections that only read, each on a thread of its own. They never wait for the writer:
//! the write-ahead log gives each its snapshot.

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
pub(crate) struct Readers(Arc<Shared>);

impl Readers {
    pub(crate) fn start(
        file: &Path,
        count: usize,
    ) -> rusqlite::Result<(Self, Vec<JoinHandle<()>>)> {
        let shared = Arc::new(Shared::default());
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
        Ok((Self(shared), threads))
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
            let mut line = self.0.line.lock().unwrap_or_else(PoisonError::into_inner);
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
        self.0.filled.notify_one();
        Ok(answer)
    }

    pub(crate) fn close(&self) {
        self.0
            .line
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .closed = true;
        self.0.filled.notify_all();
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
