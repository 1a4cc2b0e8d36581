//! Amazon Connect: contact records (the data stream's "CTRs") and contact events.
//!
//! A body is one JSON object, an array of them, several one after the other (Kinesis joins records
//! without a line break) or one a line; or the envelope of a Firehose HTTP endpoint,
//! `{"requestId","timestamp","records":[{"data":base64}]}`, each record again any of those.
//! Firehose wants the `requestId` back: [`firehose_request_id`].
//!
//! Only the channel VOICE is a call; chats, tasks and mails give nothing. The whole record is kept
//! as `source.connect`. Connect sends at least once, and a record again when it changed: the id of
//! a `cdr.created` carries `LastUpdateTimestamp`, so that a change is a new event and a repeat is not.
//!
//! **Contact record** → `cdr.created`, `connect:{ContactId}:cdr:{LastUpdateTimestamp}`; and, when its
//! recording's `Status` is `AVAILABLE`, `recording.available`, `connect:{ContactId}:recording`.
//!
//! | ours | from |
//! | --- | --- |
//! | `call_id`, `parent_call_id` | `ContactId`; `PreviousContactId`, `InitialContactId` |
//! | `direction` | `InitiationMethod`: OUTBOUND, `EXTERNAL_OUTBOUND`, CALLBACK, API outbound; MONITOR internal; any other inbound |
//! | `call_method` | `Campaign.CampaignId` predictive; API api; OUTBOUND manual; INBOUND ivr |
//! | `from`, `to` | `CustomerEndpoint.Address` and `SystemEndpoint.Address`, by direction |
//! | `display_number` | outbound: `SystemEndpoint.Address` |
//! | `agent_id` | `Agent.Username`, the last part of `Agent.ARN` |
//! | `task_id` | `Campaign.CampaignId` |
//! | `started_at`, `ended_at` | `InitiationTimestamp`, `DisconnectTimestamp` |
//! | `answered_at` | inbound: `Agent.ConnectedToAgentTimestamp`, or, if it never was in a queue, `ConnectedToSystemTimestamp` (the flow itself answered); outbound: `ConnectedToSystemTimestamp` |
//! | `duration`, `billsec` | started to ended, answered to ended |
//! | `talk_time`, `hold_time`, `wait_time` | `Agent.AgentInteractionDuration`, `Agent.CustomerHoldDuration`, `Queue.Duration` |
//! | `disposition` | answered when there is `answered_at`, else `no_answer`; `AnsweringMachineDetectionStatus` VOICEMAIL_* voicemail, `SIT_TONE_BUSY` busy, `SIT_TONE`_* and `AMD_ERROR` unanswered failed, `AMD_UNANSWERED` `no_answer` |
//! | `answered_by` | `AnsweringMachineDetectionStatus`: `HUMAN_ANSWERED`, VOICEMAIL_*, `FAX_MACHINE_DETECTED`, `AMD_UNRESOLVED` |
//! | `hangup_party` | `DisconnectReason`: `CUSTOMER_DISCONNECT`, `AGENT_DISCONNECT`, by direction; `THIRD_PARTY_DISCONNECT` unknown; any other system |
//! | `hangup_cause` | those two `NORMAL_CLEARING` 16; `TELECOM_PROBLEM` `NETWORK_OUT_OF_ORDER` 38; `OUTBOUND_DESTINATION_ENDPOINT_ERROR` `DESTINATION_OUT_OF_ORDER` 27 |
//! | `recording.id`, `.url` | `ContactId`, `Recording.Location` |
//!
//! **Contact event** (`EventBridge`, `detail-type` "Amazon Connect Contact Event", or its `detail`
//! alone), id `connect:{contactId}:{eventType}`:
//!
//! | `eventType` | gives |
//! | --- | --- |
//! | `INITIATED` | `call.ringing` |
//! | `CONNECTED_TO_SYSTEM` of an outbound call, `CONNECTED_TO_AGENT` of an inbound one | `call.answered` |
//! | `DISCONNECTED` | `call.disconnected` |
//! | any other | nothing |

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Post;
use super::record::{self, Record, event_id, id, location, phone, seconds_between, short};
use crate::event::{
    AnsweredBy, Batch, BatchError, CallMethod, Direction, Disposition, ErrorCode, Event, EventData,
    EventError, EventType, HangupParty, MAX_EVENTS, Recording, native,
};

/// Reads the records of a post.
///
/// # Errors
/// No record, too many, or JSON that cannot be taken apart.
pub fn parse(post: &Post<'_>) -> Batch {
    let text = record::body(post)?;
    if let Some(firehose) = Firehose::of(text) {
        return firehose.parse(post);
    }
    let mut results = Vec::new();
    for part in split(text)? {
        read(part, post, &mut results);
    }
    Ok(results)
}

/// The `requestId` of a Firehose delivery: its HTTP endpoint must answer
/// `{"requestId": ..., "timestamp": milliseconds}`, or the delivery counts as failed. `None` when
/// the body is none. (Firehose, "HTTP endpoint delivery request and response specifications".)
pub fn firehose_request_id(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    // At most 128 printable characters of ours go back; anything else is not Firehose's.
    Firehose::of(text)
        .map(|firehose| firehose.request_id)
        .filter(|id| record::id(Some(id.clone())).is_some())
}

/// The envelope of a Firehose HTTP endpoint.
#[derive(Deserialize)]
struct Firehose<'a> {
    #[serde(rename = "requestId")]
    request_id: String,
    #[serde(borrow)]
    records: Vec<FirehoseRecord<'a>>,
}

#[derive(Deserialize)]
struct FirehoseRecord<'a> {
    #[serde(borrow)]
    data: std::borrow::Cow<'a, str>,
}

impl<'a> Firehose<'a> {
    fn of(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    fn parse(self, post: &Post<'_>) -> Batch {
        if self.records.is_empty() {
            return Err(BatchError::Empty);
        }
        let too_many = BatchError::TooMany { limit: MAX_EVENTS };
        if self.records.len() > MAX_EVENTS {
            return Err(too_many);
        }
        let mut parts = 0;
        let mut results = Vec::new();
        for (index, delivered) in self.records.into_iter().enumerate() {
            let field = |error: EventError| EventError {
                field: Some(format!("records[{index}].data")),
                ..error
            };
            let decoded = STANDARD
                .decode(delivered.data.as_bytes())
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok());
            let Some(text) = decoded else {
                results.push(Err(field(EventError::new(
                    ErrorCode::Malformed,
                    "is not base64 of UTF-8 text",
                ))));
                continue;
            };
            match split(&text) {
                Ok(found) => {
                    parts += found.len();
                    if parts > MAX_EVENTS {
                        return Err(too_many);
                    }
                    for part in found {
                        read(part, post, &mut results);
                    }
                }
                Err(BatchError::TooMany { limit }) => return Err(BatchError::TooMany { limit }),
                Err(_) => results.push(Err(field(EventError::new(
                    ErrorCode::Malformed,
                    "is not well-formed JSON",
                )))),
            }
        }
        Ok(results)
    }
}

/// The JSON documents of a text, at most [`MAX_EVENTS`].
fn split(text: &str) -> Result<Vec<&str>, BatchError> {
    if text.trim_ascii_start().starts_with('[') {
        return native::split_array(text);
    }
    let mut parts = Vec::new();
    let documents = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    for document in documents {
        match document {
            Ok(_) if parts.len() == MAX_EVENTS => {
                return Err(BatchError::TooMany { limit: MAX_EVENTS });
            }
            Ok(document) => parts.push(document.get()),
            // One broken line must not take the others with it; without lines there are no others.
            Err(_) if text.trim_ascii().contains('\n') => {
                let lines = native::split_lines(text.as_bytes())?;
                return Ok(lines
                    .iter()
                    .filter_map(|line| std::str::from_utf8(line).ok())
                    .collect());
            }
            Err(error) => {
                return Err(BatchError::malformed(format!(
                    "is not well-formed JSON (line {}, column {})",
                    error.line(),
                    error.column()
                )));
            }
        }
    }
    if parts.is_empty() {
        Err(BatchError::Empty)
    } else {
        Ok(parts)
    }
}

fn read(text: &str, post: &Post<'_>, results: &mut Vec<Result<Event, EventError>>) {
    let document = match record::object(text, &[]) {
        Ok(document) => document,
        Err(error) => return results.push(Err(error)),
    };
    let root = Record(&document);
    let detail = root.object(&["detail"]).unwrap_or(root);
    if detail.value(&["eventType"]).is_some() {
        results.extend(contact_event(root, detail, &document, post));
    } else if root.value(&["ContactId"]).is_some() {
        contact_record(root, &document, post, results);
    } else {
        results.push(Err(EventError::missing("ContactId")));
    }
}

fn is_voice(record: Record<'_>) -> bool {
    record
        .text(&["Channel"])
        .is_none_or(|channel| channel.eq_ignore_ascii_case("voice"))
}

fn direction(record: Record<'_>) -> Option<Direction> {
    let method = record.text(&["InitiationMethod"])?;
    Some(match method.to_ascii_uppercase().as_str() {
        "OUTBOUND" | "EXTERNAL_OUTBOUND" | "CALLBACK" | "API" => Direction::Outbound,
        "MONITOR" => Direction::Internal,
        _ => Direction::Inbound,
    })
}

fn arn_tail(arn: Option<String>) -> Option<String> {
    arn?.rsplit('/').next().map(str::to_owned)
}

fn campaign(record: Record<'_>) -> Option<String> {
    id(record.object(&["Campaign"])?.text(&["CampaignId"]))
}

fn call_method(record: Record<'_>) -> Option<CallMethod> {
    if campaign(record).is_some() {
        return Some(CallMethod::Predictive);
    }
    match record
        .text(&["InitiationMethod"])?
        .to_ascii_uppercase()
        .as_str()
    {
        "API" => Some(CallMethod::Api),
        "OUTBOUND" => Some(CallMethod::Manual),
        "INBOUND" => Some(CallMethod::Ivr),
        _ => None,
    }
}

fn answered_by(status: Option<&str>) -> Option<AnsweredBy> {
    match status? {
        "HUMAN_ANSWERED" => Some(AnsweredBy::Human),
        "VOICEMAIL_BEEP" | "VOICEMAIL_NO_BEEP" => Some(AnsweredBy::Machine),
        "FAX_MACHINE_DETECTED" => Some(AnsweredBy::Fax),
        "AMD_UNRESOLVED" => Some(AnsweredBy::Unknown),
        _ => None,
    }
}

fn contact_record(
    root: Record<'_>,
    document: &Map<String, Value>,
    post: &Post<'_>,
    results: &mut Vec<Result<Event, EventError>>,
) {
    if !is_voice(root) {
        return;
    }
    let Some(call_id) = id(root.text(&["ContactId"])) else {
        return results.push(Err(EventError::missing("ContactId")));
    };
    let data = record_data(root, &call_id);
    let updated = root.text(&["LastUpdateTimestamp"]);
    let updated_at = root.time(&["LastUpdateTimestamp"]).or(data.ended_at);
    let version = updated
        .unwrap_or_else(|| record::fingerprint(&Value::Object(document.clone()).to_string()));
    let recording = data.recording.clone();
    let common = EventData {
        call_id: data.call_id.clone(),
        direction: data.direction,
        from: data.from.clone(),
        to: data.to.clone(),
        agent_id: data.agent_id.clone(),
        ..EventData::default()
    };
    results.push(record::event(
        post,
        EventType::CdrCreated,
        event_id("connect", &[&call_id, "cdr", &version]),
        updated_at,
        data,
        "connect",
        document.clone(),
    ));
    if let Some(recording) = recording {
        results.push(record::event(
            post,
            EventType::RecordingAvailable,
            event_id("connect", &[&call_id, "recording"]),
            updated_at,
            EventData {
                recording: Some(recording),
                ..common
            },
            "connect",
            document.clone(),
        ));
    }
}

fn record_data(root: Record<'_>, call_id: &str) -> EventData {
    let direction = direction(root);
    let outbound = direction == Some(Direction::Outbound);
    let address = |name: &str| root.object(&[name]).and_then(|end| end.text(&["Address"]));
    let (customer, system) = (address("CustomerEndpoint"), address("SystemEndpoint"));
    let (from, to) = if outbound {
        (system.clone(), customer)
    } else {
        (customer, system.clone())
    };
    let agent = root.object(&["Agent"]);
    let queue = root.object(&["Queue"]);
    let in_agent = |name: &str| agent.and_then(|agent| agent.seconds(&[name]));

    let with_agent = agent.and_then(|agent| agent.time(&["ConnectedToAgentTimestamp"]));
    let with_system = root.time(&["ConnectedToSystemTimestamp"]);
    let queued = queue.is_some_and(|queue| queue.text(&["EnqueueTimestamp"]).is_some());
    let answered_at = match direction {
        Some(Direction::Outbound) => with_system.or(with_agent),
        _ if queued => with_agent,
        _ => with_agent.or(with_system),
    };
    let amd = root.text(&["AnsweringMachineDetectionStatus"]);
    let disposition = match amd.as_deref() {
        Some("VOICEMAIL_BEEP" | "VOICEMAIL_NO_BEEP") => Disposition::Voicemail,
        Some("SIT_TONE_BUSY") => Disposition::Busy,
        Some("SIT_TONE_DETECTED" | "SIT_TONE_INVALID_NUMBER") => Disposition::Failed,
        Some("AMD_UNANSWERED") => Disposition::NoAnswer,
        Some("AMD_ERROR") if answered_at.is_none() => Disposition::Failed,
        _ if answered_at.is_some() => Disposition::Answered,
        _ => Disposition::NoAnswer,
    };
    let (hangup_party, cause) = disconnect(root.text(&["DisconnectReason"]).as_deref(), outbound);
    let started_at = root.time(&["InitiationTimestamp"]);
    let ended_at = root.time(&["DisconnectTimestamp"]);
    EventData {
        call_id: Some(call_id.to_owned()),
        parent_call_id: id(root.text(&["PreviousContactId", "InitialContactId"])),
        direction,
        call_method: call_method(root),
        from: phone(from),
        to: phone(to),
        display_number: phone(system.filter(|_| outbound)),
        agent_id: agent.and_then(|agent| {
            short(
                agent
                    .text(&["Username"])
                    .or_else(|| arn_tail(agent.text(&["ARN"]))),
            )
        }),
        task_id: campaign(root),
        started_at,
        answered_at,
        ended_at,
        duration: seconds_between(started_at, ended_at),
        billsec: answered_at.map_or(Some(0), |at| seconds_between(Some(at), ended_at)),
        talk_time: in_agent("AgentInteractionDuration"),
        hold_time: in_agent("CustomerHoldDuration"),
        wait_time: queue.and_then(|queue| queue.seconds(&["Duration"])),
        disposition: Some(disposition),
        hangup_party,
        hangup_cause: cause.map(|(name, _)| name.to_owned()),
        hangup_cause_code: cause.map(|(_, code)| code),
        answered_by: answered_by(amd.as_deref()),
        recording: recording(root, call_id),
        ..EventData::default()
    }
}

type Cause = Option<(&'static str, u8)>;

fn disconnect(reason: Option<&str>, outbound: bool) -> (Option<HangupParty>, Cause) {
    const CLEAR: Cause = Some(("NORMAL_CLEARING", 16));
    let (customer, agent) = if outbound {
        (HangupParty::Callee, HangupParty::Caller)
    } else {
        (HangupParty::Caller, HangupParty::Callee)
    };
    match reason {
        None => (None, None),
        Some("CUSTOMER_DISCONNECT") => (Some(customer), CLEAR),
        Some("AGENT_DISCONNECT") => (Some(agent), CLEAR),
        Some("THIRD_PARTY_DISCONNECT") => (None, CLEAR),
        Some("TELECOM_PROBLEM") => (
            Some(HangupParty::System),
            Some(("NETWORK_OUT_OF_ORDER", 38)),
        ),
        Some("OUTBOUND_DESTINATION_ENDPOINT_ERROR") => (
            Some(HangupParty::System),
            Some(("DESTINATION_OUT_OF_ORDER", 27)),
        ),
        Some(_) => (Some(HangupParty::System), None),
    }
}

fn recording(root: Record<'_>, call_id: &str) -> Option<Recording> {
    let recording = root.object(&["Recording"])?;
    if recording.text(&["Status"]).as_deref() != Some("AVAILABLE") {
        return None;
    }
    Some(Recording {
        id: Some(call_id.to_owned()),
        url: location(recording.text(&["Location"])),
        ..Recording::default()
    })
}

fn contact_event(
    root: Record<'_>,
    detail: Record<'_>,
    document: &Map<String, Value>,
    post: &Post<'_>,
) -> Option<Result<Event, EventError>> {
    if !is_voice(detail) {
        return None;
    }
    let direction = direction(detail);
    let outbound = direction == Some(Direction::Outbound);
    let event_type = detail.text(&["eventType"])?;
    let kind = match event_type.as_str() {
        "INITIATED" => EventType::CallRinging,
        "CONNECTED_TO_SYSTEM" if outbound => EventType::CallAnswered,
        "CONNECTED_TO_AGENT" if !outbound => EventType::CallAnswered,
        "DISCONNECTED" => EventType::CallDisconnected,
        _ => return None,
    };
    let Some(call_id) = id(detail.text(&["contactId"])) else {
        return Some(Err(EventError::missing("detail.contactId")));
    };
    let agent = detail.object(&["agentInfo"]);
    let happened: Option<Timestamp> = match (kind, event_type.as_str()) {
        (EventType::CallRinging, _) => detail.time(&["initiationTimestamp"]),
        (_, "CONNECTED_TO_SYSTEM") => detail.time(&["connectedToSystemTimestamp"]),
        (EventType::CallAnswered, _) => agent.and_then(|a| a.time(&["connectedToAgentTimestamp"])),
        _ => detail.time(&["disconnectTimestamp"]),
    }
    .or_else(|| root.time(&["time"]));
    let amd = detail.text(&["answeringMachineDetectionStatus"]);
    let (hangup_party, cause) = disconnect(detail.text(&["disconnectReason"]).as_deref(), outbound);
    let mut data = EventData {
        call_id: Some(call_id.clone()),
        parent_call_id: id(detail.text(&["previousContactId", "initialContactId"])),
        direction,
        call_method: call_method(detail),
        agent_id: short(arn_tail(agent.and_then(|agent| agent.text(&["agentArn"])))),
        task_id: campaign(detail),
        started_at: detail.time(&["initiationTimestamp"]),
        answered_by: answered_by(amd.as_deref()),
        ..EventData::default()
    };
    match kind {
        EventType::CallRinging => data.ringing_at = happened,
        EventType::CallAnswered => data.answered_at = happened,
        _ => {
            data.ended_at = happened;
            data.hangup_party = hangup_party;
            data.hangup_cause = cause.map(|(name, _)| name.to_owned());
            data.hangup_cause_code = cause.map(|(_, code)| code);
        }
    }
    let id = event_id("connect", &[&call_id, &event_type]);
    Some(record::event(
        post,
        kind,
        id,
        happened,
        data,
        "connect",
        document.clone(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::samples;

    #[test]
    fn a_contact_record_gives_its_cdr_and_its_recording() {
        let events = samples::events("connect-contact-record.json");
        let [cdr, recording] = events.as_slice() else {
            panic!("{events:?}")
        };
        assert_eq!(cdr.event_type, EventType::CdrCreated);
        assert_eq!(
            cdr.id,
            "connect:6fe40d2a-1a89-4d73-bfcf-5d9c33890001:cdr:2026-01-31T08:18:35Z"
        );
        let data = &cdr.data;
        assert_eq!(data.direction, Some(Direction::Inbound));
        assert_eq!(
            data.from
                .as_ref()
                .map(crate::event::data::PhoneNumber::as_str),
            Some("+14155550123")
        );
        assert_eq!(
            data.to
                .as_ref()
                .map(crate::event::data::PhoneNumber::as_str),
            Some("+442079460199")
        );
        assert_eq!(data.agent_id.as_deref(), Some("ada"));
        assert_eq!((data.duration, data.billsec), (Some(159), Some(150)));
        assert_eq!(
            (data.talk_time, data.hold_time, data.wait_time),
            (Some(138), Some(12), Some(8))
        );
        assert_eq!(data.disposition, Some(Disposition::Answered));
        assert_eq!(data.hangup_party, Some(HangupParty::Caller));
        assert_eq!(recording.event_type, EventType::RecordingAvailable);
        assert_eq!(recording.data.recording, data.recording);
    }

    #[test]
    fn arrays_lines_and_firehose_envelopes_give_the_same() {
        let array = samples::events("connect-contact-records.json");
        let calls: Vec<_> = array
            .iter()
            .map(|event| event.data.call_id.clone())
            .collect();
        assert_eq!(
            calls.len(),
            4,
            "two calls, one with a recording, and no chat"
        );
        let lines = samples::events("connect-contact-records.ndjson");
        assert_eq!(lines, array);

        let mut firehose = samples::parse("connect-firehose.json").expect("an envelope");
        let broken = firehose.pop().expect("a result").expect_err("not base64");
        assert_eq!(broken.field.as_deref(), Some("records[2].data"));
        let good: Vec<Event> = firehose.into_iter().map(|r| r.expect("an event")).collect();
        assert_eq!(good, array);
        assert_eq!(
            firehose_request_id(&samples::read("connect-firehose.json")).as_deref(),
            Some("ed4acda5-034f-9f42-bba1-f29aea6d7d8f")
        );
        assert_eq!(
            firehose_request_id(&samples::read("connect-contact-record.json")),
            None
        );
    }

    #[test]
    fn calls_that_found_no_agent_say_so() {
        let events = samples::events("connect-contact-records.ndjson");
        let abandoned = &events[2].data;
        assert_eq!(abandoned.disposition, Some(Disposition::NoAnswer));
        assert_eq!((abandoned.billsec, abandoned.answered_at), (Some(0), None));
        let campaign = &events[3].data;
        assert_eq!(campaign.direction, Some(Direction::Outbound));
        assert_eq!(campaign.disposition, Some(Disposition::Voicemail));
        assert_eq!(campaign.answered_by, Some(AnsweredBy::Machine));
        assert_eq!(campaign.call_method, Some(CallMethod::Predictive));
        assert_eq!(
            campaign
                .display_number
                .as_ref()
                .map(crate::event::data::PhoneNumber::as_str),
            Some("+442079460199")
        );
        assert_eq!(
            campaign
                .to
                .as_ref()
                .map(crate::event::data::PhoneNumber::as_str),
            Some("+14155550123")
        );
    }

    #[test]
    fn contact_events_are_call_states() {
        for (name, event_type, at) in [
            ("initiated", EventType::CallRinging, "2026-01-31T08:15:00Z"),
            (
                "connected-to-agent",
                EventType::CallAnswered,
                "2026-01-31T08:15:09Z",
            ),
            (
                "disconnected",
                EventType::CallDisconnected,
                "2026-01-31T08:17:39Z",
            ),
        ] {
            let event = samples::event(&format!("connect-event-{name}.json"));
            assert_eq!(event.event_type, event_type);
            assert_eq!(event.timestamp.to_string(), at, "{name}");
            assert_eq!(
                event.data.call_id.as_deref(),
                Some("6fe40d2a-1a89-4d73-bfcf-5d9c33890001")
            );
        }
        assert!(samples::events("connect-event-queued.json").is_empty());
        let over = samples::event("connect-event-disconnected.json");
        assert_eq!(over.data.hangup_party, Some(HangupParty::Caller));
        assert_eq!(
            over.id,
            "connect:6fe40d2a-1a89-4d73-bfcf-5d9c33890001:DISCONNECTED"
        );
    }

    #[test]
    fn a_broken_line_is_refused_alone() {
        let mut body = samples::text("connect-contact-records.ndjson");
        body.insert_str(0, "{\"ContactId\": oops}\n");
        let post = Post {
            content_type: None,
            query: None,
            body: body.as_bytes(),
            account_id: samples::ACCOUNT,
            received_at: samples::received_at(),
        };
        let results = parse(&post).expect("lines");
        assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1);
        assert_eq!(results.len(), 5);
    }
}
