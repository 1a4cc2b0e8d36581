//! What travels through the dispatch queue.

use std::{borrow::Cow, time::Duration};

use ringfence_ports::{Key, Message, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{access::to_doc, event::Subject, keyspace, settings::EndpointKind};

/// What an event is about: where its row stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// A call.
    Call(String),
    /// A predictive task.
    Task(String),
    /// Ringfence itself (operational events).
    Ringfence,
}

impl About {
    /// Where the event `event_id` about this is stored.
    pub fn event_key(&self, account: &str, event_id: &str) -> Key {
        match self {
            Self::Call(call) => keyspace::event(account, Subject::Call(call), event_id),
            Self::Task(task) => keyspace::event(account, Subject::Task(task), event_id),
            Self::Ringfence => keyspace::operational_event(account, event_id),
        }
    }

    /// The call, if it is about one.
    pub fn call(&self) -> Option<&str> {
        match self {
            Self::Call(call) => Some(call),
            _ => None,
        }
    }
}

impl From<Subject<'_>> for About {
    fn from(subject: Subject<'_>) -> Self {
        match subject {
            Subject::Call(call) => Self::Call(call.to_owned()),
            Subject::Task(task) => Self::Task(task.to_owned()),
        }
    }
}

/// An order to try one delivery.
#[derive(Debug, Serialize, Deserialize)]
pub struct DispatchMessage<'a> {
    /// The delivery, `dlv_…`.
    pub delivery: Cow<'a, str>,
    /// Whose.
    pub account: Cow<'a, str>,
    /// Which endpoint.
    pub kind: EndpointKind,
    /// The event's type.
    #[serde(rename = "type")]
    pub event_type: Cow<'a, str>,
    /// What the event is about.
    pub about: About,
    /// The event's id.
    pub event_id: Cow<'a, str>,
    /// The delivery's turn (`Delivery::turn`) that this order belongs to. An order of an earlier turn is stale and
    /// does nothing.
    #[serde(default)]
    pub turn: u32,
    /// Whether it may be a copy of an order that was worked on before: dispatch looks first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeat: bool,
    /// The stored event, where it came along; else dispatch reads it.
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    pub event: Option<&'a RawValue>,
}

impl<'a> DispatchMessage<'a> {
    /// The order that an accepted event starts with.
    pub fn first(
        delivery: &'a str,
        account: &'a str,
        kind: EndpointKind,
        event_type: &'a str,
        subject: Subject<'_>,
        event_id: &'a str,
        event: &'a RawValue,
    ) -> Self {
        Self {
            delivery: Cow::Borrowed(delivery),
            account: Cow::Borrowed(account),
            kind,
            event_type: Cow::Borrowed(event_type),
            about: subject.into(),
            event_id: Cow::Borrowed(event_id),
            turn: 0,
            repeat: false,
            event: Some(event),
        }
    }

    /// The message for the queue. Its fairness group is the endpoint.
    pub fn into_message(self, delay: Duration) -> Result<Message, StoreError> {
        Ok(Message {
            queue: keyspace::DISPATCH,
            group: group(&self.account, self.kind),
            body: to_doc(&self)?,
            delay,
        })
    }
}

/// The fairness group of an endpoint.
pub fn group(account: &str, kind: EndpointKind) -> String {
    format!("{account}/{}", kind.as_str())
}
