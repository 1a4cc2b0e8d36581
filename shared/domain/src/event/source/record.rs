//! What the source parsers share: reading loosely typed records, and making events of them.
//!
//! A platform's record is not ours to correct: a value that does not fit a field of ours is left
//! out of that field and stays under `source`, where everything is. Only a record that no event can
//! be made of at all is refused.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::Post;
use crate::event::fields::{
    MAX_ID, MAX_PHONE, MAX_SECONDS, MAX_TEXT, MAX_URL, is_cause, is_id, is_text,
};
use crate::event::json::{self, Source};
use crate::event::{
    BatchError, Direction, ErrorCode, Event, EventData, EventError, EventType, MAX_EVENT_BYTES,
    PhoneNumber, check, rfc3339,
};

/// How deep a record stands in the event that is made of it: event, `data`, `source`, platform.
const DEPTH_IN_EVENT: usize = 3;

/// Reads one JSON record.
pub fn object(
    text: &str,
    repeatable: &'static [&'static str],
) -> Result<Map<String, Value>, EventError> {
    bounded(text)?;
    match json::parse_within(text, DEPTH_IN_EVENT, repeatable)? {
        Value::Object(map) => Ok(map),
        _ => Err(EventError::new(ErrorCode::WrongType, "must be an object")),
    }
}

/// Refuses a record that is larger than one event may be.
pub fn bounded(text: &str) -> Result<(), EventError> {
    if text.len() > MAX_EVENT_BYTES {
        return Err(EventError::new(
            ErrorCode::TooLarge,
            format!("is larger than {MAX_EVENT_BYTES} bytes"),
        ));
    }
    Ok(())
}

/// The body as text.
pub fn body<'a>(post: &Post<'a>) -> Result<&'a str, BatchError> {
    let text =
        std::str::from_utf8(post.body).map_err(|_| BatchError::malformed("is not valid UTF-8"))?;
    if text.trim_ascii().is_empty() {
        Err(BatchError::Empty)
    } else {
        Ok(text)
    }
}

/// The media type without parameters, lower case; empty when there is no header.
pub fn media_type(post: &Post<'_>) -> String {
    let header = post.content_type.unwrap_or_default();
    header
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// Pairs of a form body or a query string.
pub fn pairs(encoded: &str) -> Result<Vec<(String, String)>, BatchError> {
    serde_urlencoded::from_str(encoded)
        .map_err(|_| BatchError::malformed("is not a well-formed form"))
}

/// One parameter of the query string.
pub fn query(post: &Post<'_>, name: &str) -> Option<String> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(post.query?).ok()?;
    pairs
        .into_iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value)
}

/// A record of text and numbers, its keys compared without regard to case.
#[derive(Clone, Copy)]
pub struct Record<'a>(pub &'a Map<String, Value>);

impl<'a> Record<'a> {
    /// The value under the first of these keys that is there and not null.
    pub fn value(self, names: &[&str]) -> Option<&'a Value> {
        names.iter().find_map(|name| {
            let exact = self.0.get(*name);
            exact
                .or_else(|| {
                    self.0
                        .iter()
                        .find(|(key, _)| key.eq_ignore_ascii_case(name))
                        .map(|(_, v)| v)
                })
                .filter(|value| !value.is_null())
        })
    }

    /// The object under one of these keys.
    pub fn object(self, names: &[&str]) -> Option<Record<'a>> {
        self.value(names).and_then(Value::as_object).map(Record)
    }

    /// The text under one of these keys, trimmed; a number is written out. Empty is absent.
    pub fn text(self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| {
            let text = match self.value(&[name])? {
                Value::String(text) => text.trim().to_owned(),
                Value::Number(number) => number.to_string(),
                _ => return None,
            };
            (!text.is_empty()).then_some(text)
        })
    }

    /// The whole number under one of these keys; fractions are cut off.
    pub fn integer(self, names: &[&str]) -> Option<u64> {
        let text = self.text(names)?;
        let whole = text
            .split_once('.')
            .map_or(text.as_str(), |(whole, _)| whole);
        whole.parse().ok()
    }

    /// Seconds under one of these keys.
    pub fn seconds(self, names: &[&str]) -> Option<u32> {
        u32::try_from(self.integer(names)?)
            .ok()
            .filter(|seconds| *seconds <= MAX_SECONDS)
    }

    /// An RFC 3339 time under one of these keys.
    pub fn time(self, names: &[&str]) -> Option<Timestamp> {
        rfc3339::parse(&self.text(names)?)
    }

    /// Microseconds since 1970 under one of these keys; 0 means never.
    pub fn micros(self, names: &[&str]) -> Option<Timestamp> {
        let micros = i64::try_from(self.integer(names)?)
            .ok()
            .filter(|micros| *micros > 0)?;
        in_bounds(Timestamp::from_microsecond(micros).ok()?)
    }
}

/// A time that an event may carry.
pub fn in_bounds(time: Timestamp) -> Option<Timestamp> {
    (rfc3339::EARLIEST..=rfc3339::LATEST)
        .contains(&time)
        .then_some(time)
}

/// A number for a phone field, if it fits one.
pub fn phone(number: Option<String>) -> Option<PhoneNumber> {
    number
        .filter(|n| !n.is_empty() && is_text(n, MAX_PHONE))
        .map(PhoneNumber::new)
}

/// An id, if it is one.
pub fn id(id: Option<String>) -> Option<String> {
    id.filter(|id| is_id(id))
}

/// Short text: an extension, an agent.
pub fn short(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty() && is_text(text, MAX_ID))
}

/// Free text.
pub fn free(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty() && is_text(text, MAX_TEXT))
}

/// A URL or path.
pub fn location(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty() && is_text(text, MAX_URL))
}

/// The name of a hang-up cause.
pub fn cause(name: Option<String>) -> Option<String> {
    name.filter(|name| is_cause(name))
}

/// Whole seconds from one time to another; `None` when it would be negative.
pub fn seconds_between(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<u32> {
    let span: SignedDuration = to?.duration_since(from?);
    u32::try_from(span.as_secs())
        .ok()
        .filter(|seconds| *seconds <= MAX_SECONDS && !span.is_negative())
}

/// An event id of what the platform says: its own ids joined, or, where these do not make an id of
/// ours, their hash. The same parts always give the same id.
pub fn event_id(platform: &str, parts: &[&str]) -> String {
    let joined = format!("{platform}:{}", parts.join(":"));
    if is_id(&joined) && parts.iter().all(|part| !part.is_empty()) {
        joined
    } else {
        format!("{platform}:{}", fingerprint(&joined))
    }
}

/// The first 128 bits of the SHA-256 of a text, in hexadecimal.
pub fn fingerprint(text: &str) -> String {
    use std::fmt::Write;
    let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    hash.as_ref()
        .iter()
        .take(16)
        .fold(String::with_capacity(32), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// Which way a call goes, as its numbers tell: up to 6 digits are an extension of the account,
/// 7 and more a number of the world.
pub fn direction_of(from: Option<&PhoneNumber>, to: Option<&PhoneNumber>) -> Option<Direction> {
    match (is_extension(from?.as_str()), is_extension(to?.as_str())) {
        (true, true) => Some(Direction::Internal),
        (true, false) => Some(Direction::Outbound),
        (false, true) => Some(Direction::Inbound),
        (false, false) => None,
    }
}

/// Whether this is an extension: 2 to 6 digits and nothing else.
pub fn is_extension(number: &str) -> bool {
    (2..=6).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
}

/// The name of a Q.850 cause (ITU-T Q.850, table 1), as `FreeSWITCH` writes it.
pub fn q850_name(code: u8) -> Option<&'static str> {
    Some(match code {
        1 => "UNALLOCATED_NUMBER",
        2 => "NO_ROUTE_TRANSIT_NET",
        3 => "NO_ROUTE_DESTINATION",
        6 => "CHANNEL_UNACCEPTABLE",
        16 => "NORMAL_CLEARING",
        17 => "USER_BUSY",
        18 => "NO_USER_RESPONSE",
        19 => "NO_ANSWER",
        20 => "SUBSCRIBER_ABSENT",
        21 => "CALL_REJECTED",
        22 => "NUMBER_CHANGED",
        26 => "NON_SELECTED_USER_CLEARING",
        27 => "DESTINATION_OUT_OF_ORDER",
        28 => "INVALID_NUMBER_FORMAT",
        29 => "FACILITY_REJECTED",
        31 => "NORMAL_UNSPECIFIED",
        34 => "NORMAL_CIRCUIT_CONGESTION",
        38 => "NETWORK_OUT_OF_ORDER",
        41 => "NORMAL_TEMPORARY_FAILURE",
        42 => "SWITCH_CONGESTION",
        44 => "REQUESTED_CHAN_UNAVAIL",
        50 => "FACILITY_NOT_SUBSCRIBED",
        52 => "OUTGOING_CALL_BARRED",
        54 => "INCOMING_CALL_BARRED",
        57 => "BEARERCAPABILITY_NOTAUTH",
        58 => "BEARERCAPABILITY_NOTAVAIL",
        65 => "BEARERCAPABILITY_NOTIMPL",
        88 => "INCOMPATIBLE_DESTINATION",
        102 => "RECOVERY_ON_TIMER_EXPIRE",
        111 => "PROTOCOL_ERROR",
        127 => "INTERWORKING",
        _ => return None,
    })
}

/// Puts an event together and checks it. Times that contradict each other are left out of `data`
/// (they stay under `source`), the later one in the life of a call first.
pub fn event(
    post: &Post<'_>,
    event_type: EventType,
    id: String,
    timestamp: Option<Timestamp>,
    mut data: EventData,
    platform: &'static str,
    record: Map<String, Value>,
) -> Result<Event, EventError> {
    drop_contradictions(&mut data);
    let mut source = Map::new();
    source.insert(platform.to_owned(), Value::Object(record));
    data.source = Some(Source(source));
    let event = Event {
        event_type,
        timestamp: timestamp.unwrap_or(post.received_at),
        id,
        account_id: post.account_id.to_owned(),
        data,
    };
    check::event(&event, post.received_at)?;
    Ok(event)
}

fn drop_contradictions(data: &mut EventData) {
    let mut latest = data.started_at;
    for time in [
        &mut data.ringing_at,
        &mut data.answered_at,
        &mut data.ended_at,
    ] {
        match (*time, latest) {
            (Some(at), Some(before)) if at < before => *time = None,
            (Some(_), _) => latest = *time,
            (None, _) => {}
        }
    }
}
