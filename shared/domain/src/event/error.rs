//! Why an event, or a whole request, is refused. Nothing here carries a value from outside.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use super::Event;

/// What a parser answers: one result an event in the order they came, or why the request as a
/// whole cannot be read.
pub type Batch = Result<Vec<Result<Event, EventError>>, BatchError>;

/// The kind of fault; stable, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not well-formed: JSON syntax, UTF-8, a lone surrogate, a broken CSV line.
    Malformed,
    /// The event is larger, or nested deeper, than is taken.
    TooLarge,
    /// A key stands twice in one object.
    DuplicateKey,
    /// A field that does not exist.
    UnknownField,
    /// A field that this type needs is absent.
    MissingField,
    /// The value has the wrong JSON type.
    WrongType,
    /// The value is not in the vocabulary, has a wrong shape, or is out of bounds.
    InvalidValue,
    /// Two times contradict each other, or one lies in the future.
    ImpossibleTime,
    /// The event names another account than the one it was sent to.
    WrongAccount,
    /// Another event was accepted under this id before.
    IdReused,
}

/// Why one event is refused. The others of its batch are not touched by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct EventError {
    /// Which field, as a dotted path (`data.recording.id`, `data.tags[2]`); `None`: the event as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The kind of fault.
    pub code: ErrorCode,
    /// What is wrong and what would be right, in plain words; never the value itself.
    pub reason: Cow<'static, str>,
}

impl EventError {
    /// An error of the event as a whole.
    pub fn new(code: ErrorCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            field: None,
            code,
            reason: reason.into(),
        }
    }

    /// An error of one field.
    pub fn at(
        field: impl Into<String>,
        code: ErrorCode,
        reason: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            field: Some(field.into()),
            code,
            reason: reason.into(),
        }
    }

    pub(crate) fn missing(field: impl Into<String>) -> Self {
        Self::at(field, ErrorCode::MissingField, "is required")
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

/// Why a request as a whole is refused: nothing of it was taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// No event in it.
    #[error("the request holds no event")]
    Empty,
    /// More events than one request may hold.
    #[error("the request holds more than {limit} events")]
    TooMany {
        /// [`super::MAX_EVENTS`].
        limit: usize,
    },
    /// The body cannot be read at all.
    #[error("the body {reason}")]
    Malformed {
        /// What is wrong, in plain words: "is not valid UTF-8".
        reason: Cow<'static, str>,
    },
    /// This source does not send such a content type.
    #[error("this source sends {expected}")]
    UnsupportedContentType {
        /// What it sends.
        expected: &'static str,
    },
    /// A query parameter that cannot be used.
    #[error("query parameter {name}: {reason}")]
    Query {
        /// Its name.
        name: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
}

impl BatchError {
    pub(crate) fn malformed(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Malformed {
            reason: reason.into(),
        }
    }

    /// A stable word for the kind of fault.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooMany { .. } => "too_many",
            Self::Malformed { .. } => "malformed",
            Self::UnsupportedContentType { .. } => "unsupported_content_type",
            Self::Query { .. } => "invalid_query",
        }
    }
}
