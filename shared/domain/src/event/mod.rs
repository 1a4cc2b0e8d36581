//! Call events: what a voice platform tells, in the field's standard terms.
//!
//! An event comes in through [`native`] or, in a platform's own format, through [`source`]. It is
//! kept as one JSON document ([`Event`] is that document), told on in one of four [`body`] formats,
//! masked at that moment or not, and all events of a call together give its record ([`call`]).
//! [`schema`] describes each type.
//!
//! Everything here is pure: no clock, no input or output. Nothing prints what an event holds.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub mod body;
pub mod call;
mod check;
mod data;
mod error;
mod fields;
mod json;
mod mask;
pub mod native;
mod rfc3339;
#[cfg(test)]
pub(crate) mod samples;
pub mod schema;
pub mod source;
mod terms;

pub use body::{Body, BodyFormat, RenderError, render, render_stored};
pub use call::{Call, CallState};
pub(crate) use check::event as check_event;
pub use data::{EventData, PhoneNumber, Progress, Recording};
pub use error::{Batch, BatchError, ErrorCode, EventError};
pub use json::{MAX_DEPTH, Source};
pub use mask::without_numbers;
pub use native::ContentKind;
pub use terms::{
    AnsweredBy, CallMethod, CallbackKind, Direction, Disposition, EndReason, EventType,
    HangupParty, Leg, UnknownTerm,
};

/// Most events in one request.
pub const MAX_EVENTS: usize = 1_000;
/// Largest event as sent, bytes. It and what is derived of it fit one row of any store.
pub const MAX_EVENT_BYTES: usize = 256 * 1024;

/// One thing that happened, as it is stored and as an unmasked callback tells it: its JSON form is
/// `{"type","timestamp","id","account_id","data"}` in this order, absent fields left out.
///
/// `Debug` shows what kind of event it is, and when: nothing that came from outside.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// What happened.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// When it happened (not when it was received).
    #[serde(deserialize_with = "rfc3339::required")]
    pub timestamp: Timestamp,
    /// The platform's id of the event: the idempotency key within the account.
    pub id: String,
    /// The account it belongs to.
    pub account_id: String,
    /// What it tells.
    #[serde(deserialize_with = "json::fields")]
    pub data: EventData,
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("event_type", &self.event_type)
            .field("timestamp", &self.timestamp)
            .field("account_id", &self.account_id)
            .finish_non_exhaustive()
    }
}

/// What an event is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A call, by its id.
    Call(&'a str),
    /// A predictive outbound task, by its id.
    Task(&'a str),
}

impl<'a> Subject<'a> {
    /// The id alone.
    pub const fn id(self) -> &'a str {
        match self {
            Self::Call(id) | Self::Task(id) => id,
        }
    }
}

impl Event {
    /// The call that the event is about; the task for `predictive_task.completed`.
    ///
    /// A checked event always has that id; for one that was put together by hand without it, the
    /// event's own id stands in.
    pub fn subject(&self) -> Subject<'_> {
        match self.event_type {
            EventType::PredictiveTaskCompleted => {
                Subject::Task(self.data.task_id.as_deref().unwrap_or(&self.id))
            }
            _ => Subject::Call(self.data.call_id.as_deref().unwrap_or(&self.id)),
        }
    }

    /// The stored document, and byte for byte the unmasked Ringfence body.
    ///
    /// # Errors
    /// None in practice: every key is a string.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Reads a stored document back.
    ///
    /// # Errors
    /// When it is not one that [`Event::to_json`] wrote. The text of the error may hold a piece of
    /// the document: do not log it.
    pub fn from_json(document: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(document)
    }
}
