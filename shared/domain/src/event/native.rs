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
    #[serde(deserialize_with = "json::fields")]
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
    let Ok(input) = input(text) else {
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

fn input(text: &str) -> serde_json::Result<Input> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let input = json::fields(&mut deserializer)?;
    deserializer.end().map(|()| input)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::event::samples::{self, ACCOUNT, received_at};

    fn json(body: &[u8]) -> Batch {
        parse(ContentKind::Json, body, ACCOUNT, received_at())
    }

    fn one_result(body: &Value) -> Result<Event, EventError> {
        let mut results = json(body.to_string().as_bytes()).expect("well-formed");
        assert_eq!(results.len(), 1);
        results.remove(0)
    }

    fn refused(body: &Value) -> (String, ErrorCode) {
        let error = one_result(body).expect_err("should be refused");
        (error.field.unwrap_or_default(), error.code)
    }

    fn answered() -> Value {
        serde_json::from_str(&samples::text("call.answered.json")).expect("JSON")
    }

    fn with(pointer: &str, value: Value) -> Value {
        let mut body = answered();
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        body.pointer_mut(parent).expect("parent")[key] = value;
        body
    }

    fn without(pointer: &str) -> Value {
        let mut body = answered();
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        body.pointer_mut(parent)
            .and_then(Value::as_object_mut)
            .expect("object")
            .remove(key);
        body
    }

    #[test]
    fn every_type_is_read_alone_in_an_array_and_in_lines() {
        let alone: Vec<Event> = EventType::ALL
            .iter()
            .map(|event_type| samples::event(&format!("{event_type}.json")))
            .collect();
        for (event, event_type) in alone.iter().zip(EventType::ALL) {
            assert_eq!(event.event_type, event_type);
            assert_eq!(event.account_id, ACCOUNT);
        }
        assert_eq!(samples::events("batch.json"), alone);
        assert_eq!(samples::events("batch.ndjson"), alone);
    }

    #[test]
    fn what_is_stored_reads_back_and_writes_the_same_bytes() {
        for (name, event) in samples::all() {
            let stored = event.to_json().expect("writes");
            let read = Event::from_json(&stored).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(read, event, "{name}");
            assert_eq!(read.to_json().expect("writes"), stored, "{name}");
            let keys = [
                "{\"type\":",
                ",\"timestamp\":",
                ",\"id\":",
                ",\"account_id\":",
                ",\"data\":{",
            ];
            let at: Vec<usize> = keys.iter().filter_map(|key| stored.find(key)).collect();
            assert!(at.len() == keys.len() && at.is_sorted(), "{name}: {stored}");
            assert!(
                !stored.contains(":null,\"") || name.starts_with("connect"),
                "{name}"
            );
        }
    }

    #[test]
    fn an_unmasked_body_can_be_sent_in_again() {
        for event in samples::events("batch.json") {
            let again = json(event.to_json().expect("writes").as_bytes()).expect("well-formed");
            assert_eq!(again, [Ok(event)]);
        }
    }

    #[test]
    fn broken_samples_are_refused_for_what_their_name_says() {
        use ErrorCode::{
            DuplicateKey, ImpossibleTime, InvalidValue, MissingField, UnknownField, WrongAccount,
            WrongType,
        };
        for (name, field, code) in [
            (
                "broken-unknown-field.json",
                "data.caller_name",
                UnknownField,
            ),
            ("broken-unknown-type.json", "type", InvalidValue),
            ("broken-missing-id.json", "id", MissingField),
            ("broken-missing-timestamp.json", "timestamp", MissingField),
            ("broken-missing-call-id.json", "data.call_id", MissingField),
            ("broken-local-timestamp.json", "timestamp", InvalidValue),
            ("broken-wrong-type.json", "data.ring_time", WrongType),
            (
                "broken-negative-duration.json",
                "data.ring_time",
                InvalidValue,
            ),
            (
                "broken-answered-before-started.json",
                "data.answered_at",
                ImpossibleTime,
            ),
            ("broken-direction.json", "data.direction", InvalidValue),
            ("broken-other-account.json", "account_id", WrongAccount),
            ("broken-duplicate-key.json", "data.direction", DuplicateKey),
        ] {
            let results = samples::parse(name).unwrap_or_else(|e| panic!("{name}: {e}"));
            let [Err(error)] = results.as_slice() else {
                panic!("{name}: {results:?}")
            };
            assert_eq!(
                (error.field.as_deref(), error.code),
                (Some(field), code),
                "{name}"
            );
        }
        for name in ["broken-cut-off.json", "broken-lone-surrogate.json"] {
            let malformed = matches!(samples::parse(name), Err(BatchError::Malformed { .. }));
            assert!(malformed, "{name}");
        }
        assert_eq!(
            samples::parse("broken-empty-batch.json"),
            Err(BatchError::Empty)
        );
    }

    #[test]
    fn a_bad_line_is_refused_alone() {
        let results = samples::parse("broken-second-line.ndjson").expect("a batch");
        assert_eq!(results.len(), 3);
        assert!(results[0].is_ok() && results[2].is_ok());
        assert_eq!(
            results[1].as_ref().expect_err("cut off").code,
            ErrorCode::Malformed
        );

        let mut body = samples::read("call.answered.json");
        body.retain(|byte| *byte != b'\n');
        body.extend_from_slice(b"\r\n\n  \n\xff\xfe\n");
        let results = parse(ContentKind::Ndjson, &body, ACCOUNT, received_at()).expect("a batch");
        assert_eq!(results.len(), 2);
        assert!(results[0].is_ok());
        assert_eq!(
            results[1].as_ref().expect_err("not UTF-8").code,
            ErrorCode::Malformed
        );
    }

    #[test]
    fn a_bad_element_is_refused_alone() {
        let good = answered();
        let in_order =
            json!(["call.ringing", "2026-01-31T08:15:00Z", "id", null, {"call_id": "c"}]);
        let body = json!([
            good,
            in_order,
            with("/data/call_id", json!("no spaces")),
            good
        ]);
        let results = json(body.to_string().as_bytes()).expect("a batch");
        let codes: Vec<_> = results
            .iter()
            .map(|r| r.as_ref().err().map(|e| e.code))
            .collect();
        assert_eq!(
            codes,
            [
                None,
                Some(ErrorCode::WrongType),
                Some(ErrorCode::InvalidValue),
                None
            ]
        );
        // A lone surrogate breaks its own event only.
        let body = format!("[{good},{}]", samples::text("broken-lone-surrogate.json"));
        let results = json(body.as_bytes()).expect("a batch");
        assert!(results[0].is_ok());
        assert_eq!(
            results[1].as_ref().expect_err("surrogate").code,
            ErrorCode::Malformed
        );
    }

    #[test]
    fn a_request_holds_1_to_1000_events() {
        assert_eq!(json(b""), Err(BatchError::Empty));
        assert_eq!(json(b" \n "), Err(BatchError::Empty));
        assert_eq!(json(b"[]"), Err(BatchError::Empty));
        assert_eq!(
            parse(ContentKind::Ndjson, b"\n\n", ACCOUNT, received_at()),
            Err(BatchError::Empty)
        );
        let many = |count: usize| format!("[{}]", vec!["{}"; count].join(","));
        assert_eq!(json(many(1_000).as_bytes()).map(|r| r.len()), Ok(1_000));
        assert_eq!(
            json(many(1_001).as_bytes()),
            Err(BatchError::TooMany { limit: 1_000 })
        );
        let lines = "{}\n".repeat(1_001);
        assert_eq!(
            parse(
                ContentKind::Ndjson,
                lines.as_bytes(),
                ACCOUNT,
                received_at()
            ),
            Err(BatchError::TooMany { limit: 1_000 })
        );
    }

    #[test]
    fn bodies_that_cannot_be_taken_apart_are_refused_whole() {
        for body in [
            "{",
            "[{}",
            "[{}]x",
            "{} {}",
            "[{},]",
            "nonsense",
            "\u{feff}{}",
        ] {
            let malformed = matches!(json(body.as_bytes()), Err(BatchError::Malformed { .. }));
            assert!(malformed, "{body}");
        }
        assert!(matches!(
            json(b"{\"id\":\"\xff\"}"),
            Err(BatchError::Malformed { .. })
        ));
        // Well-formed, but no event.
        for body in ["7", "null", "\"x\"", "true"] {
            let results = json(body.as_bytes()).expect("well-formed");
            assert_eq!(
                results[0].as_ref().expect_err("no event").code,
                ErrorCode::WrongType
            );
        }
    }

    #[test]
    fn fields_are_bounded_and_typed() {
        use ErrorCode::{InvalidValue, MissingField, TooLarge, WrongType};
        let long = "1".repeat(129);
        for (pointer, value, code) in [
            ("/id", json!(""), InvalidValue),
            ("/id", json!(long), InvalidValue),
            ("/id", json!("a b"), InvalidValue),
            ("/id", json!("é"), InvalidValue),
            ("/id", json!(7), WrongType),
            ("/id", Value::Null, WrongType),
            ("/timestamp", json!(1_769_847_300), WrongType),
            ("/timestamp", json!("2026-02-30T00:00:00Z"), InvalidValue),
            ("/data", json!([]), WrongType),
            ("/data", json!(["call-1042"]), WrongType),
            ("/data/recording", json!(["rec-1042"]), WrongType),
            ("/data/progress", json!([1, 2]), WrongType),
            ("/data/from", json!(4_155_550_123_u64), WrongType),
            ("/data/from", json!(long), InvalidValue),
            ("/data/from", json!("+1\u{0}415"), InvalidValue),
            ("/data/extension", json!("2\n0"), InvalidValue),
            ("/data/custom_id", json!("x".repeat(257)), InvalidValue),
            ("/data/duration", json!(1.5), InvalidValue),
            ("/data/duration", json!(31_622_401), InvalidValue),
            ("/data/duration", json!(u64::MAX), InvalidValue),
            ("/data/hangup_cause", json!("NO ANSWER"), InvalidValue),
            ("/data/hangup_cause_code", json!(128), InvalidValue),
            ("/data/hangup_cause_code", json!(300), InvalidValue),
            ("/data/tags", json!("sales"), WrongType),
            ("/data/tags", json!(["sales", 7]), WrongType),
            ("/data/tags", json!(["sales", ""]), InvalidValue),
            ("/data/tags", json!(vec!["x"; 65]), InvalidValue),
            (
                "/data/recording",
                json!({"id": "r", "file": "x"}),
                ErrorCode::UnknownField,
            ),
            ("/data/recording", json!({"redacted": "no"}), WrongType),
            (
                "/data/recording",
                json!({"url": "x".repeat(2_049)}),
                InvalidValue,
            ),
            ("/data/progress", json!({"total": -1}), InvalidValue),
            ("/data/source", json!("text"), WrongType),
            (
                "/data/source",
                json!({"text": "x".repeat(300_000)}),
                TooLarge,
            ),
        ] {
            let (field, found) = refused(&with(pointer, value.clone()));
            let shown = &value.to_string()[..value.to_string().len().min(40)];
            assert_eq!(found, code, "{pointer} {shown}");
            let path = pointer.trim_start_matches('/').replace('/', ".");
            assert!(
                code == TooLarge || field.starts_with(&path),
                "{field} is not {path}"
            );
        }
        assert_eq!(refused(&without("/data")), ("data".into(), MissingField));
        assert_eq!(refused(&without("/type")), ("type".into(), MissingField));
    }

    #[test]
    fn what_a_platform_may_send_is_taken() {
        for (pointer, value) in [
            ("/data/from", json!("anonymous")),
            (
                "/data/from",
                json!("\"Ada\" <sip:+14155550123@example.com;user=phone>"),
            ),
            ("/data/from", json!("+٤٤ ٧٧٠٠ ٩٠٠١٢٣")),
            ("/data/agent_id", Value::Null),
            ("/data/direction", Value::Null),
            ("/data/answered_at", json!("2026-01-31T08:15:00Z")), // the same as started_at
            (
                "/data/answered_at",
                json!("2026-01-31T09:15:09.123456789+01:00"),
            ),
            ("/data/tags", json!([])),
            ("/data/source", json!({"a": {"a": [1, 2.5, null, "é"]}})),
        ] {
            assert!(
                one_result(&with(pointer, value.clone())).is_ok(),
                "{pointer} {value}"
            );
        }
    }

    #[test]
    fn source_is_strict_about_keys_and_depth() {
        let body = samples::text("call.answered.json").replace(
            "\"direction\"",
            "\"source\":{\"a\":[{\"k\":1,\"k\":2}]},\"direction\"",
        );
        let results = json(body.as_bytes()).expect("well-formed");
        let error = results[0].as_ref().expect_err("duplicate key");
        assert_eq!(error.field.as_deref(), Some("data.source.a[0].k"));
        assert_eq!(error.code, ErrorCode::DuplicateKey);

        let nested = |depth: usize| {
            let mut value = json!(1);
            for _ in 0..depth {
                value = json!({ "a": value });
            }
            with("/data/source", value)
        };
        // The event and data are two levels of the 32.
        assert!(one_result(&nested(30)).is_ok());
        assert_eq!(refused(&nested(31)).1, ErrorCode::TooLarge);
    }

    #[test]
    fn a_timestamp_may_be_left_out_where_order_does_not_matter() {
        let mut body: Value =
            serde_json::from_str(&samples::text("cdr.created.json")).expect("JSON");
        body.as_object_mut().expect("object").remove("timestamp");
        let event = one_result(&body).expect("taken");
        assert_eq!(Some(event.timestamp), event.data.ended_at);
        body["data"]
            .as_object_mut()
            .expect("object")
            .remove("ended_at");
        assert_eq!(one_result(&body).expect("taken").timestamp, received_at());

        let ahead = |hours: i64| {
            let time = received_at() + jiff::SignedDuration::from_hours(hours);
            with("/timestamp", json!(time.to_string()))
        };
        assert!(one_result(&ahead(24)).is_ok());
        assert_eq!(
            refused(&ahead(25)),
            ("timestamp".into(), ErrorCode::ImpossibleTime)
        );
    }

    #[test]
    fn no_error_shows_what_was_sent() {
        let secret = "+14155550123";
        for pointer in [
            "/id",
            "/type",
            "/timestamp",
            "/data/direction",
            "/data/ring_time",
            "/data/tags",
        ] {
            let error = one_result(&with(pointer, json!({secret: secret}))).expect_err("refused");
            let shown = format!(
                "{error} {error:?} {}",
                serde_json::to_string(&error).expect("JSON")
            );
            assert!(!shown.contains("4155550123"), "{shown}");
            let error = one_result(&with(pointer, json!([secret]))).err();
            assert!(!format!("{error:?}").contains("4155550123"));
        }
        let event = samples::event("cdr.created.json");
        let shown = format!(
            "{event:?} {:?} {:?} {:?}",
            event.data, event.data.from, event.data.source
        );
        assert!(!shown.contains("555"), "{shown}");
        assert!(!shown.contains("2001"), "{shown}");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = json(&body);
            let _ = parse(ContentKind::Ndjson, &body, ACCOUNT, received_at());
        }

        /// One byte of a good event changed: the fast reader and the one that explains agree.
        #[test]
        fn a_refusal_always_has_a_reason(at in 0usize..1_500, byte in any::<u8>()) {
            let mut body = samples::read("cdr.created.json");
            let at = at % body.len();
            body[at] = byte;
            if let Ok(results) = json(&body) {
                for error in results.into_iter().filter_map(Result::err) {
                    prop_assert_ne!(error.reason, "is not a valid event");
                }
            }
        }
    }
}
