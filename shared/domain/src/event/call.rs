//! The record of a call, put together from whatever events of it have come, in whatever order.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::data::{EventData, Recording};
use super::{Event, EventType};

/// How far a call has come. Ordered: a call never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// It rings.
    Ringing,
    /// It was answered. A recording tells as much.
    Answered,
    /// It is over.
    Disconnected,
    /// Its call detail record is there.
    Completed,
}

/// The record of one call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The platform's id of the call.
    pub call_id: String,
    /// The account it belongs to.
    pub account_id: String,
    /// How far it has come.
    pub state: CallState,
    /// The time of the latest event of it.
    pub updated_at: Timestamp,
    /// Each field from the most authoritative event that has it.
    pub data: EventData,
}

/// Puts the record together: of a set of events always the same record, whatever their order and
/// however often each stands there.
///
/// A field comes from the CDR if that has it, else from disconnected, answered, ringing, in this
/// order; between two of one kind the later timestamp wins, then the greater id. `recording` is
/// merged field by field in the same manner, with `recording.available` above all; a recording
/// that was once redacted or deleted stays so.
///
/// Events without a call id are passed over, as are those of another call than the one with the
/// least id: the caller is to give the events of one call. `None` when nothing is left.
pub fn fold<'a>(events: impl IntoIterator<Item = &'a Event>) -> Option<Call> {
    let mut events: Vec<(&str, &Event)> = events
        .into_iter()
        .filter_map(|event| Some((event.data.call_id.as_deref()?, event)))
        .collect();
    let call_id = events.iter().map(|(call_id, _)| *call_id).min()?;
    events.retain(|(id, _)| *id == call_id);

    let mut events: Vec<&Event> = events.into_iter().map(|(_, event)| event).collect();
    events.sort_by(|a, b| order(a, authority(a.event_type), b, authority(b.event_type)));

    let latest = events.last()?;
    let account_id = latest.account_id.clone();
    let state = events.iter().map(|event| state(event.event_type)).max()?;
    let updated_at = events.iter().map(|event| event.timestamp).max()?;
    let mut data = EventData::default();
    for event in &events {
        overlay(&mut data, &event.data);
    }

    events.sort_by(|a, b| order(a, recording_authority(a), b, recording_authority(b)));
    data.recording = events
        .iter()
        .fold(None, |known, event| match &event.data.recording {
            Some(recording) => Some(merge_recording(known, recording)),
            None => known,
        });
    Some(Call {
        call_id: call_id.to_owned(),
        account_id,
        state,
        updated_at,
        data,
    })
}

/// Least authoritative first. The document itself breaks the last tie: two different events under
/// one id should not be, but must not make the record depend on their order.
fn order(a: &Event, a_rank: u8, b: &Event, b_rank: u8) -> std::cmp::Ordering {
    (a_rank, a.timestamp, &a.id)
        .cmp(&(b_rank, b.timestamp, &b.id))
        .then_with(|| {
            a.to_json()
                .unwrap_or_default()
                .cmp(&b.to_json().unwrap_or_default())
        })
}

const fn state(event_type: EventType) -> CallState {
    match event_type {
        EventType::CallRinging => CallState::Ringing,
        EventType::CallAnswered
        | EventType::PredictiveTaskCallAnswered
        | EventType::RecordingAvailable => CallState::Answered,
        EventType::CallDisconnected
        | EventType::PredictiveTaskCallUnanswered
        | EventType::PredictiveTaskCompleted => CallState::Disconnected,
        EventType::CdrCreated => CallState::Completed,
    }
}

const fn authority(event_type: EventType) -> u8 {
    match event_type {
        EventType::RecordingAvailable | EventType::PredictiveTaskCompleted => 0,
        EventType::CallRinging => 1,
        EventType::CallAnswered | EventType::PredictiveTaskCallAnswered => 2,
        EventType::CallDisconnected | EventType::PredictiveTaskCallUnanswered => 3,
        EventType::CdrCreated => 4,
    }
}

const fn recording_authority(event: &Event) -> u8 {
    match event.event_type {
        EventType::RecordingAvailable => u8::MAX,
        other => authority(other),
    }
}

fn overlay(base: &mut EventData, over: &EventData) {
    macro_rules! take {
        ($($field:ident)+) => {
            $(if over.$field.is_some() { base.$field.clone_from(&over.$field); })+
        };
    }
    take!(call_id parent_call_id direction call_method leg from to display_number extension
        agent_id task_id custom_id started_at ringing_at answered_at ended_at duration billsec
        ring_time talk_time hold_time wait_time disposition hangup_party hangup_cause
        hangup_cause_code answered_by tags end_reason progress source);
}

fn merge_recording(known: Option<Recording>, over: &Recording) -> Recording {
    let Some(known) = known else {
        return over.clone();
    };
    if known.id.is_some() && over.id.is_some() && known.id != over.id {
        return over.clone();
    }
    Recording {
        id: over.id.clone().or(known.id),
        duration: over.duration.or(known.duration),
        url: over.url.clone().or(known.url),
        redacted: match (known.redacted, over.redacted) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (known, over) => over.or(known),
        },
        deleted_at: over.deleted_at.or(known.deleted_at),
    }
}
