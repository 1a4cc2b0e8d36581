//! Ringfence's rules and use cases, one module a business area, over the ports of
//! [`ringfence_ports`]. No HTTP and no AWS here: a function's handler turns what comes in into one
//! call of this crate, and its answer into what goes out.

pub mod access;
pub mod app;
mod cache;
pub mod callback;
pub mod calls;
pub mod deletion;
mod derived;
pub mod event;
pub mod export;
pub mod history;
pub mod id;
pub mod ingest;
pub mod keyspace;
pub mod link;
mod merge;
pub mod notification;
pub mod people;
pub mod pin;
pub mod recording;
pub mod redaction;
pub mod session;
pub mod settings;

pub use app::App;
