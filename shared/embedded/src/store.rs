use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use ringfence_ports::{
    Clock, Key, MAX_GETS, MAX_UNITS, Message, Page, Query, Queue, Row, StoreError, Table, Unit,
};
use rusqlite::Connection;

use crate::blobs::{self, Broom, FileBlobs, Files};
use crate::checkpoint::Keeper;
use crate::memory::{Held, Memory, Place};
use crate::reader::Readers;
use crate::writer::{Job, Queues, Submit, Writer, next_due};
use crate::{FileKeys, OpenError, WhenMissing, keys, rows};

pub(crate) const DATABASE: &str = "ringfence.db";
const LOCK: &str = "lock";
const KEY: &str = "keys/master.key";

/// The steps of the schema; `PRAGMA user_version` says how many of them a database has taken.
const SCHEMA: [&str; 3] = [
    include_str!("schema.sql"),
    include_str!("blobs.sql"),
    include_str!("blob_keys.sql"),
];

/// How an [`Embedded`] store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads that read.
    pub readers: usize,
    /// Bytes of messages kept in memory; what is beyond waits on disk.
    pub queue_memory: usize,
    /// The largest database file, in bytes. Writes beyond it fail as on a full disk.
    pub max_database_bytes: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            readers: 2,
            queue_memory: 8 * 1024 * 1024,
            max_database_bytes: None,
        }
    }
}

/// What the handles on one open folder share.
pub(crate) struct Shared {
    pub(crate) submit: Submit,
    pub(crate) readers: Readers,
    pub(crate) queues: Arc<Queues>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Messages of the backlog up to this id may have been handed out before the last stop.
    pub(crate) before_start: i64,
}

/// Table and queue on one data folder, held by one process.
///
/// An `Ok` means synced to disk; callers that wait at the same time share one sync. Dropping it
/// finishes what was handed over, and gives the folder back.
pub struct Embedded {
    pub(crate) shared: Arc<Shared>,
    keys: Arc<FileKeys>,
    blobs: Arc<FileBlobs>,
    broom: Option<Broom>,
    writer: Option<JoinHandle<()>>,
    reader_threads: Vec<JoinHandle<()>>,
    keeper: Option<Keeper>,
    /// Held for life; the system lets go of it however the process ends.
    _lock: File,
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Embedded")
    }
}

/// What [`Embedded::rotate_key`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// Keys that the key file holds now.
    pub keys: usize,
    /// Objects whose keys are wrapped under the new one.
    pub objects: usize,
    /// Objects whose keys did not open: they were damaged before, and stay as they are.
    pub damaged: usize,
}

impl Embedded {
    /// Adds a key to the key file of `folder`, which no process may hold, and wraps the keys of all its
    /// objects under it; their files are not touched. From the next opening on everything is sealed under
    /// it. What was sealed elsewhere under an older one still opens by that, which stays in the file.
    ///
    /// If it breaks off the folder is sound: what was not wrapped anew is under the key of before.
    pub fn rotate_key(folder: &Path) -> Result<Rotated, OpenError> {
        let sqlite = |error: rusqlite::Error| OpenError::sqlite(folder, &error);
        let _lock = lock(folder)?;
        let key_file = folder.join(KEY);
        // What cannot be used is told before anything is changed.
        FileKeys::open(&key_file, WhenMissing::Refuse)?;
        let file = folder.join(DATABASE);
        open_private(&file).map_err(|error| OpenError::io(folder, error))?;
        let mut connection = connect(&file, &Options::default()).map_err(sqlite)?;
        migrate(&connection, folder)?;
        let keys = keys::add_key(&key_file)?;
        let (objects, damaged) = blobs::rows::rewrap(&mut connection, &keys).map_err(sqlite)?;
        Ok(Rotated {
            keys: keys.count(),
            objects,
            damaged,
        })
    }

    /// Opens `folder`, and makes it (mode 0700) if there is none. Recovers by itself from any crash.
    pub fn open(
        folder: &Path,
        options: &Options,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let io = |cause| OpenError::io(folder, cause);
        let sqlite = |error: rusqlite::Error| OpenError::sqlite(folder, &error);
        match std::fs::metadata(folder) {
            Ok(found) if !found.is_dir() => {
                return Err(OpenError::NotAFolder {
                    folder: folder.to_path_buf(),
                });
            }
            Ok(_) => {}
            Err(_) => DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(io)?,
        }
        let lock = lock(folder)?;
        let file = folder.join(DATABASE);
        let is_new = match std::fs::metadata(&file) {
            // An empty one is what a crash during the first start leaves.
            Ok(found) => found.len() == 0,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => true,
            Err(e) => return Err(io(e)),
        };
        let when_missing = if is_new {
            WhenMissing::Create
        } else {
            WhenMissing::Refuse
        };
        let keys = Arc::new(FileKeys::open(&folder.join(KEY), when_missing)?);

        // Made here for its mode; the log files take it over.
        open_private(&file).map_err(io)?;
        let mut connection = connect(&file, options).map_err(sqlite)?;
        migrate(&connection, folder)?;
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(io)?;

        let mut memory = Memory::new(options.queue_memory);
        let last_id = load(&connection, &mut memory).map_err(sqlite)?;
        let queues = Arc::new(Queues::new(memory));
        let (jobs, work) = channel();
        let files = Arc::new(Files::new(blobs::folder(folder).map_err(io)?));
        let (readers, reader_threads) = Readers::start(&file, options.readers).map_err(sqlite)?;
        let broom = Broom::start(Arc::clone(&files), readers.clone()).map_err(io)?;
        let submit = Submit::new(jobs, broom.orders());
        let keeper = Keeper::start(&file, &mut connection, submit.clone()).map_err(sqlite)?;
        let writer = Writer::new(
            connection,
            Arc::clone(&clock),
            Arc::clone(&queues),
            &submit,
            last_id + 1,
        );
        let writer = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || writer.serve(&work))
            .map_err(io)?;
        let shared = Arc::new(Shared {
            submit,
            readers,
            queues,
            clock,
            before_start: last_id,
        });
        let blobs = FileBlobs::new(Arc::clone(&shared), files, Arc::clone(&keys));
        Ok(Self {
            shared,
            keys,
            blobs: Arc::new(blobs),
            broom: Some(broom),
            writer: Some(writer),
            reader_threads,
            keeper: Some(keeper),
            _lock: lock,
        })
    }

    /// The keys of this folder.
    pub fn keys(&self) -> Arc<FileKeys> {
        Arc::clone(&self.keys)
    }

    /// The objects of this folder. They answer as unavailable once the store is closed.
    pub fn blobs(&self) -> Arc<FileBlobs> {
        Arc::clone(&self.blobs)
    }

    /// Waits until everything handed over so far is durable, finished messages included.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.shared.submit.ask(Job::Flush).await
    }

    /// Deletes expired rows now, which otherwise happens by the way. Answers how many.
    pub async fn purge(&self) -> Result<usize, StoreError> {
        let mut total = 0;
        loop {
            match self.shared.submit.ask(Job::Purge).await? {
                0 => return Ok(total),
                n => total += n,
            }
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            keeper.stop();
        }
        self.shared.readers.close();
        for thread in self.reader_threads.drain(..) {
            let _ = thread.join();
        }
        // Last, because the last connection that may write empties the log and takes it away.
        self.shared.submit.send(Job::Stop);
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
        if let Some(broom) = self.broom.take() {
            broom.stop();
        }
    }
}

fn lock(folder: &Path) -> Result<File, OpenError> {
    let file = open_private(&folder.join(LOCK)).map_err(|e| OpenError::io(folder, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Held {
            folder: folder.to_path_buf(),
        }),
        Err(TryLockError::Error(e)) => Err(OpenError::io(folder, e)),
    }
}

fn open_private(file: &PathBuf) -> std::io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(file)
}

/// The writer's connection.
fn connect(file: &Path, options: &Options) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch(
        "PRAGMA page_size = 4096;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = OFF;
         PRAGMA cache_size = -8192;
         PRAGMA temp_store = MEMORY;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 67108864;",
    )?;
    if let Some(bytes) = options.max_database_bytes {
        let pages = i64::try_from(bytes / 4096).unwrap_or(i64::MAX);
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    Ok(connection)
}

fn migrate(connection: &Connection, folder: &Path) -> Result<(), OpenError> {
    let sqlite = |error: rusqlite::Error| OpenError::sqlite(folder, &error);
    let found: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(sqlite)?;
    let newer = || OpenError::Newer {
        found,
        known: SCHEMA.len().try_into().unwrap_or(i64::MAX),
    };
    let taken = usize::try_from(found).map_err(|_| newer())?;
    let steps = SCHEMA.get(taken..).ok_or_else(newer)?;
    for (step, version) in steps.iter().zip(taken + 1..) {
        connection
            .execute_batch(&format!(
                "BEGIN IMMEDIATE; {step} PRAGMA user_version = {version}; COMMIT;"
            ))
            .map_err(sqlite)?;
    }
    Ok(())
}

/// Takes up the queues where the last process left them; answers the last message id in use.
///
/// Who was handed out is not on disk, so every message that was in memory may have been: it counts
/// one receive more, durably, and a message that kills the process ends among the dead letters.
fn load(connection: &Connection, memory: &mut Memory) -> rusqlite::Result<i64> {
    connection.execute("UPDATE queue_ready SET receives = receives + 1", [])?;
    let mut ready =
        connection.prepare("SELECT id, queue, grp, receives, body FROM queue_ready ORDER BY id")?;
    let mut found = ready.query([])?;
    while let Some(row) = found.next()? {
        let (queue, group, body): (String, String, String) =
            (row.get(1)?, row.get(2)?, row.get(4)?);
        memory.restore(
            &queue,
            &group,
            Held {
                id: row.get(0)?,
                place: Place::Ready,
                receives: row.get(3)?,
                body,
            },
        );
    }
    // Group by group, each by one look into the index, whatever waits there.
    let mut next = connection.prepare(
        "SELECT queue, grp FROM queue_backlog WHERE (queue, grp) > (?1, ?2) ORDER BY queue, grp LIMIT 1",
    )?;
    let mut range = connection
        .prepare("SELECT min(id), max(id) FROM queue_backlog WHERE queue = ?1 AND grp = ?2")?;
    let mut at = (String::new(), String::new());
    loop {
        let mut rows = next.query([&at.0, &at.1])?;
        let Some(row) = rows.next()? else { break };
        at = (row.get(0)?, row.get(1)?);
        drop(rows);
        let (first, last) =
            range.query_row([&at.0, &at.1], |row| Ok((row.get(0)?, row.get(1)?)))?;
        memory.extend_backlog(&at.0, &at.1, first, last);
    }
    memory.next_due = next_due(connection)?;
    connection.query_row(
        "SELECT max((SELECT ifnull(max(id), 0) FROM queue_ready), \
                    (SELECT ifnull(max(id), 0) FROM queue_backlog), \
                    (SELECT ifnull(max(id), 0) FROM queue_delayed), \
                    (SELECT ifnull(max(id), 0) FROM dead_letters))",
        [],
        |row| row.get(0),
    )
}

/// How many rows are looked up at most without handing over to a reader's thread.
const A_FEW: usize = 4;

#[async_trait]
impl Table for Embedded {
    /// They are one commit.
    fn sends_with_rows(&self) -> bool {
        true
    }

    async fn get(&self, key: &Key) -> Result<Option<Row>, StoreError> {
        key.validate()?;
        let key = key.clone();
        let now = self.shared.clock.now().as_millisecond();
        self.shared
            .readers
            .look(move |connection| rows::get(connection, &key, now))
            .await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        if keys.len() > MAX_GETS {
            return Err(StoreError::Invalid("at most 100 keys are read at once"));
        }
        keys.iter().try_for_each(Key::validate)?;
        let is_few = keys.len() <= A_FEW;
        let keys = keys.to_vec();
        let now = self.shared.clock.now().as_millisecond();
        let readers = &self.shared.readers;
        let work = move |connection: &Connection| rows::get_many(connection, &keys, now);
        if is_few {
            readers.look(work).await
        } else {
            readers.run(work).await
        }
    }

    async fn query(&self, query: Query) -> Result<Page, StoreError> {
        query.validate()?;
        let now = self.shared.clock.now().as_millisecond();
        self.shared
            .readers
            .run(move |connection| rows::query(connection, &query, now))
            .await
    }

    async fn write(&self, units: Vec<Unit>) -> Vec<Result<(), StoreError>> {
        if units.len() > MAX_UNITS {
            let error = StoreError::Invalid("at most 1,000 units are written at once");
            return units.iter().map(|_| Err(error.clone())).collect();
        }
        let checks: Vec<_> = units.iter().map(Unit::validate).collect();
        if checks.iter().all(Result::is_ok) {
            return if units.is_empty() {
                Vec::new()
            } else {
                self.shared.submit.write(units).await
            };
        }
        let sound = units
            .into_iter()
            .zip(&checks)
            .filter(|(_, check)| check.is_ok())
            .map(|(unit, _)| unit);
        let mut written = self.shared.submit.write(sound.collect()).await.into_iter();
        checks
            .into_iter()
            .map(|check| check.and_then(|()| written.next().unwrap_or(Err(StoreError::Busy))))
            .collect()
    }

    async fn count(
        &self,
        key: &Key,
        delta: i64,
        max: Option<i64>,
        expires_at: Option<Timestamp>,
    ) -> Result<i64, StoreError> {
        key.validate()?;
        let key = key.clone();
        let expires = expires_at.map(Timestamp::as_millisecond);
        self.shared
            .submit
            .ask(|reply| Job::Count {
                key,
                delta,
                max,
                expires,
                reply,
            })
            .await
    }
}

#[async_trait]
impl Queue for Embedded {
    async fn send(&self, messages: Vec<Message>) -> Result<(), StoreError> {
        messages.iter().try_for_each(Message::validate)?;
        self.shared
            .submit
            .write(vec![Unit {
                ops: Vec::new(),
                sends: messages,
            }])
            .await
            .pop()
            .unwrap_or(Ok(()))
    }
}
