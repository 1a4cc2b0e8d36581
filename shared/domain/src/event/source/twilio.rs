//! Twilio voice requests, status callbacks, recording status callbacks and answering machine
//! detection callbacks. Form-encoded, or the same names as one JSON object. The whole set of
//! parameters is kept as `source.twilio`.
//!
//! | parameters | gives |
//! | --- | --- |
//! | `CallStatus` `ringing` | `call.ringing`, id `twilio:{CallSid}:ringing` |
//! | `in-progress` | `call.answered`, id `twilio:{CallSid}:answered` |
//! | `completed`, `busy`, `no-answer`, `failed`, `canceled` | `call.disconnected` and `cdr.created`, ids `twilio:{CallSid}:disconnected`, `twilio:{CallSid}:cdr` |
//! | `queued`, `initiated` | nothing: no phone rings yet |
//! | `RecordingStatus` `completed` | `recording.available`, id `twilio:{RecordingSid}:available` |
//! | `in-progress`, `absent`, `failed` | nothing: there is no recording to fetch |
//! | `AnsweredBy` without `CallStatus` (asynchronous detection) | `call.answered` with `answered_by`, id `twilio:{CallSid}:amd` |
//!
//! | ours | from |
//! | --- | --- |
//! | `call_id`, `parent_call_id` | `CallSid`, `ParentCallSid` |
//! | `from`, `to` | `From` or `Caller`, `To` or `Called` |
//! | `direction`, `call_method` | `Direction`: `inbound`; `outbound-api` (method `api`) and `outbound-dial` are outbound |
//! | `timestamp`; `ringing_at`, `answered_at`, `ended_at` by status | `Timestamp` (RFC 2822); without it the time of receipt, and no time in `data` |
//! | `duration`, `billsec`, `answered_at` of a completed call | `CallDuration`: Twilio counts from the answer |
//! | `disposition` | `completed` answered, or voicemail when a machine answered; `busy`; `no-answer`; `failed`; `canceled` |
//! | `hangup_cause`, `hangup_cause_code` | the status: `NORMAL_CLEARING` 16, `USER_BUSY` 17, `NO_ANSWER` 19, `ORIGINATOR_CANCEL`; `failed` with `SipResponseCode` 404 `UNALLOCATED_NUMBER` 1 |
//! | `answered_by` | `AnsweredBy`: `human`, `machine_*`, `fax`, `unknown` |
//! | `recording.id`, `.url`, `.duration` | `RecordingSid`, `RecordingUrl`, `RecordingDuration` |

use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::Post;
use super::record::{self, Record, event_id, id, in_bounds, location, phone};
use crate::event::{
    AnsweredBy, Batch, CallMethod, Direction, Disposition, Event, EventData, EventError, EventType,
    Recording,
};

pub mod signature;

/// Reads the events of a callback: none, one or two.
///
/// # Errors
/// When the body is no form.
pub fn parse(post: &Post<'_>) -> Batch {
    let text = record::body(post)?;
    let parameters = if record::media_type(post) == "application/json" {
        record::object(text, &[])
    } else {
        let pairs = record::pairs(text)?;
        record::bounded(text).map(|()| parameters(pairs))
    };
    Ok(match parameters {
        Ok(parameters) => events(&parameters, post),
        Err(error) => vec![Err(error)],
    })
}

/// A parameter that stands more than once becomes a list.
fn parameters(pairs: Vec<(String, String)>) -> Map<String, Value> {
    let mut map = Map::new();
    for (name, value) in pairs {
        match map.get_mut(&name) {
            None => {
                map.insert(name, Value::String(value));
            }
            Some(Value::Array(list)) => list.push(Value::String(value)),
            Some(first) => *first = Value::Array(vec![first.take(), Value::String(value)]),
        }
    }
    map
}

fn events(parameters: &Map<String, Value>, post: &Post<'_>) -> Vec<Result<Event, EventError>> {
    let record = Record(parameters);
    let Some(call_id) = id(record.text(&["CallSid"])) else {
        return vec![Err(EventError::missing("CallSid"))];
    };
    let data = common(record, &call_id);
    let at = timestamp(record);
    let event = |event_type, subject: &str, what: &str, data: EventData| {
        let id = event_id("twilio", &[subject, what]);
        record::event(post, event_type, id, at, data, "twilio", parameters.clone())
    };
    if let Some(status) = record.text(&["RecordingStatus"]) {
        if status != "completed" {
            return Vec::new();
        }
        let recording_id = id(record.text(&["RecordingSid"]));
        let subject = recording_id.clone().unwrap_or_else(|| call_id.clone());
        let recording = Recording {
            id: recording_id,
            duration: record.seconds(&["RecordingDuration"]),
            url: location(record.text(&["RecordingUrl"])),
            ..Recording::default()
        };
        let data = EventData {
            recording: Some(recording),
            ..data
        };
        return vec![event(
            EventType::RecordingAvailable,
            &subject,
            "available",
            data,
        )];
    }
    match record.text(&["CallStatus"]).as_deref() {
        Some("ringing") => {
            let data = EventData {
                ringing_at: at,
                ..data
            };
            vec![event(EventType::CallRinging, &call_id, "ringing", data)]
        }
        Some("in-progress") => {
            let data = EventData {
                answered_at: at,
                ..data
            };
            vec![event(EventType::CallAnswered, &call_id, "answered", data)]
        }
        Some("queued" | "initiated") => Vec::new(),
        Some(status @ ("completed" | "busy" | "no-answer" | "failed" | "canceled")) => {
            let data = ended(status, record, at, data);
            vec![
                event(
                    EventType::CallDisconnected,
                    &call_id,
                    "disconnected",
                    data.clone(),
                ),
                event(EventType::CdrCreated, &call_id, "cdr", data),
            ]
        }
        Some(_) => vec![Err(EventError::at(
            "CallStatus",
            crate::event::ErrorCode::InvalidValue,
            "must be one of queued, initiated, ringing, in-progress, completed, busy, no-answer, failed, canceled",
        ))],
        None if data.answered_by.is_some() => {
            vec![event(EventType::CallAnswered, &call_id, "amd", data)]
        }
        None => vec![Err(EventError::missing("CallStatus"))],
    }
}

fn common(record: Record<'_>, call_id: &str) -> EventData {
    let way = record.text(&["Direction"]);
    EventData {
        call_id: Some(call_id.to_owned()),
        parent_call_id: id(record.text(&["ParentCallSid"])),
        direction: match way.as_deref() {
            Some("inbound") => Some(Direction::Inbound),
            Some(way) if way.starts_with("outbound") => Some(Direction::Outbound),
            _ => None,
        },
        call_method: (way.as_deref() == Some("outbound-api")).then_some(CallMethod::Api),
        from: phone(record.text(&["From", "Caller"])),
        to: phone(record.text(&["To", "Called"])),
        answered_by: match record.text(&["AnsweredBy"]).as_deref() {
            Some("human") => Some(AnsweredBy::Human),
            Some("fax") => Some(AnsweredBy::Fax),
            Some(machine) if machine.starts_with("machine") => Some(AnsweredBy::Machine),
            Some("unknown") => Some(AnsweredBy::Unknown),
            _ => None,
        },
        ..EventData::default()
    }
}

fn ended(status: &str, record: Record<'_>, at: Option<Timestamp>, data: EventData) -> EventData {
    let billsec = if status == "completed" {
        record.seconds(&["CallDuration"])
    } else {
        Some(0)
    };
    let answered_at = match (status, at, billsec) {
        ("completed", Some(at), Some(seconds)) => at
            .checked_sub(SignedDuration::from_secs(i64::from(seconds)))
            .ok()
            .and_then(in_bounds),
        _ => None,
    };
    let sip = record.integer(&["SipResponseCode"]);
    let (disposition, cause) = match status {
        "busy" => (Disposition::Busy, Some(("USER_BUSY", Some(17)))),
        "no-answer" => (Disposition::NoAnswer, Some(("NO_ANSWER", Some(19)))),
        "canceled" => (Disposition::Canceled, Some(("ORIGINATOR_CANCEL", None))),
        "failed" if sip == Some(404) => {
            (Disposition::Failed, Some(("UNALLOCATED_NUMBER", Some(1))))
        }
        "failed" => (Disposition::Failed, None),
        _ if data.answered_by == Some(AnsweredBy::Machine) => {
            (Disposition::Voicemail, Some(("NORMAL_CLEARING", Some(16))))
        }
        _ => (Disposition::Answered, Some(("NORMAL_CLEARING", Some(16)))),
    };
    EventData {
        answered_at,
        ended_at: at,
        duration: record.seconds(&["CallDuration"]),
        billsec,
        disposition: Some(disposition),
        hangup_cause: cause.map(|(name, _)| name.to_owned()),
        hangup_cause_code: cause.and_then(|(_, code)| code),
        ..data
    }
}

fn timestamp(record: Record<'_>) -> Option<Timestamp> {
    let text = record.text(&["Timestamp"])?;
    in_bounds(DateTimeParser::new().parse_timestamp(&text).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::samples;

    #[test]
    fn each_status_gives_its_events() {
        use EventType::{
            CallAnswered, CallDisconnected, CallRinging, CdrCreated, RecordingAvailable,
        };
        for (name, types) in [
            ("initiated", &[][..]),
            ("ringing", &[CallRinging][..]),
            ("in-progress", &[CallAnswered]),
            ("completed", &[CallDisconnected, CdrCreated]),
            ("busy", &[CallDisconnected, CdrCreated]),
            ("no-answer", &[CallDisconnected, CdrCreated]),
            ("machine", &[CallDisconnected, CdrCreated]),
            ("amd", &[CallAnswered]),
            ("recording", &[RecordingAvailable]),
        ] {
            let events = samples::events(&format!("twilio-{name}.txt"));
            let found: Vec<EventType> = events.iter().map(|event| event.event_type).collect();
            assert_eq!(found, types, "{name}");
        }
    }

    #[test]
    fn a_completed_call_is_whole() {
        let events = samples::events("twilio-completed.txt");
        let cdr = &events[1];
        assert_eq!(cdr.id, "twilio:CA00000000000000000000000000001042:cdr");
        assert_eq!(cdr.timestamp.to_string(), "2026-01-31T08:17:39Z");
        let data = &cdr.data;
        assert_eq!(
            data.answered_at.map(|t| t.to_string()).as_deref(),
            Some("2026-01-31T08:15:09Z")
        );
        assert_eq!((data.duration, data.billsec), (Some(150), Some(150)));
        assert_eq!(data.disposition, Some(Disposition::Answered));
        assert_eq!(data.direction, Some(Direction::Inbound));
        assert_eq!(
            data.from
                .as_ref()
                .map(crate::event::data::PhoneNumber::as_str),
            Some("+14155550123")
        );
        let city = data
            .source
            .as_ref()
            .map(|source| &source.0["twilio"]["FromCity"]);
        assert_eq!(city, Some(&Value::from("SAN FRANCISCO")));
    }

    #[test]
    fn calls_that_were_not_answered_say_why() {
        let busy = samples::events("twilio-busy.txt").remove(1).data;
        assert_eq!(busy.disposition, Some(Disposition::Busy));
        assert_eq!(busy.hangup_cause.as_deref(), Some("USER_BUSY"));
        assert_eq!(
            busy.parent_call_id.as_deref(),
            Some("CA00000000000000000000000000001042")
        );
        assert_eq!((busy.billsec, busy.answered_at), (Some(0), None));
        let machine = samples::events("twilio-machine.txt").remove(1).data;
        assert_eq!(machine.disposition, Some(Disposition::Voicemail));
        assert_eq!(machine.answered_by, Some(AnsweredBy::Machine));
        assert_eq!(machine.call_method, Some(CallMethod::Api));
        let amd = samples::event("twilio-amd.txt");
        assert_eq!(amd.data.answered_by, Some(AnsweredBy::Human));
        assert_eq!(amd.timestamp, samples::received_at());
    }

    #[test]
    fn a_recording_is_told_of() {
        let recording = samples::event("twilio-recording.txt")
            .data
            .recording
            .expect("a recording");
        assert_eq!(
            recording.id.as_deref(),
            Some("RE00000000000000000000000000001042")
        );
        assert_eq!(recording.duration, Some(150));
        assert!(
            recording
                .url
                .is_some_and(|url| url.starts_with("https://api.twilio.com/"))
        );
    }

    #[test]
    fn what_is_no_callback_is_refused() {
        let parse = |body: &str| {
            let post = Post {
                content_type: Some("application/x-www-form-urlencoded"),
                query: None,
                body: body.as_bytes(),
                account_id: samples::ACCOUNT,
                received_at: samples::received_at(),
            };
            super::parse(&post).map(|mut results| results.remove(0).expect_err(body).field)
        };
        assert_eq!(parse("CallStatus=ringing"), Ok(Some("CallSid".into())));
        assert_eq!(parse("CallSid=CA1"), Ok(Some("CallStatus".into())));
        assert_eq!(
            parse("CallSid=CA1&CallStatus=singing"),
            Ok(Some("CallStatus".into()))
        );
        assert_eq!(
            parse("CallSid=a+b&CallStatus=ringing"),
            Ok(Some("CallSid".into()))
        );
    }
}
