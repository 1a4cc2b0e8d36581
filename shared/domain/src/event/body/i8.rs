//! The pushes of the I8 voice platform, field for field, so that its integrators keep their receiver.
//! Shapes and types as its API pages print them ("Common API - call record callback parameters",
//! "Extension call state callback parameters", "Predictive outbound - task status callback").
//! What is unknown is an empty string (0 where it prints an integer), as there; no field is left out.
//!
//! **CDR push** — `cdr.created`, and `recording.available` with what the event knows:
//!
//! | field | type | from |
//! | --- | --- | --- |
//! | `id` | integer | the event's `id` when that is one, else the first 53 bits of its SHA-256 |
//! | `uuid` | string | `call_id` |
//! | `companycode` | string | the account |
//! | `type`, `direction` | string | `direction`: inbound `callin`, else `callout` |
//! | `callmethod` | integer | `call_method`: extension 1, manual 2, api 3, `double_call` 4, predictive 5, ivr 6, absent 0; a call with a task and no method 5 |
//! | `starttime`, `answertime`, `endtime` | string | `started_at`, `answered_at`, `ended_at` as `2025-10-16 17:31:13` in Beijing time (UTC+8), the platform's own |
//! | `duration`, `billsec` | integer | `duration`, `billsec` |
//! | `userid`, `crmid` | string | `agent_id`; `crmid` is the older name of the same |
//! | `memberid`, `userkey` | string | `source.memberid`, `source.userkey` |
//! | `customuuid` | string | `custom_id` |
//! | `disnumber` | string | `display_number`, else `from` |
//! | `destnumber` | string | `to` |
//! | `extnumber` | string | `extension` |
//! | `recordfilename` | string | path of `recording.url`; without a URL `recording.id` |
//! | `downloadip` | string | host of `recording.url` |
//! | `hangupdirection` | integer | `source.hangupdirection` if that is an integer, else `hangup_party`: caller 1, callee 2, system 3, absent 0 (the platform's own codes are not published) |
//! | `hangupcause` | integer | `source.hangupcause` if that is an integer, else `hangup_cause_code` (Q.850) |
//! | `taskid` | string | `task_id` |
//!
//! **Call status push** — `call.*`, and `predictive_task.call_*` with `taskid` besides:
//!
//! | field | type | from |
//! | --- | --- | --- |
//! | `uuid`, `buuid` | string | `call_id`, `parent_call_id` |
//! | `caller`, `callee` | string | `from`, `to` |
//! | `disnumber`, `extnumber`, `customuuid` | string | `display_number`, `extension`, `custom_id` |
//! | `direction` | string | `callin`, `callout` |
//! | `isbleg` | string | `leg`: customer `"true"`, else `"false"` |
//! | `method` | string | as `callmethod`, in quotes |
//! | `starttime` | string | `started_at`, else `timestamp`: Unix time in seconds, in quotes |
//! | `status` | string | ringing `ring`, answered `answer`, disconnected and unanswered `hangup` |
//! | `type` | string | `call` |
//! | `companycode` | string | the account |
//!
//! **Predictive task push** — `predictive_task.completed`:
//!
//! | field | type | from |
//! | --- | --- | --- |
//! | `taskid` | string | `task_id` |
//! | `companycode` | string | the account |
//! | `status` | integer | 3, ended |
//! | `endtype` | string | `end_reason`: timeout `timeout`, over and stopped `over` (it knows no third) |

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde::Serialize;
use serde_json::Value;

use crate::event::{
    CallMethod, Direction, EndReason, Event, EventData, EventType, HangupParty, Leg, PhoneNumber,
    Recording,
};

/// One push.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Push<'a> {
    Cdr(Box<Cdr<'a>>),
    Status(Box<Status<'a>>),
    Task(Task<'a>),
}

#[derive(Serialize)]
pub struct Cdr<'a> {
    id: u64,
    uuid: &'a str,
    companycode: &'a str,
    #[serde(rename = "type")]
    call_type: &'static str,
    direction: &'static str,
    callmethod: u8,
    starttime: String,
    answertime: String,
    endtime: String,
    duration: u32,
    billsec: u32,
    crmid: &'a str,
    userid: &'a str,
    memberid: &'a str,
    customuuid: &'a str,
    userkey: &'a str,
    disnumber: &'a str,
    destnumber: &'a str,
    extnumber: &'a str,
    recordfilename: &'a str,
    downloadip: &'a str,
    hangupdirection: i64,
    hangupcause: i64,
    taskid: &'a str,
}

#[derive(Serialize)]
#[allow(clippy::struct_field_names, reason = "the platform's own names")]
pub struct Status<'a> {
    uuid: &'a str,
    buuid: &'a str,
    caller: &'a str,
    callee: &'a str,
    disnumber: &'a str,
    extnumber: &'a str,
    direction: &'static str,
    isbleg: &'static str,
    method: &'static str,
    starttime: String,
    status: &'static str,
    #[serde(rename = "type")]
    call_type: &'static str,
    companycode: &'a str,
    customuuid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    taskid: Option<&'a str>,
}

#[derive(Serialize)]
pub struct Task<'a> {
    taskid: &'a str,
    companycode: &'a str,
    status: u8,
    endtype: &'static str,
}

/// The push that tells what the event tells.
pub fn push(event: &Event) -> Push<'_> {
    let data = &event.data;
    match event.event_type {
        EventType::CdrCreated | EventType::RecordingAvailable => Push::Cdr(Box::new(cdr(event))),
        EventType::CallRinging
        | EventType::CallAnswered
        | EventType::CallDisconnected
        | EventType::PredictiveTaskCallAnswered
        | EventType::PredictiveTaskCallUnanswered => Push::Status(Box::new(status(event))),
        EventType::PredictiveTaskCompleted => Push::Task(Task {
            taskid: text(data.task_id.as_ref()),
            companycode: &event.account_id,
            status: 3,
            endtype: match data.end_reason {
                Some(EndReason::Timeout) => "timeout",
                _ => "over",
            },
        }),
    }
}

fn cdr(event: &Event) -> Cdr<'_> {
    let data = &event.data;
    let (downloadip, recordfilename) = data.recording.as_ref().map_or(("", ""), recording);
    Cdr {
        id: numeric_id(&event.id),
        uuid: text(data.call_id.as_ref()),
        companycode: &event.account_id,
        call_type: direction(data.direction),
        direction: direction(data.direction),
        callmethod: method(data).0,
        starttime: beijing(data.started_at),
        answertime: beijing(data.answered_at),
        endtime: beijing(data.ended_at),
        duration: data.duration.unwrap_or(0),
        billsec: data.billsec.unwrap_or(0),
        crmid: text(data.agent_id.as_ref()),
        userid: text(data.agent_id.as_ref()),
        memberid: source_text(data, "memberid"),
        customuuid: text(data.custom_id.as_ref()),
        userkey: source_text(data, "userkey"),
        disnumber: number(data.display_number.as_ref().or(data.from.as_ref())),
        destnumber: number(data.to.as_ref()),
        extnumber: text(data.extension.as_ref()),
        recordfilename,
        downloadip,
        hangupdirection: source_integer(data, "hangupdirection").unwrap_or(
            match data.hangup_party {
                Some(HangupParty::Caller) => 1,
                Some(HangupParty::Callee) => 2,
                Some(HangupParty::System) => 3,
                None => 0,
            },
        ),
        hangupcause: source_integer(data, "hangupcause")
            .unwrap_or_else(|| data.hangup_cause_code.map_or(0, i64::from)),
        taskid: text(data.task_id.as_ref()),
    }
}

fn status(event: &Event) -> Status<'_> {
    let data = &event.data;
    let of_task = event.event_type.kind() == crate::event::CallbackKind::PredictiveTask;
    Status {
        uuid: text(data.call_id.as_ref()),
        buuid: text(data.parent_call_id.as_ref()),
        caller: number(data.from.as_ref()),
        callee: number(data.to.as_ref()),
        disnumber: number(data.display_number.as_ref()),
        extnumber: text(data.extension.as_ref()),
        direction: direction(data.direction),
        isbleg: if data.leg == Some(Leg::Customer) {
            "true"
        } else {
            "false"
        },
        method: method(data).1,
        starttime: data
            .started_at
            .unwrap_or(event.timestamp)
            .as_second()
            .to_string(),
        status: match event.event_type {
            EventType::CallRinging => "ring",
            EventType::CallAnswered | EventType::PredictiveTaskCallAnswered => "answer",
            _ => "hangup",
        },
        call_type: "call",
        companycode: &event.account_id,
        customuuid: text(data.custom_id.as_ref()),
        taskid: of_task.then(|| text(data.task_id.as_ref())),
    }
}

fn text(value: Option<&String>) -> &str {
    value.map_or("", String::as_str)
}

fn number(value: Option<&PhoneNumber>) -> &str {
    value.map_or("", PhoneNumber::as_str)
}

fn source_text<'a>(data: &'a EventData, name: &str) -> &'a str {
    data.source
        .as_ref()
        .and_then(|source| source.0.get(name))
        .and_then(Value::as_str)
        .unwrap_or("")
}

fn source_integer(data: &EventData, name: &str) -> Option<i64> {
    data.source.as_ref()?.0.get(name)?.as_i64()
}

const fn direction(direction: Option<Direction>) -> &'static str {
    match direction {
        Some(Direction::Inbound) => "callin",
        _ => "callout",
    }
}

const fn method(data: &EventData) -> (u8, &'static str) {
    match data.call_method {
        Some(CallMethod::Extension) => (1, "1"),
        Some(CallMethod::Manual) => (2, "2"),
        Some(CallMethod::Api) => (3, "3"),
        Some(CallMethod::DoubleCall) => (4, "4"),
        Some(CallMethod::Predictive) => (5, "5"),
        Some(CallMethod::Ivr) => (6, "6"),
        None if data.task_id.is_some() => (5, "5"),
        None => (0, "0"),
    }
}

fn beijing(time: Option<Timestamp>) -> String {
    time.map_or_else(String::new, |time| {
        let local = time
            .to_zoned(TimeZone::fixed(Offset::constant(8)))
            .datetime();
        format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            local.year(),
            local.month(),
            local.day(),
            local.hour(),
            local.minute(),
            local.second()
        )
    })
}

/// Host and path of where a recording is kept.
fn recording(recording: &Recording) -> (&str, &str) {
    match &recording.url {
        None => ("", text(recording.id.as_ref())),
        Some(url) => match url.split_once("://") {
            None => ("", url),
            Some((_, rest)) => {
                let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
                let path = path.split(['?', '#']).next().unwrap_or_default();
                // Whoever put a password into the URL did not mean it for this field.
                (host.rsplit('@').next().unwrap_or_default(), path)
            }
        },
    }
}

/// An integer that a receiver in any language holds exactly: at most 53 bits.
fn numeric_id(id: &str) -> u64 {
    const MAX: u64 = (1 << 53) - 1;
    if let Ok(number) = id.parse::<u64>()
        && number <= MAX
    {
        return number;
    }
    let hash = ring::digest::digest(&ring::digest::SHA256, id.as_bytes());
    hash.as_ref()
        .iter()
        .take(8)
        .fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte))
        >> 11
}
