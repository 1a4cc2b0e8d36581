//! The fixed vocabularies: each a closed set of words, written and read as exactly those words.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A word that is not in the vocabulary. It does not carry the word: it came from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of the known {0} values")]
pub struct UnknownTerm(pub &'static str);

macro_rules! terms {
    ($(#[$meta:meta])* $name:ident ($what:literal, $count:literal) {
        $($(#[$vmeta:meta])* $variant:ident = $word:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vmeta])* $variant,)+ }

        impl $name {
            /// Every value, in declaration order.
            pub const ALL: [Self; $count] = [$(Self::$variant,)+];
            /// The words of [`Self::ALL`], in the same order.
            pub const WORDS: [&'static str; $count] = [$($word,)+];

            /// The word as it is written on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownTerm;

            fn from_str(word: &str) -> Result<Self, UnknownTerm> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownTerm($what)),
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Word;
                impl Visitor<'_> for Word {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!("a ", $what))
                    }
                    fn visit_str<E: de::Error>(self, word: &str) -> Result<$name, E> {
                        word.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Word)
            }
        }
    };
}

terms! {
    /// What happened.
    EventType ("event type", 8) {
        /// A leg of the call rings.
        CallRinging = "call.ringing",
        /// The call was answered.
        CallAnswered = "call.answered",
        /// The call was hung up, or never came to be.
        CallDisconnected = "call.disconnected",
        /// The call detail record is complete: the most authoritative word on a call.
        CdrCreated = "cdr.created",
        /// A recording of the call can be fetched.
        RecordingAvailable = "recording.available",
        /// A call of a predictive outbound task was answered.
        PredictiveTaskCallAnswered = "predictive_task.call_answered",
        /// A call of a predictive outbound task was not answered.
        PredictiveTaskCallUnanswered = "predictive_task.call_unanswered",
        /// A predictive outbound task has ended.
        PredictiveTaskCompleted = "predictive_task.completed",
    }
}

terms! {
    /// Which of an account's three callback URLs carries an event.
    CallbackKind ("callback kind", 3) {
        /// Call detail records and recordings.
        Cdr = "cdr",
        /// Ringing, answered, disconnected.
        CallStatus = "call_status",
        /// What a predictive outbound task does.
        PredictiveTask = "predictive_task",
    }
}

terms! {
    /// Which way a call goes, as seen from the account.
    Direction ("direction", 3) {
        /// From outside to the account.
        Inbound = "inbound",
        /// From the account to outside.
        Outbound = "outbound",
        /// Between two extensions of the account.
        Internal = "internal",
    }
}

terms! {
    /// How a call came about.
    CallMethod ("call method", 6) {
        /// Extension to extension.
        Extension = "extension",
        /// Dialled by hand.
        Manual = "manual",
        /// Placed over an API.
        Api = "api",
        /// Both parties are called and joined (click to call).
        DoubleCall = "double_call",
        /// Placed by a predictive dialler.
        Predictive = "predictive",
        /// Taken by an IVR or a ring group.
        Ivr = "ivr",
    }
}

terms! {
    /// Whose leg of a call an event tells about.
    Leg ("leg", 2) {
        /// The agent's.
        Agent = "agent",
        /// The customer's.
        Customer = "customer",
    }
}

terms! {
    /// How a call ended up.
    Disposition ("disposition", 6) {
        /// Answered by the called party.
        Answered = "answered",
        /// Rang until given up.
        NoAnswer = "no_answer",
        /// The called party was busy.
        Busy = "busy",
        /// Could not be put through.
        Failed = "failed",
        /// Given up by the caller before it was answered.
        Canceled = "canceled",
        /// Taken by a voicemail box.
        Voicemail = "voicemail",
    }
}

terms! {
    /// Who ended a call.
    HangupParty ("hang-up party", 3) {
        /// The party that called.
        Caller = "caller",
        /// The party that was called.
        Callee = "callee",
        /// The platform itself: a timer, an IVR, a fault.
        System = "system",
    }
}

terms! {
    /// What took the call (answering machine detection).
    AnsweredBy ("answered-by value", 4) {
        /// A person.
        Human = "human",
        /// A machine: voicemail, an announcement.
        Machine = "machine",
        /// A fax machine.
        Fax = "fax",
        /// Detection ran and could not tell.
        Unknown = "unknown",
    }
}

terms! {
    /// Why a predictive outbound task ended.
    EndReason ("end reason", 3) {
        /// Every number was dealt with.
        Over = "over",
        /// Its time was up.
        Timeout = "timeout",
        /// Someone stopped it.
        Stopped = "stopped",
    }
}

impl EventType {
    /// Which callback URL carries this type: `cdr` CDRs and recordings, `call_status` the three
    /// call states, `predictive_task` everything of a predictive outbound task.
    pub const fn kind(self) -> CallbackKind {
        match self {
            Self::CdrCreated | Self::RecordingAvailable => CallbackKind::Cdr,
            Self::CallRinging | Self::CallAnswered | Self::CallDisconnected => {
                CallbackKind::CallStatus
            }
            Self::PredictiveTaskCallAnswered
            | Self::PredictiveTaskCallUnanswered
            | Self::PredictiveTaskCompleted => CallbackKind::PredictiveTask,
        }
    }
}
