//! The sender against real servers on loopback, well-behaved and hostile.

mod common;
mod deliver;
mod hostile;
mod tls;
