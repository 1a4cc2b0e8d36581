//! The whole set on one data folder: as a process at a terminal, and over HTTP.

mod blobs;
mod bodies;
mod history;
mod http;
mod process;
mod rotation;
mod terminal;
