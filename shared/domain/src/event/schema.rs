//! The JSON Schema (2020-12) of each event type, made from the table the parser explains with.
//!
//! A schema describes an event as it comes in and as it goes out; what it cannot say (times that
//! contradict each other, a `timestamp` in the future) the parser checks besides.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::fields::{
    CAUSE_PATTERN, DATA, EVENT, Field, ID_PATTERN, Kind, MAX_PHONE, MAX_TAG, MAX_TAGS,
    TEXT_PATTERN, needs_timestamp, required,
};
use super::{CallbackKind, EventType};

/// One event type as it is served at `/v1/event-types`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventTypeDoc {
    /// The type.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// Which callback carries it.
    pub kind: CallbackKind,
    /// What it tells, in a sentence or two.
    pub description: &'static str,
    /// The schema of the whole event; `#/$defs/data` is that of its `data`.
    pub schema: Value,
    /// An event that fits it.
    pub example: Value,
}

/// Every event type, in the order of [`EventType::ALL`].
pub fn all() -> Vec<EventTypeDoc> {
    EventType::ALL.into_iter().map(of).collect()
}

/// One event type.
pub fn of(event_type: EventType) -> EventTypeDoc {
    EventTypeDoc {
        event_type,
        kind: event_type.kind(),
        description: description(event_type),
        schema: schema(event_type),
        example: example(event_type),
    }
}

const fn description(event_type: EventType) -> &'static str {
    match event_type {
        EventType::CallRinging => "A leg of the call rings.",
        EventType::CallAnswered => "The call was answered.",
        EventType::CallDisconnected => {
            "The call is over, or never came to be. The call detail record follows."
        }
        EventType::CdrCreated => {
            "The call detail record is complete. Where it and the call status events differ, it is right."
        }
        EventType::RecordingAvailable => "A recording of the call can be fetched.",
        EventType::PredictiveTaskCallAnswered => {
            "A call of a predictive outbound task was answered."
        }
        EventType::PredictiveTaskCallUnanswered => {
            "A call of a predictive outbound task was not answered."
        }
        EventType::PredictiveTaskCompleted => "A predictive outbound task has ended.",
    }
}

fn schema(event_type: EventType) -> Value {
    let mut properties = properties(EVENT);
    properties.insert(
        "type".to_owned(),
        json!({"const": event_type, "description": "What happened."}),
    );
    properties.insert("data".to_owned(), json!({"$ref": "#/$defs/data"}));
    let mut needed = vec!["type", "id", "data"];
    if needs_timestamp(event_type) {
        needed.insert(1, "timestamp");
    }
    let mut data = object(DATA, required(event_type));
    if event_type == EventType::RecordingAvailable
        && let Some(Value::Object(recording)) = data.pointer_mut("/properties/recording")
    {
        recording.insert("required".to_owned(), json!(["id"]));
        if let Some(Value::Object(id)) = recording
            .get_mut("properties")
            .and_then(|fields| fields.get_mut("id"))
        {
            not_null(id);
        }
    }
    // What a type needs cannot be null.
    for name in required(event_type) {
        if let Some(Value::Object(field)) = data.pointer_mut(&format!("/properties/{name}")) {
            not_null(field);
        }
    }
    for name in &needed {
        if let Some(Value::Object(field)) = properties.get_mut(*name) {
            not_null(field);
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("/v1/event-types/{event_type}"),
        "title": event_type,
        "description": description(event_type),
        "type": "object",
        "properties": properties,
        "required": needed,
        "additionalProperties": false,
        "$defs": {"data": data},
    })
}

fn not_null(field: &mut Map<String, Value>) {
    let first = field.get("type").and_then(|types| types.get(0)).cloned();
    if let Some(first) = first {
        field.insert("type".to_owned(), first);
    }
    if let Some(Value::Array(words)) = field.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
}

fn properties(fields: &[Field]) -> Map<String, Value> {
    fields
        .iter()
        .map(|field| (field.name.to_owned(), property(field)))
        .collect()
}

fn object(fields: &[Field], required: &[&str]) -> Value {
    let mut schema = json!({
        "type": "object",
        "properties": properties(fields),
        "additionalProperties": false,
    });
    if let (false, Value::Object(map)) = (required.is_empty(), &mut schema) {
        map.insert("required".to_owned(), json!(required));
    }
    schema
}

/// The schema of one optional field: null is the same as absent.
fn property(field: &Field) -> Value {
    let mut schema = match field.kind {
        Kind::Id => json!({"type": ["string", "null"], "pattern": ID_PATTERN}),
        Kind::Cause => json!({"type": ["string", "null"], "pattern": CAUSE_PATTERN}),
        Kind::Phone => {
            json!({"type": ["string", "null"], "maxLength": MAX_PHONE, "pattern": TEXT_PATTERN})
        }
        Kind::Text(max) => {
            json!({"type": ["string", "null"], "maxLength": max, "pattern": TEXT_PATTERN})
        }
        Kind::Time => json!({"type": ["string", "null"], "format": "date-time"}),
        Kind::Integer(max) => json!({"type": ["integer", "null"], "minimum": 0, "maximum": max}),
        Kind::Bool => json!({"type": ["boolean", "null"]}),
        Kind::Word(words) => {
            let words: Vec<Value> = words
                .iter()
                .map(|word| json!(word))
                .chain([Value::Null])
                .collect();
            json!({"enum": words})
        }
        Kind::Tags => json!({
            "type": ["array", "null"],
            "maxItems": MAX_TAGS,
            "items": {"type": "string", "minLength": 1, "maxLength": MAX_TAG, "pattern": TEXT_PATTERN},
        }),
        Kind::Object(fields) => {
            let mut schema = object(fields, &[]);
            if let Value::Object(map) = &mut schema {
                map.insert("type".to_owned(), json!(["object", "null"]));
            }
            schema
        }
        Kind::Open => json!({"type": ["object", "null"]}),
    };
    if let Value::Object(map) = &mut schema {
        map.insert("description".to_owned(), json!(field.about));
    }
    schema
}

fn example(event_type: EventType) -> Value {
    let started = "2026-01-31T08:15:00Z";
    let ringing = "2026-01-31T08:15:01Z";
    let answered = "2026-01-31T08:15:09Z";
    let ended = "2026-01-31T08:17:39Z";
    let (timestamp, id, data) = match event_type {
        EventType::CallRinging => (
            ringing,
            "call-1042-ringing",
            json!({
                "call_id": "call-1042", "direction": "inbound", "leg": "agent",
                "from": "+14155550123", "to": "+14155550199", "extension": "2001",
                "started_at": started, "ringing_at": ringing,
            }),
        ),
        EventType::CallAnswered => (
            answered,
            "call-1042-answered",
            json!({
                "call_id": "call-1042", "direction": "inbound", "leg": "agent",
                "from": "+14155550123", "to": "+14155550199", "extension": "2001",
                "agent_id": "ada", "answered_at": answered, "ring_time": 8,
            }),
        ),
        EventType::CallDisconnected => (
            ended,
            "call-1042-disconnected",
            json!({
                "call_id": "call-1042", "direction": "inbound",
                "from": "+14155550123", "to": "+14155550199", "extension": "2001",
                "ended_at": ended, "hangup_party": "caller", "hangup_cause": "NORMAL_CLEARING",
                "hangup_cause_code": 16,
            }),
        ),
        EventType::CdrCreated => (
            ended,
            "call-1042-cdr",
            json!({
                "call_id": "call-1042", "direction": "inbound", "call_method": "ivr",
                "from": "+14155550123", "to": "+14155550199", "extension": "2001",
                "agent_id": "ada", "custom_id": "order-7781",
                "started_at": started, "ringing_at": ringing, "answered_at": answered,
                "ended_at": ended, "duration": 159, "billsec": 150, "ring_time": 8,
                "talk_time": 138, "hold_time": 12, "wait_time": 9, "disposition": "answered",
                "hangup_party": "caller", "hangup_cause": "NORMAL_CLEARING",
                "hangup_cause_code": 16, "answered_by": "human", "tags": ["sales"],
                "source": {"queue": "sales"},
            }),
        ),
        EventType::RecordingAvailable => (
            "2026-01-31T08:18:02Z",
            "call-1042-recording",
            json!({
                "call_id": "call-1042",
                "recording": {
                    "id": "rec-1042", "duration": 150,
                    "url": "https://recordings.example.com/2026/01/31/call-1042.wav",
                    "redacted": false,
                },
            }),
        ),
        EventType::PredictiveTaskCallAnswered => (
            answered,
            "task-7-call-2001",
            json!({
                "call_id": "call-2001", "task_id": "task-7", "direction": "outbound",
                "call_method": "predictive", "from": "+14155550199", "to": "+442079460123",
                "display_number": "+14155550100", "answered_at": answered, "answered_by": "human",
            }),
        ),
        EventType::PredictiveTaskCallUnanswered => (
            ended,
            "task-7-call-2002",
            json!({
                "call_id": "call-2002", "task_id": "task-7", "direction": "outbound",
                "call_method": "predictive", "from": "+14155550199", "to": "+442079460124",
                "display_number": "+14155550100", "ended_at": ended, "ring_time": 30,
                "disposition": "no_answer", "hangup_cause": "NO_ANSWER", "hangup_cause_code": 19,
            }),
        ),
        EventType::PredictiveTaskCompleted => (
            "2026-01-31T09:00:00Z",
            "task-7-completed",
            json!({
                "task_id": "task-7", "end_reason": "over",
                "progress": {
                    "total": 120, "dialed": 120, "answered": 71, "unanswered": 44,
                    "abandoned": 2, "failed": 3, "remaining": 0,
                },
            }),
        ),
    };
    json!({"type": event_type, "timestamp": timestamp, "id": id, "data": data})
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::LazyLock;

    use super::*;
    use crate::event::samples::{self, ACCOUNT, received_at};
    use crate::event::{ContentKind, Event, native};

    static SCHEMAS: LazyLock<HashMap<&str, Value>> = LazyLock::new(|| {
        all()
            .into_iter()
            .map(|doc| (doc.event_type.as_str(), doc.schema))
            .collect()
    });

    fn read(body: &Value) -> Result<Event, crate::event::EventError> {
        native::parse(
            ContentKind::Json,
            body.to_string().as_bytes(),
            ACCOUNT,
            received_at(),
        )
        .expect("well-formed")
        .remove(0)
    }

    /// Just as much of JSON Schema as the schemas use; a keyword that it does not know fails.
    fn valid(schema: &Value, root: &Value, value: &Value) -> bool {
        let fits = |kind: &Value| match kind.as_str().expect("a type") {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_u64() || value.is_i64(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            other => panic!("type {other}"),
        };
        let text = value.as_str();
        schema
            .as_object()
            .expect("a schema")
            .iter()
            .all(|(keyword, rule)| match keyword.as_str() {
                "$schema" | "$id" | "title" | "description" | "$defs" => true,
                "$ref" => valid(
                    root.pointer(rule.as_str().expect("ref").trim_start_matches('#'))
                        .expect("a def"),
                    root,
                    value,
                ),
                "const" => value == rule,
                "enum" => rule.as_array().expect("a list").contains(value),
                "type" => rule
                    .as_array()
                    .map_or_else(|| fits(rule), |kinds| kinds.iter().any(fits)),
                "required" => value.as_object().is_none_or(|map| {
                    rule.as_array()
                        .expect("a list")
                        .iter()
                        .all(|name| map.contains_key(name.as_str().expect("a name")))
                }),
                "properties" => value.as_object().is_none_or(|map| {
                    map.iter().all(|(name, value)| {
                        rule.get(name)
                            .is_none_or(|schema| valid(schema, root, value))
                    })
                }),
                "additionalProperties" => {
                    assert_eq!(rule, &json!(false));
                    value.as_object().is_none_or(|map| {
                        map.keys()
                            .all(|name| schema["properties"].get(name).is_some())
                    })
                }
                "minimum" => value
                    .as_i64()
                    .is_none_or(|n| n >= rule.as_i64().expect("a number")),
                "maximum" => value
                    .as_u64()
                    .is_none_or(|n| n <= rule.as_u64().expect("a number")),
                "maxLength" => text
                    .is_none_or(|t| t.chars().count() as u64 <= rule.as_u64().expect("a number")),
                "minLength" => text
                    .is_none_or(|t| t.chars().count() as u64 >= rule.as_u64().expect("a number")),
                "maxItems" => value
                    .as_array()
                    .is_none_or(|items| items.len() as u64 <= rule.as_u64().expect("a number")),
                "items" => value
                    .as_array()
                    .is_none_or(|items| items.iter().all(|item| valid(rule, root, item))),
                "format" => {
                    assert_eq!(rule, "date-time");
                    text.is_none_or(|t| crate::event::rfc3339::parse(t).is_some())
                }
                "pattern" => text.is_none_or(|t| match rule.as_str().expect("a pattern") {
                    ID_PATTERN => crate::event::fields::is_id(t),
                    CAUSE_PATTERN => crate::event::fields::is_cause(t),
                    TEXT_PATTERN => !t.chars().any(char::is_control),
                    other => panic!("pattern {other}"),
                }),
                other => panic!("keyword {other}"),
            })
    }

    fn fits(body: &Value) -> bool {
        let schema = &SCHEMAS[body["type"].as_str().expect("a type")];
        valid(schema, schema, body)
    }

    #[test]
    fn there_is_a_schema_for_every_type_and_its_example_is_taken() {
        let docs = all();
        assert_eq!(docs.len(), EventType::ALL.len());
        for doc in docs {
            let event = read(&doc.example).unwrap_or_else(|e| panic!("{}: {e}", doc.event_type));
            assert_eq!(event.event_type, doc.event_type);
            assert_eq!(doc.kind, doc.event_type.kind());
            assert!(fits(&doc.example), "{}", doc.event_type);
            assert_eq!(doc.schema["additionalProperties"], json!(false));
        }
    }

    #[test]
    fn what_goes_out_fits_the_schema_too() {
        for (name, event) in samples::all() {
            let body = serde_json::to_value(&event).expect("writes");
            assert!(fits(&body), "{name}");
            assert!(
                fits(&serde_json::to_value(event.masked()).expect("writes")),
                "{name} masked"
            );
        }
    }

    /// Every field set to something wrong, or right: schema and parser say the same.
    #[test]
    fn schema_and_parser_agree_on_every_field() {
        let values = || {
            [
                Value::Null,
                json!(true),
                json!(0),
                json!(7),
                json!(-1),
                json!(1.5),
                json!(128),
                json!(31_622_401),
                json!(4_294_967_296_u64),
                json!(""),
                json!("x"),
                json!("no spaces"),
                json!("answered"),
                json!("inbound"),
                json!("over"),
                json!("human"),
                json!("call.ringing"),
                json!("2026-01-31T08:15:09Z"),
                json!("2026-01-31 08:15:09"),
                json!("x".repeat(129)),
                json!("x".repeat(257)),
                json!("x".repeat(2_049)),
                json!("a\u{7f}b"),
                json!([]),
                json!(["x"]),
                json!([7]),
                json!([""]),
                json!({}),
                json!({"x": 1}),
                json!({"id": "r"}),
                json!({"id": null}),
                json!({"total": 3}),
            ]
        };
        let mut checked = 0;
        for event_type in EventType::ALL {
            let example = of(event_type).example;
            let mut compare = |body: Value, what: String| {
                // Wrong types of `type` have no schema to compare with.
                if body["type"]
                    .as_str()
                    .is_none_or(|word| word != event_type.as_str())
                {
                    return;
                }
                let result = read(&body);
                // What JSON Schema cannot say.
                let beyond = result.as_ref().is_err_and(|error| {
                    error.code == crate::event::ErrorCode::ImpossibleTime
                        || error.code == crate::event::ErrorCode::WrongAccount
                });
                if !beyond {
                    assert_eq!(
                        fits(&body),
                        result.is_ok(),
                        "{event_type} {what}: {result:?}"
                    );
                }
                checked += 1;
            };
            for field in EVENT.iter().map(|field| field.name).chain(["unknown"]) {
                for value in values() {
                    let mut body = example.clone();
                    body[field] = value.clone();
                    compare(body, format!("{field} = {value}"));
                }
                let mut body = example.clone();
                body.as_object_mut().expect("object").remove(field);
                compare(body, format!("without {field}"));
            }
            for field in DATA.iter().map(|field| field.name).chain(["unknown"]) {
                for value in values() {
                    let mut body = example.clone();
                    body["data"][field] = value.clone();
                    compare(body, format!("data.{field} = {value}"));
                }
                let mut body = example.clone();
                body["data"].as_object_mut().expect("object").remove(field);
                compare(body, format!("without data.{field}"));
            }
            for (object, fields) in [
                ("recording", super::super::fields::RECORDING),
                ("progress", super::super::fields::PROGRESS),
            ] {
                for field in fields.iter().map(|field| field.name).chain(["unknown"]) {
                    for value in values() {
                        let mut body = example.clone();
                        body["data"][object] = if object == "recording" {
                            json!({"id": "r"})
                        } else {
                            json!({})
                        };
                        body["data"][object][field] = value.clone();
                        compare(body, format!("data.{object}.{field} = {value}"));
                    }
                }
            }
        }
        assert!(checked > 10_000, "{checked}");
    }
}
