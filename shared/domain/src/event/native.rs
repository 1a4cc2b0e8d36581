//! Events in Ringfence's own form: one JSON object, an array of them, or NDJSON.
//!
//! ```json
//! {"type":"call.answered","timestamp":"2026-01-31T08:15:04Z","id":"evt-1042-a",
//!  "data":{"call_id":"1042","direction":"inbound","from":"+14155550123","to":"+14155550199",
//!          "answered_at":"2026-01-31T08:15:04Z"}}
//! ```
//!
//! - `type`, `id` and `data` are always needed. `id` is the idempotency key.
//! - `timestamp` is needed for `call.*`. Elsewhere it defaults to `data.ended_at` for a
//!   `cdr.created`, and to the time of receipt.
//! - `account_id` may be left out; if it is there it must be the account that the event is sent to.
//! - `data.call_id` is needed for every type but `predictive_task.completed`, which needs
//!   `data.task_id` and `data.end_reason`; `predictive_task.call_*` need both ids;
//!   `recording.available` needs `data.recording.id`.
//! - Null is the same as absent. Unknown fields, duplicate keys and lone surrogates are refused;
//!   whatever else a platform wants to pass on goes under `data.source`.
//! - A time lies between 1970 and 2199, and `timestamp` at most a day ahead of the time of receipt.

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::data::EventData;
use super::error::{Batch, BatchError, ErrorCode, EventError};
use super::{Event, EventType, MAX_EVENT_BYTES, MAX_EVENTS, check, fields, json, rfc3339};

/// How the events of a body stand beside each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentKind {
    /// `application/json`: one object, or an array of objects.
    Json,
    /// `application/x-ndjson`: one object a line; empty lines count for nothing.
    Ndjson,
}

impl ContentKind {
    /// The kind that a `Content-Type` header names; `None` for any other, which is a 415.
    pub fn of(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/json") {
            Some(Self::Json)
        } else if [
            "application/x-ndjson",
            "application/ndjson",
            "application/jsonl",
        ]
        .iter()
        .any(|known| essence.eq_ignore_ascii_case(known))
        {
            Some(Self::Ndjson)
        } else {
            None
        }
    }
}

/// Reads 1 to [`MAX_EVENTS`] events. The caller has bounded the size of the body.
///
/// A fault inside one event, or one line of NDJSON, refuses that one alone.
///
/// # Errors
/// [`BatchError`]: no event, too many, or JSON that cannot be taken apart.
pub fn parse(kind: ContentKind, body: &[u8], account_id: &str, received_at: Timestamp) -> Batch {
    let read = |text: &str| one(text, account_id, received_at);
    match kind {
        ContentKind::Json => {
            let text = std::str::from_utf8(body)
                .map_err(|_| BatchError::malformed("is not valid UTF-8"))?;
            match text.trim_ascii_start().as_bytes().first() {
                None => Err(BatchError::Empty),
                Some(b'[') => split_array(text)?.into_iter().map(read).map(Ok).collect(),
                Some(_) => match read(text) {
                    // Nothing to keep apart: the one document of the request is broken.
                    Err(error) if error.code == ErrorCode::Malformed => {
                        Err(BatchError::Malformed {
                            reason: error.reason,
                        })
                    }
                    result => Ok(vec![result]),
                },
            }
        }
        ContentKind::Ndjson => split_lines(body)?
            .into_iter()
            .map(|line| match std::str::from_utf8(line) {
                Ok(text) => Ok(read(text)),
                Err(_) => Ok(Err(EventError::new(
                    ErrorCode::Malformed,
                    "is not valid UTF-8",
                ))),
            })
            .collect(),
    }
}

/// The non-empty lines of an NDJSON body, at most [`MAX_EVENTS`].
pub(crate) fn split_lines(body: &[u8]) -> Result<Vec<&[u8]>, BatchError> {
    let mut lines = Vec::new();
    for line in body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
        if line.is_empty() {
            continue;
        }
        if lines.len() == MAX_EVENTS {
            return Err(BatchError::TooMany { limit: MAX_EVENTS });
        }
        lines.push(line);
    }
    if lines.is_empty() {
        Err(BatchError::Empty)
    } else {
        Ok(lines)
    }
}

/// The elements of a JSON array as they are written, at most [`MAX_EVENTS`].
pub(crate) fn split_array(text: &str) -> Result<Vec<&str>, BatchError> {
    struct Elements<'o> {
        over: &'o mut bool,
    }

    impl<'de> Visitor<'de> for Elements<'_> {
        type Value = Vec<&'de str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut elements = Vec::new();
            while let Some(element) = seq.next_element::<&'de RawValue>()? {
                if elements.len() == MAX_EVENTS {
                    // The rest is not even looked at.
                    *self.over = true;
                    return Err(de::Error::custom("over the limit"));
                }
                elements.push(element.get());
            }
            Ok(elements)
        }
    }

    let mut over = false;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let split = deserializer
        .deserialize_seq(Elements { over: &mut over })
        .and_then(|elements| deserializer.end().map(|()| elements));
    match split {
        Ok(elements) if elements.is_empty() => Err(BatchError::Empty),
        Ok(elements) => Ok(elements),
        Err(_) if over => Err(BatchError::TooMany { limit: MAX_EVENTS }),
        Err(error) => Err(BatchError::malformed(format!(
            "is not well-formed JSON (line {}, column {})",
            error.line(),
            error.column()
        ))),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    #[serde(rename = "type")]
    event_type: EventType,
    #[serde(default, deserialize_with = "rfc3339::option")]
    timestamp: Option<Timestamp>,
    id: String,
    #[serde(default)]
    account_id: Option<String>,
    data: EventData,
}

/// Reads one event from its own document.
fn one(text: &str, account_id: &str, received_at: Timestamp) -> Result<Event, EventError> {
    if text.len() > MAX_EVENT_BYTES {
        return Err(EventError::new(
            ErrorCode::TooLarge,
            format!("is larger than {MAX_EVENT_BYTES} bytes"),
        ));
    }
    let Ok(input) = serde_json::from_str::<Input>(text) else {
        return Err(explain(text));
    };
    if input.account_id.is_some_and(|named| named != account_id) {
        return Err(EventError::at(
            "account_id",
            ErrorCode::WrongAccount,
            "is not the account that the event is sent to",
        ));
    }
    let timestamp = match input.timestamp {
        Some(timestamp) => timestamp,
        None if fields::needs_timestamp(input.event_type) => {
            return Err(EventError::missing("timestamp"));
        }
        None => match input.event_type {
            EventType::CdrCreated => input.data.ended_at.unwrap_or(received_at),
            _ => received_at,
        },
    };
    let event = Event {
        event_type: input.event_type,
        timestamp,
        id: input.id,
        account_id: account_id.to_owned(),
        data: input.data,
    };
    check::event(&event, received_at)?;
    Ok(event)
}

/// Why a document that the typed reader refused is wrong. Only here is it read a second time, into
/// a tree that knows where it is; a good event never comes here.
fn explain(text: &str) -> EventError {
    match json::parse(text) {
        Err(error) => error,
        Ok(document) => fields::first_fault(&document)
            .unwrap_or_else(|| EventError::new(ErrorCode::InvalidValue, "is not a valid event")),
    }
}
