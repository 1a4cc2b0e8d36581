//! The ports of Ringfence: narrow traits, shaped so that the AWS services and the embedded store
//! implement them without leaks.
//!
//! | port | on AWS | embedded |
//! | --- | --- | --- |
//! | [`Table`] | `DynamoDB` | `SQLite` |
//! | [`Queue`], [`Consumer`] | SQS, a Lambda's batch | `SQLite`, a pump in the process |
//! | [`Blobs`] | S3 | files |
//! | [`Keys`] | KMS | a key file |
//! | [`Mail`] | SES | SMTP, a folder |
//! | [`Sms`] | SNS | a folder |
//! | [`Clock`], [`Random`] | the system | the system |
//!
//! A behaviour that only one side has is a bug: the suites in `contract` (feature `contract`) run
//! against every adapter.

mod blobs;
mod clock;
#[cfg(feature = "contract")]
pub mod contract;
mod keys;
mod limits;
mod mail;
mod queue;
mod sms;
#[cfg(feature = "system")]
mod system;
mod table;

pub use blobs::{
    BlobError, BlobHead, BlobId, BlobMeta, Blobs, ByteStream, ListPage, Listed, MAX_BLOB_BYTES,
    MAX_BLOB_KEY_BYTES, MAX_DELETES, MAX_KMS_KEY_BYTES, MAX_LINK_TTL, MAX_UPLOAD_BYTES, OBJECTS,
    ObjectCreated, OpenUpload, Served, UploadLink, attachment,
};
pub use clock::{Clock, Random};
pub use keys::{Keys, KeysError};
pub use limits::{
    MAX_GETS, MAX_KEY_BYTES, MAX_PAGE, MAX_UNITS, validate_blob_key, validate_link_ttl,
};
pub use mail::{
    Email, MAX_ADDRESS_BYTES, MAX_MAIL_BYTES, MAX_SUBJECT_CHARS, Mail, Mailbox, SendError,
    is_mail_address,
};
pub use queue::{Consumer, MAX_DELAY, MAX_MESSAGE_BYTES, Message, Queue, QueueName, Received};
pub use sms::{MAX_SMS_CHARS, Sms, TextMessage};
#[cfg(feature = "system")]
pub use system::{SystemClock, SystemRandom};
pub use table::{
    Key, MAX_DOC_BYTES, MAX_OPS, Op, Page, Position, Put, Query, Row, Source, StoreError, Table,
    Unit, When,
};
