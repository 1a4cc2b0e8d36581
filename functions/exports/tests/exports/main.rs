//! Exports from the request to the file and its end, and the links in them.

mod faults;
mod file;
mod links;
mod many;
mod reach;
mod ways;
mod world;
