//! Copies the write-ahead log into the database, off the hot path.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, ErrorCode};

use crate::writer::{Job, Submit};

/// Pages in the log that are worth a checkpoint. A commit that meets the sync of a checkpoint waits
/// for the disk, so each is small.
const ENOUGH: i32 = 1000;

/// Checkpoints are this far apart at least: under load, a page that is written again and again is
/// then copied less often.
const APART: Duration = Duration::from_millis(200);

/// A log of this many pages (128 MiB) did not come to its end while the writer kept adding: the
/// writer has to do the last bit itself, so that it may start the log over.
const TOO_MANY: i32 = 32_000;

/// How often an idle store is looked after.
const IDLE: Duration = Duration::from_secs(5);

/// How often expired rows are looked for.
const PURGE_EVERY: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Log {
    pages: AtomicI32,
    stop: AtomicBool,
}

/// The thread that keeps the log short and sweeps out what has expired.
pub(crate) struct Keeper {
    log: Arc<Log>,
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Watches the commits of `writer`, a connection whose own checkpoints are off.
    pub(crate) fn start(
        file: &Path,
        writer: &mut Connection,
        submit: Submit,
    ) -> Result<Self, rusqlite::Error> {
        let connection = Connection::open(file)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA cache_size = -1024; PRAGMA wal_autocheckpoint = 0;",
        )?;
        let log = Arc::new(Log::default());
        let thread = {
            let log = Arc::clone(&log);
            std::thread::Builder::new()
                .name("keeper".to_owned())
                .spawn(move || log.keep(&connection, &submit))
                .map_err(|_| rusqlite::Error::InvalidQuery)?
        };
        let (counter, waker) = (Arc::clone(&log), thread.thread().clone());
        writer.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: i32| {
            let before = counter.pages.swap(pages, Ordering::Relaxed);
            if pages / ENOUGH != before / ENOUGH {
                waker.unpark();
            }
            Ok(())
        }))?;
        Ok(Self { log, thread })
    }

    pub(crate) fn stop(self) {
        self.log.stop.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        let _ = self.thread.join();
    }
}

impl Log {
    fn keep(&self, connection: &Connection, submit: &Submit) {
        let mut copied = 0;
        let mut swept = Instant::now();
        loop {
            if self.pages.load(Ordering::Relaxed) - copied < ENOUGH {
                std::thread::park_timeout(IDLE);
            }
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            if swept.elapsed() >= PURGE_EVERY {
                self.purge(submit);
                swept = Instant::now();
            }
            let pages = self.pages.load(Ordering::Relaxed);
            if pages == copied {
                continue;
            }
            copied = run(connection);
            if pages >= TOO_MANY {
                // What came meanwhile is little: then this is nearly all of it.
                run(connection);
                submit.send(Job::Checkpoint);
            }
            std::thread::sleep(APART);
        }
    }

    /// In small steps, between which others write.
    fn purge(&self, submit: &Submit) {
        while !self.stop.load(Ordering::Relaxed) {
            let (reply, answer) = tokio::sync::oneshot::channel();
            if !submit.send(Job::Purge(reply)) {
                return;
            }
            match answer.blocking_recv() {
                Ok(Ok(deleted)) if deleted > 0 => {
                    std::thread::park_timeout(Duration::from_millis(20));
                }
                _ => return,
            }
        }
    }
}

/// Copies what it can without waiting for anyone; answers how many pages of the log are copied.
pub(crate) fn run(connection: &Connection) -> i32 {
    match connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE) {
        Ok((_, copied)) => copied,
        // The writer is at it itself, or a reader needs the log as it is: later, then.
        Err(rusqlite::Error::SqliteFailure(error, _))
            if matches!(
                error.code,
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked
            ) =>
        {
            0
        }
        Err(error) => {
            tracing::warn!(%error, "a checkpoint failed; the log stays until the next one");
            0
        }
    }
}
