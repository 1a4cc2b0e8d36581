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

/// How many events a [`Fold`] keeps before it lets go of those that add nothing.
const KEPT: usize = 64;

/// Puts the record together, event by event: of a set of events always the same record, whatever their
/// order and however often each stands there.
///
/// A field comes from the CDR if that has it, else from disconnected, answered, ringing, in this
/// order; between two of one kind the later timestamp wins, then the greater id. `recording` is
/// merged field by field in the same manner, with `recording.available` above all; a recording
/// that was once redacted or deleted stays so.
///
/// Events without a call id are passed over, as are those of another call than the one with the
/// least id: the caller is to give the events of one call.
///
/// It holds what the record may still need of the events, not the events.
#[derive(Default)]
pub struct Fold {
    call_id: Option<String>,
    reached: Option<(CallState, Timestamp)>,
    /// At least those that a field of the record comes from, and the last one.
    events: Vec<Event>,
    /// How many were left when the list was last thinned out.
    thinned_to: usize,
    recordings: Vec<Told>,
}

/// What an event tells about a recording.
struct Told {
    rank: u8,
    timestamp: Timestamp,
    id: String,
    recording: Recording,
}

impl Fold {
    /// Takes in an event.
    pub fn push(&mut self, event: Event) {
        let Some(call_id) = &event.data.call_id else {
            return;
        };
        match &self.call_id {
            Some(known) if known == call_id => {}
            Some(known) if known < call_id => return,
            _ => {
                *self = Self {
                    call_id: Some(call_id.clone()),
                    ..Self::default()
                };
            }
        }
        let (state, timestamp) = (state(event.event_type), event.timestamp);
        let (known, at) = self.reached.unwrap_or((state, timestamp));
        self.reached = Some((known.max(state), at.max(timestamp)));
        if let Some(recording) = &event.data.recording {
            self.recordings.push(Told {
                rank: recording_authority(&event),
                timestamp,
                id: event.id.clone(),
                recording: recording.clone(),
            });
        }
        self.events.push(event);
        if self.events.len() >= KEPT.max(2 * self.thinned_to) {
            self.put_together();
            self.thinned_to = self.events.len();
        }
    }

    /// The fields, each from the most authoritative event that has it; the events that give none are let
    /// go of.
    fn put_together(&mut self) -> EventData {
        // The most authoritative first.
        self.events.sort_by(|a, b| order(b, a));
        let mut data = EventData::default();
        let mut is_last = true;
        self.events.retain(|event| {
            let adds = underlay(&mut data, &event.data);
            std::mem::take(&mut is_last) || adds
        });
        data
    }

    /// The record. `None`: no event of a call was taken in.
    pub fn finish(mut self) -> Option<Call> {
        let mut data = self.put_together();
        let (state, updated_at) = self.reached?;
        let account_id = self.events.first()?.account_id.clone();
        self.recordings.sort_by(|a, b| {
            (a.rank, a.timestamp, &a.id)
                .cmp(&(b.rank, b.timestamp, &b.id))
                .then_with(|| document(&a.recording).cmp(&document(&b.recording)))
        });
        data.recording = self.recordings.iter().fold(None, |known, told| {
            Some(merge_recording(known, &told.recording))
        });
        Some(Call {
            call_id: self.call_id?,
            account_id,
            state,
            updated_at,
            data,
        })
    }
}

/// The record of these events, as [`Fold`] puts it together. `None` when there is no event of a call.
pub fn fold<'a>(events: impl IntoIterator<Item = &'a Event>) -> Option<Call> {
    let mut fold = Fold::default();
    for event in events {
        fold.push(event.clone());
    }
    fold.finish()
}

/// Least authoritative first. The document itself breaks the last tie: two different events under
/// one id should not be, but must not make the record depend on their order.
fn order(a: &Event, b: &Event) -> std::cmp::Ordering {
    (authority(a.event_type), a.timestamp, &a.id)
        .cmp(&(authority(b.event_type), b.timestamp, &b.id))
        .then_with(|| document(a).cmp(&document(b)))
}

fn document(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
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

/// Fills in the fields that are not there yet. Answers whether there were any to take.
fn underlay(data: &mut EventData, under: &EventData) -> bool {
    let mut adds = false;
    macro_rules! take {
        ($($field:ident)+) => {
            $(if data.$field.is_none() && under.$field.is_some() {
                data.$field.clone_from(&under.$field);
                adds = true;
            })+
        };
    }
    take!(call_id parent_call_id direction call_method leg from to display_number extension
        agent_id task_id custom_id started_at ringing_at answered_at ended_at duration billsec
        ring_time talk_time hold_time wait_time disposition hangup_party hangup_cause
        hangup_cause_code answered_by tags end_reason progress source);
    adds
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

        /// Every field from the last that has it, of more events than are kept at a time.
        #[test]
        fn a_long_call_is_put_together_like_a_short_one(
            events in proptest::collection::vec(arbitrary_event(), 100..300)
        ) {
            let mut sorted: Vec<&Event> = events.iter().collect();
            sorted.sort_by(|a, b| order(a, b));
            let last = |has: &dyn Fn(&Event) -> bool| sorted.iter().rev().find(|event| has(event)).copied();
            let call = fold(&events).expect("a call");
            prop_assert_eq!(
                call.data.duration,
                last(&|event| event.data.duration.is_some()).and_then(|event| event.data.duration)
            );
            prop_assert_eq!(
                &call.data.tags,
                &last(&|event| event.data.tags.is_some()).and_then(|event| event.data.tags.clone())
            );
            let mut reversed = events.clone();
            reversed.reverse();
            prop_assert_eq!(fold(&reversed), Some(call));
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
