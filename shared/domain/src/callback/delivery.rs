//! A delivery as the log keeps it: one row, every attempt in it.

use jiff::Timestamp;
use ringfence_ports::{Key, Put, Row, StoreError, When};
use serde::{Deserialize, Serialize};

use super::message::About;
use crate::{
    access::{parse_doc, to_doc},
    keyspace,
    settings::EndpointKind,
};

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Queued and not tried yet.
    Queued,
    /// A receiver answered 2xx.
    Delivered,
    /// The last attempt failed; another is scheduled.
    Retrying,
    /// Not tried: the endpoint keeps failing or is at its rate limit, so it waits its turn.
    Waiting,
    /// Not tried: the callback is paused, disabled or switched off. Kept until resumed or replayed.
    Held,
    /// The last attempt failed and no other is scheduled.
    Failed,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Queued,
        Self::Delivered,
        Self::Retrying,
        Self::Waiting,
        Self::Held,
        Self::Failed,
    ];

    /// The name, as in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Delivered => "delivered",
            Self::Retrying => "retrying",
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::Failed => "failed",
        }
    }

    /// The status of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub latency_ms: u64,
    /// Whether it delivered.
    pub ok: bool,
    /// What happened, in plain words.
    pub explanation: String,
    /// The status that came back, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The start of the response body, where the attempt failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub response: String,
}

/// How many attempts a row keeps: the first ones and the last.
const MAX_ATTEMPTS_KEPT: usize = 40;

/// A delivery's document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// `dlv_…`, also the `webhook-id`.
    pub id: String,
    /// Whose.
    pub account: String,
    /// Which endpoint.
    pub kind: EndpointKind,
    /// The event's type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The event's id.
    pub event_id: String,
    /// What the event is about.
    pub about: About,
    /// How it stands.
    pub status: Status,
    /// Why it waits or is held, in plain words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Every attempt, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// Failed attempts since the schedule was last started.
    #[serde(default)]
    pub failures: u32,
    /// Counts up whenever a new order is queued; orders of earlier turns are stale.
    #[serde(default)]
    pub turn: u32,
    /// When it is tried next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// Until when one process has the attempt to itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_until: Option<Timestamp>,
    /// The slot that it was given under the endpoint's rate limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot_at: Option<Timestamp>,
    /// The replay job that queued it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<String>,
    /// The version of the row; 0: not stored yet.
    #[serde(skip)]
    pub version: u64,
}

/// How long after its due time an order that also travels through the queue is taken to be lost.
const GRACE_SECONDS: i64 = 120;

impl Delivery {
    /// The delivery in a row.
    pub fn from_row(row: &Row) -> Result<Self, StoreError> {
        let mut delivery: Self = parse_doc(&row.doc)?;
        delivery.version = row.version;
        Ok(delivery)
    }

    /// Where it stands.
    pub fn key(&self) -> Result<Key, StoreError> {
        keyspace::delivery(&self.account, &self.id)
            .ok_or(StoreError::Invalid("a delivery id that is none"))
    }

    /// Whether nothing goes on by itself.
    pub fn is_settled(&self) -> bool {
        matches!(
            self.status,
            Status::Delivered | Status::Failed | Status::Held
        )
    }

    /// Adds an attempt.
    pub fn record(&mut self, attempt: Attempt) {
        if self.attempts.len() >= MAX_ATTEMPTS_KEPT {
            self.attempts.remove(MAX_ATTEMPTS_KEPT / 2);
        }
        self.attempts.push(attempt);
    }

    /// The write of this state over the version that it was read at.
    pub fn put(&self) -> Result<Put, StoreError> {
        let index0 = (self.status != Status::Delivered)
            .then(|| keyspace::open_delivery(&self.account, self.status.as_str(), &self.id));
        // Also what travels through the queue has a due time, a little later, so that a lost message
        // loses nothing.
        let index1 = self.next_at.map(|at| {
            let at = at
                .checked_add(jiff::SignedDuration::from_secs(GRACE_SECONDS))
                .unwrap_or(at);
            keyspace::due(at, &self.id)
        });
        let when = if self.version == 0 {
            When::Absent
        } else {
            When::Version(self.version)
        };
        Ok(Put {
            index: [index0, index1],
            ..Put::new(self.key()?, to_doc(self)?, when)
        })
    }
}
