//! The thread that unlinks the files of objects that are no more.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

use ringfence_ports::StoreError;
use tokio::sync::oneshot;

use super::{Files, rows};
use crate::reader::Readers;

/// Threads that unlink side by side, and the fewest files worth one.
const TOGETHER: usize = 16;
const SHARE: usize = 32;

/// What the broom is told.
pub(crate) enum Order {
    /// An overwrite's commit is durable: this file is nobody's.
    Replaced(String),
    /// A deletion's commit is durable: these files are nobody's, by the key that was deleted.
    Deleted {
        files: Vec<Option<String>>,
        reply: oneshot::Sender<Result<Vec<Result<(), StoreError>>, StoreError>>,
    },
    /// Look through the whole folder.
    Sweep(oneshot::Sender<Result<usize, StoreError>>),
    Stop,
}

/// A look through the folder that is under way, one of its 256 parts at a time.
struct Sweep {
    next: u16,
    removed: usize,
    reply: Option<oneshot::Sender<Result<usize, StoreError>>>,
}

pub(crate) struct Broom {
    orders: Sender<Order>,
    thread: JoinHandle<()>,
}

impl Broom {
    /// Starts, and begins with what the last process left behind.
    pub(crate) fn start(files: Arc<Files>, readers: Readers) -> std::io::Result<Self> {
        let (orders, told) = channel();
        let thread = std::thread::Builder::new()
            .name("broom".to_owned())
            .spawn(move || serve(&files, &readers, &told))?;
        Ok(Self { orders, thread })
    }

    pub(crate) fn orders(&self) -> Sender<Order> {
        self.orders.clone()
    }

    /// After the writer, whose orders it carries out first.
    pub(crate) fn stop(self) {
        let _ = self.orders.send(Order::Stop);
        let _ = self.thread.join();
    }
}

fn serve(files: &Files, readers: &Readers, told: &Receiver<Order>) {
    let mut sweeps = vec![Sweep {
        next: 0,
        removed: 0,
        reply: None,
    }];
    loop {
        let order = if sweeps.is_empty() {
            told.recv().ok()
        } else {
            match told.try_recv() {
                Ok(order) => Some(order),
                Err(TryRecvError::Disconnected) => None,
                Err(TryRecvError::Empty) => {
                    advance(files, readers, &mut sweeps);
                    continue;
                }
            }
        };
        match order {
            None | Some(Order::Stop) => return,
            Some(Order::Replaced(file)) => {
                if let Err(error) = unlink(files, &file) {
                    tracing::warn!(%error, "a replaced file stays until the next start");
                }
            }
            Some(Order::Deleted { files: gone, reply }) => {
                let results = unlink_all(files, &gone);
                // A caller that has gone needs no answer.
                let _ = reply.send(Ok(results));
            }
            Some(Order::Sweep(reply)) => sweeps.push(Sweep {
                next: 0,
                removed: 0,
                reply: Some(reply),
            }),
        }
    }
}

fn unlink(files: &Files, name: &str) -> std::io::Result<()> {
    match std::fs::remove_file(files.path(name)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Side by side: some file systems take milliseconds for each, waiting for the disk.
fn unlink_all(files: &Files, gone: &[Option<String>]) -> Vec<Result<(), StoreError>> {
    let one = |file: &Option<String>| {
        let unlinked = file.as_deref().map_or(Ok(()), |file| unlink(files, file));
        unlinked.map_err(|error| StoreError::Unavailable(error.to_string()))
    };
    let share = gone.len().div_ceil(TOGETHER).max(SHARE);
    // What stays if a thread cannot be had.
    let left = StoreError::Unavailable("the file stays until the next start".to_owned());
    let mut results = vec![Err(left); gone.len()];
    std::thread::scope(|scope| {
        for (gone, results) in gone.chunks(share).zip(results.chunks_mut(share)) {
            let work = move || {
                for (file, result) in gone.iter().zip(results) {
                    *result = one(file);
                }
            };
            if gone.len() < SHARE {
                work();
            } else {
                let _ = std::thread::Builder::new().spawn_scoped(scope, work);
            }
        }
    });
    results
}

/// One step of the sweep that began first.
fn advance(files: &Files, readers: &Readers, sweeps: &mut Vec<Sweep>) {
    let Some(sweep) = sweeps.first_mut() else {
        return;
    };
    let step = orphans(files, readers, sweep.next);
    sweep.next += 1;
    let failed = match step {
        Ok(removed) => {
            sweep.removed += removed;
            None
        }
        Err(error) => {
            tracing::warn!(error, "files without objects stay until the next start");
            Some(StoreError::Unavailable(error))
        }
    };
    if failed.is_some() || sweep.next > 255 {
        let sweep = sweeps.remove(0);
        if sweep.removed > 0 {
            tracing::info!(count = sweep.removed, "files without objects were removed");
        }
        if let Some(reply) = sweep.reply {
            let _ = reply.send(failed.map_or(Ok(sweep.removed), Err));
        }
    }
}

/// Removes the orphans of one part of the folder.
fn orphans(files: &Files, readers: &Readers, fan: u16) -> Result<usize, String> {
    let fan = format!("{fan:02x}");
    let found = match std::fs::read_dir(files.root().join(&fan)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        other => other.map_err(|error| error.to_string())?,
    };
    let mut candidates = Vec::new();
    for entry in found {
        let name = entry.map_err(|error| error.to_string())?.file_name();
        // A draft first, then the rows: one that is no draft any more has its row by now, or never will.
        if let Some(name) = name.to_str().filter(|name| is_ours(name))
            && !files.is_draft(name)
        {
            candidates.push(name.to_owned());
        }
    }
    if candidates.is_empty() {
        return Ok(0);
    }
    let objects = readers
        .run_here(move |connection| rows::files(connection, &fan))
        .map_err(|error| error.to_string())?;
    let mut removed = 0;
    for name in candidates.iter().filter(|name| !objects.contains(*name)) {
        unlink(files, name).map_err(|error| error.to_string())?;
        removed += 1;
    }
    Ok(removed)
}

/// What somebody else put there is left alone.
fn is_ours(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}
