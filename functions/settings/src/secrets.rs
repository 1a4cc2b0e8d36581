//! Signing secrets on the wire.

use ringfence_domain::settings::{
    DEFAULT_OVERLAP_SECONDS, EndpointKind, NewSecret, SecretInfo, SecretType,
};
use ringfence_http::Problem;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The callback that a path names.
pub(crate) fn callback(name: &str) -> Result<EndpointKind, Problem> {
    EndpointKind::parse(name).ok_or_else(|| Problem::not_found("callback"))
}

/// How a secret signs.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SecretTypeName {
    /// `whsec_`: HMAC-SHA256, signatures `v1`.
    #[default]
    Hmac,
    /// `whpk_`: Ed25519, signatures `v1a`.
    Ed25519,
}

impl From<SecretTypeName> for SecretType {
    fn from(name: SecretTypeName) -> Self {
        match name {
            SecretTypeName::Hmac => Self::Hmac,
            SecretTypeName::Ed25519 => Self::Ed25519,
        }
    }
}

impl From<SecretType> for SecretTypeName {
    fn from(secret_type: SecretType) -> Self {
        match secret_type {
            SecretType::Hmac => Self::Hmac,
            SecretType::Ed25519 => Self::Ed25519,
        }
    }
}

/// What the new secret is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateRequest {
    /// How it signs.
    #[serde(rename = "type", default)]
    pub(crate) secret_type: SecretTypeName,
    /// For how long the secrets before sign beside it; 0: they stop at once.
    #[serde(default = "default_overlap")]
    #[schema(minimum = 0, maximum = 604_800)]
    pub(crate) overlap_seconds: u32,
}

const fn default_overlap() -> u32 {
    DEFAULT_OVERLAP_SECONDS
}

/// What may be known of a secret.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SecretBody {
    /// `sec_…`
    id: String,
    /// How it signs.
    #[serde(rename = "type")]
    secret_type: SecretTypeName,
    /// Of `ed25519` what verifies its signatures: `whpk_…`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// From when on it no longer signs; absent: it is the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    retires_at: Option<String>,
}

impl From<&SecretInfo> for SecretBody {
    fn from(info: &SecretInfo) -> Self {
        Self {
            id: info.id.clone(),
            secret_type: info.secret_type.into(),
            public_key: info.public_key.clone(),
            created_at: info.created_at.to_string(),
            retires_at: info.retires_at.map(|at| at.to_string()),
        }
    }
}

/// A secret that was just made.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct NewSecretBody {
    #[serde(flatten)]
    info: SecretBody,
    /// Of `hmac` the secret itself, `whsec_…`: shown this once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<ShownOnce>,
}

impl From<&NewSecret> for NewSecretBody {
    fn from(new: &NewSecret) -> Self {
        Self {
            info: (&new.info).into(),
            secret: new.reveal().map(ShownOnce),
        }
    }
}

/// A secret on its way out; `Debug` shows nothing of it.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(value_type = String)]
pub(crate) struct ShownOnce(pub(crate) String);

impl std::fmt::Debug for ShownOnce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ShownOnce(…)")
    }
}

/// The secrets of a callback.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SecretsBody {
    /// Those in force, newest first.
    items: Vec<SecretBody>,
}

impl From<Vec<SecretInfo>> for SecretsBody {
    fn from(found: Vec<SecretInfo>) -> Self {
        Self {
            items: found.iter().map(Into::into).collect(),
        }
    }
}
