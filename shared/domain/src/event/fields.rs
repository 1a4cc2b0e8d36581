//! The one table of an event's fields. The JSON Schemas are made from it, and the reason why an
//! event was refused is found with it.

use serde_json::Value;

use super::error::{ErrorCode, EventError};
use super::json::{push_index, push_key};
use super::terms::{
    AnsweredBy, CallMethod, Direction, Disposition, EndReason, EventType, HangupParty, Leg,
};

/// Longest id, characters.
pub const MAX_ID: usize = 128;
/// Longest content of a phone number field, characters.
pub const MAX_PHONE: usize = 128;
/// Longest free text, characters.
pub const MAX_TEXT: usize = 256;
/// Longest URL or path, characters.
pub const MAX_URL: usize = 2_048;
/// Longest name of a hang-up cause, characters.
pub const MAX_CAUSE: usize = 64;
/// Longest duration, s: a leap year.
pub const MAX_SECONDS: u32 = 366 * 86_400;
/// Highest count in `progress`.
pub const MAX_COUNT: u32 = i32::MAX.cast_unsigned();
/// Most tags on a call.
pub const MAX_TAGS: usize = 64;
/// Longest tag, characters.
pub const MAX_TAG: usize = 64;

/// What an id looks like; also a regular expression of JSON Schema. The star is what masking puts
/// in the place of a phone number that a platform built into an id.
pub const ID_PATTERN: &str = "^[A-Za-z0-9._:@/+=*-]{1,128}$";
/// What the name of a hang-up cause looks like.
pub const CAUSE_PATTERN: &str = "^[A-Za-z0-9_*]{1,64}$";
/// No control character (C0, DEL, C1).
pub const TEXT_PATTERN: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$";

/// Whether `text` fits [`ID_PATTERN`].
pub fn is_id(text: &str) -> bool {
    (1..=MAX_ID).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._:@/+=*-".contains(&b))
}

/// Whether `text` fits [`CAUSE_PATTERN`].
pub fn is_cause(text: &str) -> bool {
    (1..=MAX_CAUSE).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'*')
}

/// Whether `text` has at most `max` characters and no control character.
pub fn is_text(text: &str, max: usize) -> bool {
    // Bytes first: most strings are short and need no counting.
    (text.len() <= max || text.chars().count() <= max) && !text.chars().any(char::is_control)
}

/// What a field may hold.
pub enum Kind {
    /// An id, [`ID_PATTERN`].
    Id,
    /// A phone number: anything printable, [`MAX_PHONE`].
    Phone,
    /// Printable text of at most so many characters.
    Text(usize),
    /// The name of a hang-up cause, [`CAUSE_PATTERN`].
    Cause,
    /// An RFC 3339 time with an offset.
    Time,
    /// A whole number from 0 to this.
    Integer(u32),
    /// True or false.
    Bool,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of short texts.
    Tags,
    /// An object of these fields and no others.
    Object(&'static [Field]),
    /// An object of anything.
    Open,
}

/// One field.
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// What it means, for the schema.
    pub about: &'static str,
}

const fn field(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, about }
}

/// The fields of an event.
pub const EVENT: &[Field] = &[
    field("type", Kind::Word(&EventType::WORDS), "What happened."),
    field(
        "timestamp",
        Kind::Time,
        "When it happened, RFC 3339 with an offset.",
    ),
    field(
        "id",
        Kind::Id,
        "The event's own id, and its idempotency key: an id that was taken before is accepted and delivers nothing new.",
    ),
    field(
        "account_id",
        Kind::Id,
        "The account that the event belongs to. On the way in it may be left out.",
    ),
    field(
        "data",
        Kind::Object(DATA),
        "What the event tells about the call or task.",
    ),
];

/// The fields of `data`.
pub const DATA: &[Field] = &[
    field("call_id", Kind::Id, "The platform's id of the call."),
    field(
        "parent_call_id",
        Kind::Id,
        "The call that this one is a leg or a continuation of.",
    ),
    field(
        "direction",
        Kind::Word(&Direction::WORDS),
        "Which way the call goes, as seen from the account.",
    ),
    field(
        "call_method",
        Kind::Word(&CallMethod::WORDS),
        "How the call came about.",
    ),
    field(
        "leg",
        Kind::Word(&Leg::WORDS),
        "Whose leg of the call the event tells about.",
    ),
    field("from", Kind::Phone, "The calling number, in any notation."),
    field("to", Kind::Phone, "The called number, in any notation."),
    field(
        "display_number",
        Kind::Phone,
        "The number shown to the called party.",
    ),
    field(
        "extension",
        Kind::Text(MAX_ID),
        "The extension of the agent.",
    ),
    field(
        "agent_id",
        Kind::Text(MAX_ID),
        "Who of the account takes part.",
    ),
    field("task_id", Kind::Id, "The predictive outbound task."),
    field(
        "custom_id",
        Kind::Text(MAX_TEXT),
        "The integrator's own id, as given when the call was placed.",
    ),
    field("started_at", Kind::Time, "When the call began."),
    field("ringing_at", Kind::Time, "When it began to ring."),
    field("answered_at", Kind::Time, "When it was answered."),
    field("ended_at", Kind::Time, "When it ended."),
    field(
        "duration",
        Kind::Integer(MAX_SECONDS),
        "From begin to end, seconds.",
    ),
    field(
        "billsec",
        Kind::Integer(MAX_SECONDS),
        "From answer to end, seconds.",
    ),
    field(
        "ring_time",
        Kind::Integer(MAX_SECONDS),
        "How long it rang, seconds.",
    ),
    field(
        "talk_time",
        Kind::Integer(MAX_SECONDS),
        "How long the parties talked, seconds.",
    ),
    field(
        "hold_time",
        Kind::Integer(MAX_SECONDS),
        "How long it was on hold, seconds.",
    ),
    field(
        "wait_time",
        Kind::Integer(MAX_SECONDS),
        "How long the caller waited for an agent, seconds.",
    ),
    field(
        "disposition",
        Kind::Word(&Disposition::WORDS),
        "How the call ended up.",
    ),
    field(
        "hangup_party",
        Kind::Word(&HangupParty::WORDS),
        "Who ended it.",
    ),
    field(
        "hangup_cause",
        Kind::Cause,
        "Why it ended: the name of the Q.850 cause, NORMAL_CLEARING.",
    ),
    field(
        "hangup_cause_code",
        Kind::Integer(127),
        "Why it ended: the number of the Q.850 cause.",
    ),
    field(
        "answered_by",
        Kind::Word(&AnsweredBy::WORDS),
        "What took the call.",
    ),
    field(
        "recording",
        Kind::Object(RECORDING),
        "The recording of the call.",
    ),
    field("tags", Kind::Tags, "Labels on the call."),
    field(
        "end_reason",
        Kind::Word(&EndReason::WORDS),
        "Why the predictive task ended.",
    ),
    field(
        "progress",
        Kind::Object(PROGRESS),
        "How far the predictive task got.",
    ),
    field(
        "source",
        Kind::Open,
        "What the platform sent that has no place in the other fields, as it sent it.",
    ),
];

/// The fields of `data.recording`.
pub const RECORDING: &[Field] = &[
    field("id", Kind::Id, "The platform's id of the recording."),
    field(
        "duration",
        Kind::Integer(MAX_SECONDS),
        "Its length, seconds.",
    ),
    field("url", Kind::Text(MAX_URL), "Where the platform keeps it."),
    field("redacted", Kind::Bool, "Whether spans of it were silenced."),
    field("deleted_at", Kind::Time, "When it was deleted."),
    field(
        "deletion_reason",
        Kind::Text(MAX_TEXT),
        "Why it was deleted.",
    ),
];

/// The fields of `data.progress`.
pub const PROGRESS: &[Field] = &[
    field(
        "total",
        Kind::Integer(MAX_COUNT),
        "Numbers on the task's list.",
    ),
    field("dialed", Kind::Integer(MAX_COUNT), "Calls placed."),
    field(
        "answered",
        Kind::Integer(MAX_COUNT),
        "Calls that were answered.",
    ),
    field(
        "unanswered",
        Kind::Integer(MAX_COUNT),
        "Calls that were not.",
    ),
    field(
        "abandoned",
        Kind::Integer(MAX_COUNT),
        "Answered calls that found no agent in time.",
    ),
    field(
        "failed",
        Kind::Integer(MAX_COUNT),
        "Calls that could not be put through.",
    ),
    field(
        "remaining",
        Kind::Integer(MAX_COUNT),
        "Numbers not dialled yet.",
    ),
];

/// Which fields of `data` a type cannot do without.
pub const fn required(event_type: EventType) -> &'static [&'static str] {
    match event_type {
        EventType::CallRinging
        | EventType::CallAnswered
        | EventType::CallDisconnected
        | EventType::CdrCreated => &["call_id"],
        EventType::RecordingAvailable => &["call_id", "recording"],
        EventType::PredictiveTaskCallAnswered | EventType::PredictiveTaskCallUnanswered => {
            &["call_id", "task_id"]
        }
        EventType::PredictiveTaskCompleted => &["task_id", "end_reason"],
    }
}

/// Whether a type needs `timestamp`. The order of call states is what integrators act on, so a
/// status without its time is refused; for the others the time of receipt does.
pub const fn needs_timestamp(event_type: EventType) -> bool {
    matches!(
        event_type,
        EventType::CallRinging | EventType::CallAnswered | EventType::CallDisconnected
    )
}

/// The first field of a well-formed document that does not have the type its kind needs.
pub fn first_fault(document: &Value) -> Option<EventError> {
    object_fault(document, EVENT, &["type", "id", "data"], &mut String::new())
}

fn object_fault(
    value: &Value,
    fields: &'static [Field],
    required: &[&'static str],
    path: &mut String,
) -> Option<EventError> {
    let Value::Object(map) = value else {
        return Some(fault(path, ErrorCode::WrongType, "must be an object"));
    };
    let here = path.len();
    for (key, value) in map {
        push_key(path, key);
        let found = match fields.iter().find(|field| field.name == key) {
            None => Some(fault(
                path,
                ErrorCode::UnknownField,
                "is not a known field here",
            )),
            // Null stands for absent.
            Some(_) if value.is_null() && !required.contains(&key.as_str()) => None,
            Some(field) => value_fault(value, &field.kind, path),
        };
        if found.is_some() {
            return found;
        }
        path.truncate(here);
    }
    let missing = required.iter().find(|name| !map.contains_key(**name))?;
    push_key(path, missing);
    Some(EventError::missing(path.as_str()))
}

fn value_fault(value: &Value, kind: &Kind, path: &mut String) -> Option<EventError> {
    let wrong = |path: &str, reason: &'static str| Some(fault(path, ErrorCode::WrongType, reason));
    match kind {
        Kind::Id | Kind::Phone | Kind::Text(_) | Kind::Cause => {
            if value.is_string() {
                None
            } else {
                wrong(path, "must be a string")
            }
        }
        Kind::Time => match value.as_str() {
            None => wrong(path, "must be a string: an RFC 3339 time with an offset"),
            Some(text) if super::rfc3339::parse(text).is_none() => {
                Some(fault(path, ErrorCode::InvalidValue, NOT_A_TIME))
            }
            Some(_) => None,
        },
        Kind::Integer(max) => match value.as_u64() {
            Some(number) if number <= u64::from(*max) => None,
            _ if value.is_number() => Some(fault(
                path,
                ErrorCode::InvalidValue,
                format!("must be a whole number from 0 to {max}"),
            )),
            _ => Some(fault(
                path,
                ErrorCode::WrongType,
                format!("must be a whole number from 0 to {max}"),
            )),
        },
        Kind::Bool => {
            if value.is_boolean() {
                None
            } else {
                wrong(path, "must be true or false")
            }
        }
        Kind::Word(words) => match value.as_str() {
            None => wrong(path, "must be a string"),
            Some(word) if !words.contains(&word) => Some(fault(
                path,
                ErrorCode::InvalidValue,
                format!("must be one of {}", words.join(", ")),
            )),
            Some(_) => None,
        },
        Kind::Tags => {
            let Value::Array(items) = value else {
                return wrong(path, "must be an array of strings");
            };
            let index = items.iter().position(|item| !item.is_string())?;
            push_index(path, index);
            wrong(path, "must be a string")
        }
        Kind::Object(fields) => object_fault(value, fields, &[], path),
        Kind::Open => {
            if value.is_object() {
                None
            } else {
                wrong(path, "must be an object")
            }
        }
    }
}

/// What every refused time is told.
pub const NOT_A_TIME: &str =
    "must be an RFC 3339 time with an offset, from 1970 to 2199, like 2026-01-31T08:15:00Z";

fn fault(
    path: &str,
    code: ErrorCode,
    reason: impl Into<std::borrow::Cow<'static, str>>,
) -> EventError {
    EventError {
        field: (!path.is_empty()).then(|| path.to_owned()),
        code,
        reason: reason.into(),
    }
}
