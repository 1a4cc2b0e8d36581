//! Deletions from the request to the receipt, legal holds, and retention.

mod batch;
mod faults;
mod holds;
mod many;
mod one;
mod retention;
mod world;
