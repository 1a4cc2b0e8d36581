//! The sample inputs of `events/ingest`, for tests.

use std::path::PathBuf;

use jiff::Timestamp;

use super::source::{Platform, Post};
use super::{Batch, ContentKind, Event, native};

pub const ACCOUNT: &str = "acc_0198c0de";

/// After everything that the samples tell.
pub fn received_at() -> Timestamp {
    "2026-01-31T10:00:00Z".parse().expect("a time")
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../events/ingest")
}

pub fn read(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub fn text(name: &str) -> String {
    String::from_utf8(read(name)).expect("UTF-8")
}

pub fn names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .expect("events/ingest")
        .map(|entry| {
            entry
                .expect("entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    names.sort();
    names
}

pub fn platform(name: &str) -> Option<Platform> {
    Platform::ALL
        .into_iter()
        .find(|platform| name.starts_with(platform.as_str()))
}

fn content_type(name: &str) -> &'static str {
    let ends = |end: &str| name.ends_with(end);
    match name {
        "freeswitch-base64.txt" => "application/x-www-form-base64-encoded",
        _ if ends(".txt") => "application/x-www-form-urlencoded; charset=UTF-8",
        _ if ends(".csv") => "text/csv",
        _ if ends(".ndjson") => "application/x-ndjson",
        _ => "application/json",
    }
}

/// Reads a sample as its endpoint would.
pub fn parse(name: &str) -> Batch {
    parse_with(name, None)
}

pub fn parse_with(name: &str, query: Option<&str>) -> Batch {
    let body = read(name);
    if let Some(platform) = platform(name) {
        platform.parse(&Post {
            content_type: Some(content_type(name)),
            query,
            body: &body,
            account_id: ACCOUNT,
            received_at: received_at(),
        })
    } else {
        let kind = ContentKind::of(content_type(name)).expect("JSON or NDJSON");
        native::parse(kind, &body, ACCOUNT, received_at())
    }
}

/// The events of a sample that has no bad one.
pub fn events(name: &str) -> Vec<Event> {
    parse(name)
        .unwrap_or_else(|error| panic!("{name}: {error}"))
        .into_iter()
        .map(|result| result.unwrap_or_else(|error| panic!("{name}: {error}")))
        .collect()
}

/// The one event of a sample.
pub fn event(name: &str) -> Event {
    let mut events = events(name);
    assert_eq!(events.len(), 1, "{name}");
    events.remove(0)
}

/// Every good event of every sample, with the name of its file.
pub fn all() -> Vec<(String, Event)> {
    names()
        .into_iter()
        .filter_map(|name| parse(&name).ok().map(|results| (name, results)))
        .flat_map(|(name, results)| {
            results
                .into_iter()
                .flatten()
                .map(move |event| (name.clone(), event))
        })
        .collect()
}
