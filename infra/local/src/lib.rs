//! Ringfence as one process on one data folder: every function behind one port, its consumers driven
//! by the embedded queue.
//!
//! [`start`] gives the whole set in process, for the `ringfence` binary, its demo, tests and load:
//!
//! ```no_run
//! # async fn example() -> Result<(), ringfence_local::StartError> {
//! let config = ringfence_local::Config {
//!     listen: ([127, 0, 0, 1], 0).into(),
//!     ..ringfence_local::Config::new("./data")
//! };
//! let running = ringfence_local::start(config).await?;
//! println!("http://{}", running.address);
//! running.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! Architecture invariant: nothing here decides anything about events, settings or deliveries. It
//! puts ports together, mounts routers, drives consumers, and stops in the right order.

pub mod api;
pub mod blobs;
pub mod mail;
mod pages;
mod running;
pub mod server;
mod setup;

pub use mail::{MailConfig, Post};
pub use running::{Config, Drained, Running, StartError, origin_of, start};
pub use setup::{Sample, new_key, open};
