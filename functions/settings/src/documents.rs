//! The settings documents on the wire. The domain reads and checks them; these types describe them.

use std::collections::BTreeMap;

use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use ringfence_domain::settings::SavedCallbacks as Saved;
use ringfence_http::etag;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{answer, secrets::NewSecretBody};

/// What a GET of a document may be asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EffectiveQuery {
    /// What is in force, with where it comes from, rather than the document.
    #[serde(default)]
    pub(crate) effective: bool,
}

/// What a change of callbacks may be asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyQuery {
    /// New URLs must answer a challenge.
    #[serde(default)]
    pub(crate) verify: bool,
}

/// Callback settings. What is left out is not set: the agency's default holds, or Ringfence's.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallbacksDocument {
    /// Call detail records and recordings.
    #[serde(skip_serializing_if = "Option::is_none")]
    cdr: Option<CallbackDocument>,
    /// Ringing, answered, disconnected.
    #[serde(skip_serializing_if = "Option::is_none")]
    call_status: Option<CallbackDocument>,
    /// Calls and the end of predictive tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    predictive_task: Option<CallbackDocument>,
    /// What Ringfence itself has to say about the other three. Always in the format `ringfence`, and
    /// not filtered by `events`.
    #[serde(skip_serializing_if = "Option::is_none")]
    operational: Option<CallbackDocument>,
    /// Agencies only: whether accounts may set otherwise what the agency sets; false unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_override: Option<bool>,
}

/// One callback.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallbackDocument {
    /// Where to: http or https, a public address, port 80 or 443.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2048)]
    url: Option<String>,
    /// Whether it is on; true unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    /// Extra headers. Values are written and never read: shown as `***`; `***` keeps the stored value,
    /// as long as the URL leads to the same host. They go to the URL of this document only.
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<BTreeMap<String, String>>,
    /// Only these types; all that the callback carries unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<Vec<String>>,
    /// The most requests a second; no limit unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10000)]
    rate_per_second: Option<u16>,
    /// The most requests at a time; 32 unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 256)]
    concurrency: Option<u16>,
    /// For the whole of an attempt; 15 unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 30)]
    timeout_seconds: Option<u16>,
    /// The format of the body; `ringfence` unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<FormatName>,
    /// Agencies only: the same as `allow_override` of the document, for this callback alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_override: Option<bool>,
}

/// In which form a callback gets its events.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) enum FormatName {
    /// Ringfence's own document, a Standard Webhooks payload.
    #[serde(rename = "ringfence")]
    Ringfence,
    /// `CloudEvents` 1.0, structured mode.
    #[serde(rename = "cloudevents")]
    CloudEvents,
    /// The field names of the I8 voice platform, as JSON.
    #[serde(rename = "i8")]
    I8,
    /// The same in a form field `detail`.
    #[serde(rename = "i8_form")]
    I8Form,
}

/// Callback settings that were saved, with the secrets that came into being.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SavedCallbacks {
    #[serde(flatten)]
    document: serde_json::Map<String, serde_json::Value>,
    /// By callback; shown this once.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    secrets: BTreeMap<String, NewSecretBody>,
}

/// 200 with callbacks that were saved.
pub(crate) fn saved_callbacks(saved: Saved) -> Response {
    let body = SavedCallbacks {
        document: match saved.document {
            serde_json::Value::Object(fields) => fields,
            _ => serde_json::Map::new(),
        },
        secrets: saved
            .secrets
            .iter()
            .map(|(kind, secret)| (kind.as_str().to_owned(), secret.into()))
            .collect(),
    };
    let etag = [(header::ETAG, etag(saved.version))];
    if body.secrets.is_empty() {
        return (etag, answer::plain(&body)).into_response();
    }
    (etag, answer::unstored(StatusCode::OK, &body)).into_response()
}

/// Security settings.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecurityDocument {
    /// Where phone numbers are masked at output; stored numbers stay whole. Off unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number_masking: Option<MaskingDocument>,
    /// Agencies only: whether accounts may set otherwise what the agency sets; false unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_override: Option<bool>,
    /// Agencies only: after how many minutes (1 to 720; 30 unless set) without a request of theirs people are logged out.
    #[serde(skip_serializing_if = "Option::is_none")]
    automatic_logout_minutes: Option<u16>,
    /// Agencies only: what its people need beside their password.
    #[serde(skip_serializing_if = "Option::is_none")]
    two_factor: Option<TwoFactorRule>,
}

/// What people need beside their password.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TwoFactorRule {
    /// Whether everybody must have a second factor; false unless set. Who has none can do nothing else before setting one up.
    #[serde(skip_serializing_if = "Option::is_none")]
    required: Option<bool>,
    /// How often it is asked: `every_login` (unless set) or `every_30_days`, each device by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    ask: Option<String>,
}

/// Masking: one switch for all, or scope by scope.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum MaskingDocument {
    /// Sets all four scopes.
    Switch(bool),
    /// As it is stored and shown.
    Scopes(MaskingScopes),
}

/// Masking scope by scope.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MaskingScopes {
    /// What people and API readers see.
    #[serde(skip_serializing_if = "Option::is_none")]
    console: Option<bool>,
    /// Files.
    #[serde(skip_serializing_if = "Option::is_none")]
    exports: Option<bool>,
    /// What integrators are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    callbacks: Option<bool>,
    /// Mail and SMS.
    #[serde(skip_serializing_if = "Option::is_none")]
    notifications: Option<bool>,
}

/// Recording settings. What is left out is not set: the agency's default holds, or Ringfence's.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordingsDocument {
    /// For how many days a link to a recording works; 0: for ever. 30 unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 3650)]
    link_days: Option<u16>,
    /// What a link asks of whoever opens it; open unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    access: Option<AccessName>,
    /// 4 to 12 digits. Written and never read: shown as `***`; `***` keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 4, max_length = 12)]
    pin: Option<String>,
    /// How the audio of new recordings is encrypted; provider unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption: Option<EncryptionName>,
    /// Days after which recordings are deleted, unless a hold keeps them; not at all unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 36500)]
    retention_days: Option<u16>,
    /// The same for recordings with a label, by label. The shortest that applies wins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    retention_by_tag: Option<std::collections::BTreeMap<String, u16>>,
    /// The customer's own RSA public key, 2,048 to 4,096 bits, in PEM (BEGIN PUBLIC KEY). Required where
    /// encryption is customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    /// The ARN of a KMS key of the bucket's account and region, tagged ringfence=recordings, that new audio is
    /// encrypted with where encryption is provider; unless set, the store's own. What is stored already
    /// stays under its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        max_length = 128,
        example = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    )]
    kms_key: Option<String>,
    /// Agencies only: whether accounts may set otherwise what the agency sets; false unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_override: Option<bool>,
}

/// What a link asks.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AccessName {
    /// Nothing but the link.
    Open,
    /// The PIN.
    Pin,
    /// To be somebody of the account.
    Login,
}

/// How audio is encrypted.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EncryptionName {
    /// By the store.
    Provider,
    /// By Ringfence, before it reaches the store.
    Client,
    /// By Ringfence, and only the customer's own private key opens it: it is downloaded and never played.
    Customer,
}

/// What an account shares with platforms that post to it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourcesDocument {
    /// Twilio.
    #[serde(skip_serializing_if = "Option::is_none")]
    twilio: Option<TwilioDocument>,
}

/// What an account shares with Twilio.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TwilioDocument {
    /// The token that Twilio signs its callbacks with. Written and never read: shown as `***`.
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_token: Option<String>,
}
