//! The ports of Ringfence on one data folder: `SQLite` for table and queue, files for objects, a file
//! for the keys.
//!
//! One process holds the folder ([`OpenError::Held`] tells a second one). One thread writes: it takes
//! all callers that wait, commits them together with one sync, and then answers ([`Embedded`]).
//! Readers have connections of their own and never wait for it. Messages go from the commit straight
//! to the [`Pump`], which hands them to consumers; claims are in memory only, so after a crash
//! everything unfinished is handed out again.
//!
//! Architecture invariants: nobody but the writer thread changes the database; nothing is answered
//! before its commit is synced; waiting uses the runtime's time, deciding only the [`Clock`].
//!
//! [`Clock`]: ringfence_ports::Clock

mod blobs;
mod checkpoint;
mod dead_letters;
mod error;
mod keys;
mod mail;
mod memory;
mod outbox;
mod pump;
mod reader;
mod rows;
mod store;
mod writer;

pub use blobs::{FileBlobs, LinkError, LinkGrant};
pub use dead_letters::DeadLetter;
pub use error::{KeyFileError, OpenError};
pub use keys::{FileKeys, WhenMissing};
pub use mail::{SmtpMail, SmtpServer, SmtpServerError};
pub use outbox::{Outbox, OutboxEntry};
pub use pump::{Pump, PumpOptions};
pub use store::{Embedded, Options, Rotated};
