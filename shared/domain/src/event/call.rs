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
        deletion_reason: over.deletion_reason.clone().or(known.deletion_reason),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{Disposition, samples};

    /// The life of one call, in order.
    fn life() -> Vec<Event> {
        [
            "call.ringing",
            "call.answered",
            "call.disconnected",
            "cdr.created",
            "recording.available",
        ]
        .iter()
        .map(|name| samples::event(&format!("{name}.json")))
        .collect()
    }

    #[test]
    fn a_call_takes_each_field_from_the_most_authoritative_event() {
        let mut events = life();
        events[2].data.hangup_cause = Some("USER_BUSY".into());
        let call = fold(&events).expect("a call");
        assert_eq!(call.call_id, "call-1042");
        assert_eq!(call.state, CallState::Completed);
        assert_eq!(call.updated_at, events[4].timestamp);
        assert_eq!(call.data.hangup_cause.as_deref(), Some("NORMAL_CLEARING"));
        assert_eq!(call.data.disposition, Some(Disposition::Answered));
        // Only the ringing event has this one.
        assert_eq!(call.data.leg, events[0].data.leg);
        let recording = call.data.recording.expect("a recording");
        assert_eq!(recording.id.as_deref(), Some("rec-1042"));
    }

    #[test]
    fn late_arrivals_never_move_a_call_back() {
        let events = life();
        let mut known = Vec::new();
        let mut state = CallState::Ringing;
        for event in events.iter().rev() {
            known.push(event.clone());
            let call = fold(&known).expect("a call");
            assert!(call.state >= state);
            state = call.state;
        }
        assert_eq!(state, CallState::Completed);
        assert_eq!(
            fold(&events[..1]).map(|call| call.state),
            Some(CallState::Ringing)
        );
        assert_eq!(
            fold(&events[..2]).map(|call| call.state),
            Some(CallState::Answered)
        );
        assert_eq!(
            fold(&events[..3]).map(|call| call.state),
            Some(CallState::Disconnected)
        );
    }

    #[test]
    fn an_update_of_the_recording_adds_to_it() {
        let mut events = life();
        let mut redacted = events[4].clone();
        redacted.id = "call-1042-redacted".into();
        redacted.timestamp += jiff::SignedDuration::from_mins(5);
        redacted.data.recording = Some(Recording {
            redacted: Some(true),
            ..Recording::default()
        });
        events.push(redacted);
        let recording = fold(&events)
            .and_then(|call| call.data.recording)
            .expect("a recording");
        assert_eq!(recording.redacted, Some(true));
        assert_eq!(recording.duration, Some(150));
        assert_eq!(recording.id.as_deref(), Some("rec-1042"));
    }

    #[test]
    fn nothing_makes_no_call() {
        assert_eq!(fold(&[]), None);
        assert_eq!(
            fold(&[samples::event("predictive_task.completed.json")]),
            None
        );
    }

    /// Events of one call that contradict each other in every way: any type, time, id, fields.
    fn arbitrary_event() -> impl Strategy<Value = Event> {
        (
            0usize..8,
            0i64..4,
            0u8..4,
            proptest::option::of(0u32..3),
            any::<Option<bool>>(),
            0u8..3,
        )
            .prop_map(|(kind, second, id, duration, redacted, recording)| {
                let mut event = samples::event("recording.available.json");
                event.event_type = EventType::ALL[kind];
                event.timestamp = Timestamp::from_second(1_769_847_300 + second).expect("in range");
                event.id = format!("event-{id}");
                event.data.duration = duration;
                event.data.recording = (recording > 0).then(|| Recording {
                    id: (recording > 1).then(|| format!("rec-{second}")),
                    redacted,
                    duration,
                    ..Recording::default()
                });
                event
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn order_and_repeats_make_no_difference(
            (events, shuffled) in proptest::collection::vec(arbitrary_event(), 1..7)
                .prop_flat_map(|events| {
                    let mut twice = events.clone();
                    twice.extend(events.clone());
                    (Just(events), Just(twice).prop_shuffle())
                })
        ) {
            prop_assert_eq!(fold(&events), fold(&shuffled));
        }

        #[test]
        fn another_event_never_moves_the_state_back(
            events in proptest::collection::vec(arbitrary_event(), 1..7),
            more in arbitrary_event(),
        ) {
            let before = fold(&events).map(|call| call.state);
            let after = fold(events.iter().chain([&more])).map(|call| call.state);
            prop_assert!(after >= before);
        }
    }
}
