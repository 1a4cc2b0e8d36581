//! What an event tells: the fields of `data`.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::json::{self, Source};
use super::rfc3339;
use super::terms::{AnsweredBy, CallMethod, Direction, Disposition, EndReason, HangupParty, Leg};

/// A phone number as the platform sent it: stored whole, masked at output. `Debug` prints nothing of it.
#[derive(Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Takes a number as it is; nothing is checked or normalised.
    pub fn new(number: impl Into<String>) -> Self {
        Self(number.into())
    }

    /// The number, whole. For output use [`super::Event::masked`].
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number with its middle hidden (`138****1234`).
    #[must_use]
    pub fn masked(&self) -> Self {
        Self(ringfence_pii::mask_phone(&self.0))
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PhoneNumber(..)")
    }
}

/// What an event tells about a call or task. Every field is optional here; [`super::native`] says
/// which type needs which. Times are UTC instants, durations whole seconds.
///
/// `Debug` prints nothing of it: most fields hold, or may hold, a person's number.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventData {
    /// The platform's id of the call (Twilio `CallSid`, Connect `ContactId`, `FreeSWITCH` `uuid`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// The call that this one is a leg or a continuation of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_call_id: Option<String>,
    /// Which way the call goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// How the call came about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_method: Option<CallMethod>,
    /// Whose leg the event tells about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leg: Option<Leg>,
    /// The calling number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<PhoneNumber>,
    /// The called number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<PhoneNumber>,
    /// The number shown to the called party.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_number: Option<PhoneNumber>,
    /// The extension of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// Who of the account takes part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// The predictive outbound task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// The integrator's own id, as given when the call was placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_id: Option<String>,
    /// When the call began.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "rfc3339::option"
    )]
    pub started_at: Option<Timestamp>,
    /// When it began to ring.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "rfc3339::option"
    )]
    pub ringing_at: Option<Timestamp>,
    /// When it was answered.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "rfc3339::option"
    )]
    pub answered_at: Option<Timestamp>,
    /// When it ended.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "rfc3339::option"
    )]
    pub ended_at: Option<Timestamp>,
    /// From begin to end, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<u32>,
    /// From answer to end, s (Asterisk's term).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billsec: Option<u32>,
    /// How long it rang, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ring_time: Option<u32>,
    /// How long the parties talked, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub talk_time: Option<u32>,
    /// How long it was on hold, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_time: Option<u32>,
    /// How long the caller waited for an agent, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_time: Option<u32>,
    /// How the call ended up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposition: Option<Disposition>,
    /// Who ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hangup_party: Option<HangupParty>,
    /// Why it ended: the name of the Q.850 cause (`NORMAL_CLEARING`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hangup_cause: Option<String>,
    /// Why it ended: the number of the Q.850 cause, 0..=127.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hangup_cause_code: Option<u8>,
    /// What took the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<AnsweredBy>,
    /// The recording of the call.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "json::optional_fields"
    )]
    pub recording: Option<Recording>,
    /// Labels on the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// Why the predictive task ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<EndReason>,
    /// How far the predictive task got.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "json::optional_fields"
    )]
    pub progress: Option<Progress>,
    /// What the platform sent that has no place in the fields above, as it sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

impl fmt::Debug for EventData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventData(..)")
    }
}

/// A recording of a call.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// The platform's id of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its length, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<u32>,
    /// Where the platform keeps it: a URL or a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether spans of it were silenced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redacted: Option<bool>,
    /// When it was deleted.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "rfc3339::option"
    )]
    pub deleted_at: Option<Timestamp>,
    /// Why it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_reason: Option<String>,
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recording(..)")
    }
}

/// How far a predictive outbound task got: numbers of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Numbers on the task's list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u32>,
    /// Calls placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialed: Option<u32>,
    /// Calls that were answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<u32>,
    /// Calls that were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unanswered: Option<u32>,
    /// Answered calls that found no agent in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abandoned: Option<u32>,
    /// Calls that could not be put through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<u32>,
    /// Numbers not dialled yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u32>,
}
