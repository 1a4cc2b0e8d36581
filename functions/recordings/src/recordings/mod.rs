//! `/v1/accounts/{account}/recordings…`

pub(crate) mod audio;
pub(crate) mod complete;
pub(crate) mod key;
pub(crate) mod link;
pub(crate) mod links;
pub(crate) mod list;
pub(crate) mod listens;
pub(crate) mod one;
pub(crate) mod original;
pub(crate) mod pin;
pub(crate) mod redaction;
pub(crate) mod redactions;
pub(crate) mod register;
pub(crate) mod rewrap;

use jiff::Timestamp;
use ringfence_domain::{
    access::DataReach,
    event::PhoneNumber,
    recording::{Recording, Refusal, Status},
    settings::{AccountConfig, EncryptionMode},
};
use ringfence_http::{Code, Problem};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A recording as it is shown.
#[derive(Debug, Serialize, ToSchema)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a field of the answer"
)]
pub(crate) struct RecordingBody {
    id: String,
    account_id: String,
    /// Here and in what follows, numbers are masked where the account masks them in the console.
    call_id: String,
    /// pending, available, refused or deleted
    #[schema(value_type = String)]
    status: Status,
    #[schema(value_type = String)]
    started_at: Timestamp,
    /// Seconds.
    duration: u32,
    content_type: String,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    tags: Vec<String>,
    /// Whether it has a PIN of its own.
    has_pin: bool,
    /// provider, client or customer
    #[schema(value_type = String)]
    encryption: EncryptionMode,
    /// Whether a legal hold keeps it.
    held: bool,
    /// Whether spans of it were made inaudible.
    redacted: bool,
    /// Whether its audio as it came is kept beside.
    has_original: bool,
    #[schema(value_type = String)]
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    stored_at: Option<Timestamp>,
    /// `not_audio` or mismatch
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    refusal: Option<Refusal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    deleted_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_reason: Option<String>,
}

/// A recording as somebody with this reach sees it.
pub(crate) fn seen(
    config: &AccountConfig,
    reach: &DataReach,
    recording: Recording,
) -> Result<Value, Problem> {
    let mut value =
        serde_json::to_value(shown(config, recording)).map_err(|_| Problem::new(Code::Internal))?;
    reach.hide_of_recording(&mut value);
    Ok(value)
}

/// A recording as this account shows it, to whoever may change it.
pub(crate) fn shown(config: &AccountConfig, recording: Recording) -> RecordingBody {
    let recording = if config.masking.console {
        recording.masked()
    } else {
        recording
    };
    let has_original = recording.original.is_some() && recording.is_available();
    let number = |number: Option<PhoneNumber>| number.map(|number| number.as_str().to_owned());
    RecordingBody {
        id: recording.id,
        account_id: recording.account,
        call_id: recording.call_id,
        status: recording.status,
        started_at: recording.started_at,
        duration: recording.duration,
        content_type: recording.content_type,
        size: recording.size,
        sha256: recording.sha256,
        external_id: recording.external_id,
        agent_id: recording.agent_id,
        team: recording.team,
        from: number(recording.from),
        to: number(recording.to),
        tags: recording.tags,
        has_pin: recording.pin.is_some(),
        encryption: recording.encryption,
        held: recording.held,
        redacted: recording.redacted,
        has_original,
        created_at: recording.created_at,
        stored_at: recording.stored_at,
        refusal: recording.refusal,
        deleted_at: recording.deleted_at,
        deletion_reason: recording.deletion_reason,
    }
}
