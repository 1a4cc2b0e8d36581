//! Agencies, accounts and their settings: what each may say, which one wins, and the resolved whole
//! that ingest and dispatch work from.

mod api_key;
mod callbacks;
mod challenge;
mod document;
mod documents;
mod error;
pub(crate) mod fields;
mod kms_key;
mod load;
pub(crate) mod merge_patch;
mod recordings;
mod resolve;
mod secret;
mod security;
mod sources;
pub(crate) mod tenant;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use ringfence_webhook::{ExtraHeaders, sign};
use serde::{Deserialize, Serialize};

use crate::event::{CallbackKind, EventType, body::BodyFormat};

pub use callbacks::{
    DEFAULT_CONCURRENCY, DEFAULT_TIMEOUT_SECONDS, EffectiveCallback, MAX_CONCURRENCY,
    MAX_HEADERS_BYTES, MAX_RATE_PER_SECOND, MAX_TIMEOUT_SECONDS,
};
pub use challenge::CHALLENGE_TYPE;
pub use document::Edit;
pub use documents::SavedCallbacks;
pub use error::{FieldError, SettingsError};
pub(crate) use recordings::days_after;
pub use recordings::{
    Access, DEFAULT_LINK_DAYS, EffectiveRecordings, EncryptionMode, MAX_LINK_DAYS,
    MAX_RETENTION_DAYS, RecordingRules,
};
pub use resolve::{Origin, Sourced};
pub use secret::{
    DEFAULT_OVERLAP_SECONDS, MAX_OVERLAP_SECONDS, MAX_SECRETS, NewSecret, SecretInfo, SecretType,
};
pub use security::{
    AskSecondFactor, DEFAULT_LOGOUT_MINUTES, EffectiveMasking, EffectiveSecurity, LoginPolicy,
};
pub use tenant::{Account, Agency, Listed, MAX_NAME_CHARS, Tenant, Versioned};

/// What stands in place of a value that may only be written; written back, it keeps that value.
pub const KEEP: &str = "***";

/// Which of an account's callbacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointKind {
    /// Call detail records and recordings.
    Cdr,
    /// Ringing, answered, disconnected.
    CallStatus,
    /// Calls and the end of predictive tasks.
    PredictiveTask,
    /// What Ringfence itself has to say about the other three: failing, disabled.
    Operational,
}

impl EndpointKind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Cdr,
        Self::CallStatus,
        Self::PredictiveTask,
        Self::Operational,
    ];

    /// The name in paths, settings and the delivery log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cdr => "cdr",
            Self::CallStatus => "call_status",
            Self::PredictiveTask => "predictive_task",
            Self::Operational => "operational",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl From<CallbackKind> for EndpointKind {
    fn from(kind: CallbackKind) -> Self {
        match kind {
            CallbackKind::Cdr => Self::Cdr,
            CallbackKind::CallStatus => Self::CallStatus,
            CallbackKind::PredictiveTask => Self::PredictiveTask,
        }
    }
}

/// Where phone numbers are masked at output. Stored numbers stay whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four switches of their own")]
pub struct Masking {
    /// What people and API readers see.
    pub console: bool,
    /// Files.
    pub exports: bool,
    /// What integrators are sent.
    pub callbacks: bool,
    /// Mail and SMS.
    pub notifications: bool,
}

/// Everything that ingest and dispatch need to know of an account, agency defaults and overrides
/// already resolved. Cached for seconds ([`crate::app::CACHE_TTL`]).
#[derive(Debug)]
pub struct AccountConfig {
    /// The account.
    pub account: Account,
    /// Its endpoints, in the order of [`EndpointKind::ALL`]; `None`: no URL is set.
    pub endpoints: [Option<Arc<Endpoint>>; 4],
    /// Masking in force.
    pub masking: Masking,
    /// The token that Twilio signs its callbacks with.
    pub twilio_auth_token: Option<SourceToken>,
}

impl AccountConfig {
    /// The endpoint of a callback, when it has a URL.
    pub fn endpoint(&self, kind: EndpointKind) -> Option<&Arc<Endpoint>> {
        self.endpoints[kind as usize].as_ref()
    }
}

/// A secret that a source shares with us. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct SourceToken(pub(crate) String);

impl SourceToken {
    /// The token itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SourceToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SourceToken(…)")
    }
}

/// One callback of an account as it is in force.
#[derive(Debug)]
pub struct Endpoint {
    /// Whose.
    pub account: String,
    /// Which.
    pub kind: EndpointKind,
    /// Whether it is switched on. Off: what happens is not queued for it.
    pub enabled: bool,
    /// Where to, as saved; vetted again at each attempt.
    pub url: String,
    /// Extra headers.
    pub headers: ExtraHeaders,
    /// Only these types; empty: all that the callback carries.
    pub events: Vec<EventType>,
    /// The most requests a second; `None`: no limit.
    pub rate_per_second: Option<u32>,
    /// The most requests at a time, 1 to 256.
    pub concurrency: u16,
    /// For the whole of an attempt, 1 to 30 s.
    pub timeout: Duration,
    /// The format of the body.
    pub format: BodyFormat,
    /// Signing keys in force, newest first: more than one during a rotation's overlap.
    pub signing_keys: Vec<sign::Key>,
    /// How it has been doing.
    pub state: EndpointState,
}

impl Endpoint {
    /// Whether it wants events of this type.
    pub fn wants(&self, event_type: EventType) -> bool {
        self.enabled && (self.events.is_empty() || self.events.contains(&event_type))
    }
}

/// What is remembered about an account's endpoint beyond its settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointState {
    /// Since when people have paused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_at: Option<Timestamp>,
    /// Since when Ringfence has disabled it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
    /// Why, in plain words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<String>,
    /// Since when every attempt has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// The URL that has been failing: another one starts anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_url: Option<String>,
    /// The row's version; 0: there is none yet.
    #[serde(skip)]
    pub version: u64,
}
