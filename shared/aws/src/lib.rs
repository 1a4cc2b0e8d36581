//! The ports of Ringfence on AWS: `DynamoDB` for the table, SQS for the queues, S3 for objects, KMS for
//! the keys; SES and SNS (feature `notify`) for mail and texts.
//!
//! [`Aws`] holds the one client configuration that [`Store`], [`S3Blobs`] and
//! [`KmsKeys`] share. Making them
//! sends nothing: the first request goes out with the first event. A Lambda's batch goes through
//! [`consume`].
//!
//! Architecture invariants: this is the only crate that names the SDK, and no type of the SDK is in
//! its interface; a lone operation is never a transaction; nothing scans; what an operation may say
//! in a log or an error are AWS's error codes, never a key, a document or a message.
//!
//! README.md beside this crate lists what the emulator that the tests use does not enforce, and how
//! each of these is covered.

mod blobs;
mod client;
mod consumer;
#[cfg(feature = "counting")]
mod counting;
mod document;
mod envelope;
mod item;
mod keys;
#[cfg(feature = "notify")]
mod mail;
mod notification;
mod queue;
mod retry;
#[cfg(feature = "notify")]
mod sms;
mod store;
mod table;

pub use blobs::S3Blobs;
pub use client::{Aws, ConfigError, Connection, Credentials};
pub use consumer::{Record, consume};
#[cfg(feature = "counting")]
pub use counting::{Counter, Tally};
pub use item::TTL_ATTRIBUTE;
pub use keys::KmsKeys;
#[cfg(feature = "notify")]
pub use mail::SesMail;
pub use notification::{NoNotification, objects_created};
#[cfg(feature = "notify")]
pub use sms::SnsSms;
pub use store::{Store, StoreOptions};
