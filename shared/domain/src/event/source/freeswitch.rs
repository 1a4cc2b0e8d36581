//! `FreeSWITCH` call detail records, as `mod_json_cdr` posts them.
//!
//! The body is the JSON itself (`application/json`), the same percent-encoded in a form field `cdr`
//! (`encode=true`, `application/x-www-form-urlencoded`) or base64 there (`encode=base64`,
//! `application/x-www-form-base64-encoded`). A list of records is taken too, for files that are
//! sent again. One record gives one `cdr.created`; the whole record is kept as
//! `source.freeswitch`.
//!
//! | ours | from (first that is there) |
//! | --- | --- |
//! | `id` | `freeswitch:{uuid}:cdr` |
//! | `call_id` | `variables.uuid`, `callflow.caller_profile.uuid`, `?uuid=` without the prefix `a_` or `b_` |
//! | `parent_call_id` | the originator's uuid: the record is of a B leg |
//! | `direction` | `variables.call_direction`; extension to extension is internal, extension to number outbound, number to extension inbound; `variables.direction` |
//! | `from`, `to` | `caller_id_number` and `destination_number` of the first profile (`profile_index` 1: before any transfer), `sip_from_user`, `sip_to_user` |
//! | `display_number` | `effective_caller_id_number`, `origination_caller_id_number` |
//! | `extension` | `dialed_user`; outbound the calling extension |
//! | `agent_id` | `cc_agent` |
//! | `custom_id` | `ringfence_custom_id`, a channel variable for integrators to set |
//! | `started_at`, `ringing_at`, `answered_at`, `ended_at` | `start_uepoch`, `progress_uepoch` or `progress_media_uepoch`, `answer_uepoch`, `end_uepoch`; `callflow.times` (µs; the `_stamp`s are local time without a zone) |
//! | `duration`, `billsec`, `wait_time`, `hold_time` | `duration`, `billsec`, `waitsec`, `hold_accum_seconds` |
//! | `ring_time`, `talk_time` | ringing to answer or end; `billsec` less `hold_time` |
//! | `disposition` | answered: `answered`, or `voicemail` when `last_app` is; else from the cause, below |
//! | `hangup_cause`, `hangup_cause_code` | `hangup_cause`, `hangup_cause_q850` |
//! | `hangup_party` | `sip_hangup_disposition`, below |
//! | `recording.url`, `.duration` | `cc_record_filename`, `record_path` and `record_name`, `recording_file`; `record_seconds` |
//!
//! Not answered: `USER_BUSY`, `CALL_REJECTED` → `busy`; `NO_ANSWER`, `NO_USER_RESPONSE`,
//! `ALLOTTED_TIMEOUT`, `PROGRESS_TIMEOUT`, `SUBSCRIBER_ABSENT` → `no_answer`; `ORIGINATOR_CANCEL`,
//! `LOSE_RACE`, or a caller that hung up → `canceled`; any other → `failed`. A plain
//! `NORMAL_CLEARING` tells nothing then: the cause of the bridge or of originate stands in.
//!
//! Who hung up: a BYE or CANCEL that the leg's own party sent is that party; one that `FreeSWITCH`
//! sent it is the other party, if there was one on the bridge, else the system; a refusal by or to
//! the called party is the callee's, when the cause is busy or rejected.
//!
//! Old versions write each profile of the callflow under its own key `callflow`; new ones a list.
//! With `encode-values` the variables are percent-encoded: those used above are decoded, `source`
//! stays as sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::Post;
use super::record::{
    self, Record, cause, direction_of, event_id, free, id, is_extension, location, phone,
    seconds_between, short,
};
use crate::event::{
    Batch, BatchError, Direction, Disposition, ErrorCode, Event, EventData, EventError, EventType,
    HangupParty, Recording, native,
};

/// Reads the records of a post.
///
/// # Errors
/// When the form or the base64 around the JSON is broken, or there is none.
pub fn parse(post: &Post<'_>) -> Batch {
    let text = record::body(post)?;
    let json = match record::media_type(post).as_str() {
        "application/x-www-form-urlencoded" => form(text)?,
        "application/x-www-form-base64-encoded" => base64(text)?,
        // mod_json_cdr names its type; curl, and whoever sends a file again, may not.
        _ if text.starts_with("cdr=") => form(text)?,
        _ => text.to_owned(),
    };
    let json = json.trim_ascii();
    match json.as_bytes().first() {
        None => Err(BatchError::Empty),
        Some(b'[') => Ok(native::split_array(json)?
            .into_iter()
            .map(|one| cdr(one, post))
            .collect()),
        Some(_) => match cdr(json, post) {
            Err(error) if error.code == ErrorCode::Malformed => Err(BatchError::Malformed {
                reason: error.reason,
            }),
            result => Ok(vec![result]),
        },
    }
}

const EXPECTED: &str = "a form with the field cdr, or JSON";

fn form(text: &str) -> Result<String, BatchError> {
    record::pairs(text)?
        .into_iter()
        .find(|(name, _)| name == "cdr")
        .map(|(_, value)| value)
        .ok_or(BatchError::UnsupportedContentType { expected: EXPECTED })
}

fn base64(text: &str) -> Result<String, BatchError> {
    let encoded = text
        .strip_prefix("cdr=")
        .ok_or(BatchError::UnsupportedContentType { expected: EXPECTED })?;
    // Sent as it is, `+` and all; a proxy may have escaped it, curl may have broken its lines.
    let plain: String = percent_decode(encoded).split_ascii_whitespace().collect();
    let bytes = STANDARD
        .decode(plain)
        .map_err(|_| BatchError::malformed("is not valid base64"))?;
    String::from_utf8(bytes).map_err(|_| BatchError::malformed("is not valid UTF-8"))
}

/// Undoes `%2B`; text that is not percent-encoded stays as it is.
fn percent_decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let hex = |byte: &u8| {
        char::from(*byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        match (byte, after) {
            (b'%', [high, low, tail @ ..]) if hex(high).is_some() && hex(low).is_some() => {
                bytes.push(hex(high).unwrap_or(0) << 4 | hex(low).unwrap_or(0));
                rest = tail;
            }
            _ => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// The variables of a record, decoded as they are read.
struct Variables<'a>(Option<Record<'a>>);

impl Variables<'_> {
    fn text(&self, names: &[&str]) -> Option<String> {
        self.0?.text(names).map(|text| percent_decode(&text))
    }
}

fn cdr(text: &str, post: &Post<'_>) -> Result<Event, EventError> {
    let document = record::object(text, &["callflow"])?;
    let data = read(&document, post)?;
    let call_id = data.call_id.clone().unwrap_or_default();
    let timestamp = data.ended_at;
    let id = event_id("freeswitch", &[&call_id, "cdr"]);
    record::event(
        post,
        EventType::CdrCreated,
        id,
        timestamp,
        data,
        "freeswitch",
        document,
    )
}

fn read(document: &Map<String, Value>, post: &Post<'_>) -> Result<EventData, EventError> {
    let root = Record(document);
    let flows: Vec<Record<'_>> = match document.get("callflow") {
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(Value::as_object)
            .map(Record)
            .collect(),
        Some(Value::Object(one)) => vec![Record(one)],
        _ => Vec::new(),
    };
    let variables = root.object(&["variables"]);
    if variables.is_none() && flows.is_empty() {
        return Err(EventError::missing("variables"));
    }
    let vars = Variables(variables);
    // Newest first: the last one is what was dialled, before any transfer.
    let first = flows
        .iter()
        .find(|flow| flow.text(&["profile_index"]).as_deref() == Some("1"))
        .or(flows.last())
        .and_then(|flow| flow.object(&["caller_profile"]));
    let profile = |name: &str| {
        first
            .and_then(|p| p.text(&[name]))
            .map(|text| percent_decode(&text))
    };
    let newest = flows.first().and_then(|flow| flow.object(&["times"]));
    let time = |variable: &str, times: &str| {
        variables
            .and_then(|v| v.micros(&[variable]))
            .or_else(|| newest?.micros(&[times]))
    };
    let seconds = |names: &[&str]| variables.and_then(|v| v.seconds(names));

    let mut data = EventData {
        call_id: id(vars
            .text(&["uuid"])
            .or_else(|| profile("uuid"))
            .or_else(|| query_uuid(post))),
        parent_call_id: originator(&flows),
        from: phone(profile("caller_id_number").or_else(|| vars.text(&["sip_from_user"]))),
        to: phone(
            profile("destination_number").or_else(|| vars.text(&["sip_to_user", "sip_req_user"])),
        ),
        display_number: phone(
            vars.text(&["effective_caller_id_number", "origination_caller_id_number"]),
        ),
        agent_id: short(vars.text(&["cc_agent"])),
        custom_id: free(vars.text(&["ringfence_custom_id"])),
        started_at: time("start_uepoch", "created_time"),
        ringing_at: time("progress_uepoch", "progress_time")
            .or_else(|| time("progress_media_uepoch", "progress_media_time")),
        answered_at: time("answer_uepoch", "answered_time"),
        ended_at: time("end_uepoch", "hangup_time"),
        duration: seconds(&["duration"]),
        billsec: seconds(&["billsec"]),
        wait_time: seconds(&["waitsec"]),
        hold_time: seconds(&["hold_accum_seconds"]),
        hangup_cause: cause(vars.text(&["hangup_cause"])),
        hangup_cause_code: variables
            .and_then(|v| v.integer(&["hangup_cause_q850"]))
            .and_then(|code| u8::try_from(code).ok())
            .filter(|code| *code <= 127),
        recording: recording(&vars, seconds(&["record_seconds"])),
        ..EventData::default()
    };
    if data.call_id.is_none() {
        return Err(EventError::missing("variables.uuid"));
    }
    data.duration = data
        .duration
        .or_else(|| seconds_between(data.started_at, data.ended_at));
    data.billsec = data
        .billsec
        .or_else(|| seconds_between(data.answered_at, data.ended_at));
    data.ring_time = seconds_between(data.ringing_at, data.answered_at.or(data.ended_at));
    data.talk_time = data
        .answered_at
        .and(data.billsec)
        .map(|billed| billed.saturating_sub(data.hold_time.unwrap_or(0)));
    data.direction = direction(&vars, &data);
    data.extension = short(extension(&vars, &data));
    data.hangup_party = hangup_party(&vars, &data);
    data.disposition = Some(disposition(&vars, &data));
    Ok(data)
}

/// `?uuid=a_...`: with `prefix-a-leg` the name of an A leg's record begins with `a_`.
fn query_uuid(post: &Post<'_>) -> Option<String> {
    let uuid = record::query(post, "uuid")?;
    let bare = uuid
        .strip_prefix("a_")
        .or_else(|| uuid.strip_prefix("b_"))
        .unwrap_or(&uuid);
    Some(bare.to_owned())
}

fn originator(flows: &[Record<'_>]) -> Option<String> {
    let originator = flows
        .iter()
        .find_map(|flow| flow.object(&["caller_profile"])?.object(&["originator"]))?;
    let profile =
        match originator.value(&["originator_caller_profiles", "originator_caller_profile"])? {
            Value::Array(list) => list.first()?.as_object()?,
            Value::Object(one) => one,
            _ => return None,
        };
    id(Record(profile).text(&["uuid"]))
}

fn recording(vars: &Variables<'_>, duration: Option<u32>) -> Option<Recording> {
    let in_path = || {
        let path = vars.text(&["record_path"])?;
        let name = vars.text(&["record_name"])?;
        Some(format!("{}/{name}", path.trim_end_matches('/')))
    };
    let url = vars
        .text(&["cc_record_filename"])
        .or_else(in_path)
        .or_else(|| vars.text(&["recording_file"]));
    Some(Recording {
        url: Some(location(url)?),
        duration,
        ..Recording::default()
    })
}

fn direction(vars: &Variables<'_>, data: &EventData) -> Option<Direction> {
    let named = |name: &str| match vars.text(&[name])?.to_ascii_lowercase().as_str() {
        "inbound" => Some(Direction::Inbound),
        "outbound" => Some(Direction::Outbound),
        "local" | "internal" => Some(Direction::Internal),
        _ => None,
    };
    named("call_direction")
        .or_else(|| direction_of(data.from.as_ref(), data.to.as_ref()))
        .or_else(|| named("direction"))
}

fn extension(vars: &Variables<'_>, data: &EventData) -> Option<String> {
    let caller = || {
        data.from
            .as_ref()
            .map(|n| n.as_str().to_owned())
            .filter(|number| is_extension(number))
    };
    match data.direction {
        Some(Direction::Outbound) => caller().or_else(|| vars.text(&["sip_from_user"])),
        _ => vars.text(&["dialed_user"]),
    }
}

fn hangup_party(vars: &Variables<'_>, data: &EventData) -> Option<HangupParty> {
    let disposition = vars.text(&["sip_hangup_disposition"])?;
    let (own, other) = if data.parent_call_id.is_some() {
        (HangupParty::Callee, HangupParty::Caller)
    } else {
        (HangupParty::Caller, HangupParty::Callee)
    };
    let refused = matches!(
        data.hangup_cause.as_deref(),
        Some("USER_BUSY" | "CALL_REJECTED")
    );
    let canceled = data.hangup_cause.as_deref() == Some("ORIGINATOR_CANCEL");
    Some(match disposition.as_str() {
        "recv_bye" | "recv_cancel" => own,
        "send_bye"
            if vars
                .text(&["bridge_uuid", "last_bridge_to", "signal_bond"])
                .is_some() =>
        {
            other
        }
        "recv_refuse" | "send_refuse" if refused => HangupParty::Callee,
        "send_cancel" if canceled => other,
        "recv_refuse" | "send_bye" | "send_refuse" | "send_cancel" => HangupParty::System,
        _ => return None,
    })
}

fn disposition(vars: &Variables<'_>, data: &EventData) -> Disposition {
    if data.answered_at.is_some() {
        return match vars.text(&["last_app"]).as_deref() {
            Some("voicemail") => Disposition::Voicemail,
            _ => Disposition::Answered,
        };
    }
    let plain = |cause: &String| matches!(cause.as_str(), "NORMAL_CLEARING" | "NORMAL_UNSPECIFIED");
    let cause = data
        .hangup_cause
        .clone()
        .filter(|cause| !plain(cause))
        .or_else(|| {
            vars.text(&["bridge_hangup_cause"])
                .filter(|cause| !plain(cause))
        })
        .or_else(|| {
            vars.text(&["originate_disposition"])
                .filter(|cause| cause != "SUCCESS")
        });
    match cause.as_deref() {
        Some("USER_BUSY" | "CALL_REJECTED") => Disposition::Busy,
        Some("ORIGINATOR_CANCEL" | "LOSE_RACE") => Disposition::Canceled,
        None if data.hangup_party == Some(HangupParty::Caller) => Disposition::Canceled,
        None
        | Some(
            "NO_ANSWER" | "NO_USER_RESPONSE" | "ALLOTTED_TIMEOUT" | "PROGRESS_TIMEOUT"
            | "SUBSCRIBER_ABSENT",
        ) => Disposition::NoAnswer,
        Some(_) => Disposition::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::samples::{self, ACCOUNT, received_at};

    fn time(text: &str) -> Option<jiff::Timestamp> {
        text.parse().ok()
    }

    fn number(number: Option<&crate::event::PhoneNumber>) -> &str {
        number.map_or("", crate::event::PhoneNumber::as_str)
    }

    #[test]
    fn a_cdr_that_a_freeswitch_wrote_is_read() {
        let event = samples::event("freeswitch-cdr.json");
        assert_eq!(event.event_type, EventType::CdrCreated);
        assert_eq!(
            event.id,
            "freeswitch:3da8bf84-c133-4959-9e24-e72875cb33a1:cdr"
        );
        assert_eq!(Some(event.timestamp), time("2018-01-11T10:26:55.494269Z"));
        let data = &event.data;
        assert_eq!(
            data.call_id.as_deref(),
            Some("3da8bf84-c133-4959-9e24-e72875cb33a1")
        );
        assert_eq!(data.parent_call_id, None);
        assert_eq!(data.direction, Some(Direction::Internal));
        assert_eq!(number(data.from.as_ref()), "1001");
        assert_eq!(number(data.to.as_ref()), "1002");
        assert_eq!(data.extension.as_deref(), Some("1002"));
        // The stamps say 11:25:44: local time of that machine.
        assert_eq!(data.started_at, time("2018-01-11T10:25:44.534355Z"));
        assert_eq!(data.ringing_at, time("2018-01-11T10:25:44.594267Z"));
        assert_eq!(data.answered_at, time("2018-01-11T10:25:47.954373Z"));
        assert_eq!(data.ended_at, time("2018-01-11T10:26:55.494269Z"));
        assert_eq!((data.duration, data.billsec), (Some(71), Some(68)));
        assert_eq!((data.ring_time, data.wait_time), (Some(3), Some(3)));
        assert_eq!((data.hold_time, data.talk_time), (Some(67), Some(1)));
        assert_eq!(data.disposition, Some(Disposition::Answered));
        assert!(data.started_at.is_some());
        assert_eq!(data.hangup_cause.as_deref(), Some("NORMAL_CLEARING"));
        assert_eq!(data.hangup_cause_code, Some(16));
        assert_eq!(data.hangup_party, Some(HangupParty::Callee));
        // Everything it sent is still there.
        let sent: Value =
            serde_json::from_slice(&samples::read("freeswitch-cdr.json")).expect("JSON");
        assert_eq!(
            data.source.as_ref().and_then(|s| s.0.get("freeswitch")),
            Some(&sent)
        );
    }

    #[test]
    fn every_encoding_gives_the_same_event() {
        let plain = samples::event("freeswitch-inbound.json");
        for name in ["freeswitch-form.txt", "freeswitch-base64.txt"] {
            assert_eq!(samples::event(name), plain, "{name}");
        }
        let encoded = samples::event("freeswitch-encoded-values.json");
        assert_eq!(
            EventData {
                source: None,
                ..encoded.data
            },
            EventData {
                source: None,
                ..plain.data.clone()
            }
        );
        assert_eq!(number(plain.data.from.as_ref()), "+14155550123");
        assert_eq!(plain.data.agent_id.as_deref(), Some("ada"));
        assert_eq!(
            plain
                .data
                .recording
                .and_then(|recording| recording.url)
                .as_deref(),
            Some("/var/lib/freeswitch/recordings/pbx1/14155550123-2001.wav")
        );
    }

    #[test]
    fn old_callflows_are_read_too() {
        let event = samples::event("freeswitch-old-callflow-object.json");
        assert_eq!(number(event.data.to.as_ref()), "4155550199");
        // Two objects under one key: the call was transferred to 2001.
        let event = samples::event("freeswitch-old-callflow-repeated.json");
        assert_eq!(number(event.data.to.as_ref()), "4155550199");
        let flows = event
            .data
            .source
            .as_ref()
            .and_then(|s| s.0["freeswitch"]["callflow"].as_array());
        assert_eq!(flows.map(Vec::len), Some(2));
    }

    #[test]
    fn how_a_call_ended_is_told() {
        use Disposition::{Busy, Canceled, NoAnswer};
        for (name, disposition, party, direction) in [
            (
                "no-answer",
                NoAnswer,
                HangupParty::System,
                Some(Direction::Outbound),
            ),
            ("busy", Busy, HangupParty::Callee, Some(Direction::Outbound)),
            (
                "canceled",
                Canceled,
                HangupParty::Caller,
                Some(Direction::Inbound),
            ),
            (
                "b-leg",
                Disposition::Answered,
                HangupParty::Caller,
                Some(Direction::Inbound),
            ),
        ] {
            let data = samples::event(&format!("freeswitch-{name}.json")).data;
            assert_eq!(data.disposition, Some(disposition), "{name}");
            assert_eq!(data.hangup_party, Some(party), "{name}");
            assert_eq!(data.direction, direction, "{name}");
            assert_eq!(
                data.answered_at.is_some(),
                disposition == Disposition::Answered,
                "{name}"
            );
        }
        let b_leg = samples::event("freeswitch-b-leg.json");
        let a_leg = samples::event("freeswitch-inbound.json");
        assert_eq!(b_leg.data.parent_call_id, a_leg.data.call_id);
        // 487 is no Q.850 cause.
        assert_eq!(
            samples::event("freeswitch-canceled.json")
                .data
                .hangup_cause_code,
            None
        );
    }

    #[test]
    fn the_uuid_of_the_query_stands_in_without_its_prefix() {
        let body = br#"{"variables":{"end_uepoch":"1769847300000000"}}"#;
        let parse_with = |query| {
            parse(&Post {
                content_type: None,
                query,
                body,
                account_id: ACCOUNT,
                received_at: received_at(),
            })
        };
        let results = parse_with(Some("uuid=a_6b0c1a52&x=1")).expect("a record");
        let event = results[0].as_ref().expect("an event");
        assert_eq!(event.data.call_id.as_deref(), Some("6b0c1a52"));
        let results = parse_with(None).expect("a record");
        let error = results[0].as_ref().expect_err("no uuid anywhere");
        assert_eq!(error.field.as_deref(), Some("variables.uuid"));
    }

    #[test]
    fn what_is_no_cdr_is_refused() {
        let parse = |content_type, body: &[u8]| {
            parse(&Post {
                content_type,
                query: None,
                body,
                account_id: ACCOUNT,
                received_at: received_at(),
            })
        };
        let form = Some("application/x-www-form-urlencoded");
        let base64 = Some("application/x-www-form-base64-encoded");
        assert!(matches!(
            parse(form, b"x=1"),
            Err(BatchError::UnsupportedContentType { .. })
        ));
        assert!(matches!(
            parse(base64, b"cdr=%%%"),
            Err(BatchError::Malformed { .. })
        ));
        assert!(matches!(
            parse(None, b"{\"variables\":"),
            Err(BatchError::Malformed { .. })
        ));
        assert!(matches!(parse(None, b""), Err(BatchError::Empty)));
        assert!(parse(None, b"{}").expect("read")[0].is_err());
        let twice = br#"{"variables":{"uuid":"a","uuid":"b"}}"#;
        let results = parse(None, twice).expect("read");
        assert_eq!(
            results[0].as_ref().expect_err("duplicate").code,
            ErrorCode::DuplicateKey
        );
    }
}
