//! API keys on the wire.

use ringfence_domain::access::{ApiKey, ApiKeySecret};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::secrets::ShownOnce;

/// A key that somebody asks for. The domain reads it; this describes it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ApiKeyRequest)]
pub(crate) struct KeyRequest {
    /// What people call it: 1 to 200 characters.
    name: String,
    /// What it allows: events:write, calls:read, settings:read, settings:write, deliveries:read,
    /// deliveries:write, recordings:read, recordings:write, history:read, people:read, people:write,
    /// admin.
    #[schema(min_items = 1)]
    scopes: Vec<String>,
    /// From when on it is refused; it never is unless set.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

/// An API key without its secret.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ApiKey)]
pub(crate) struct KeyBody {
    /// `key_…`
    id: String,
    /// What it reaches: an agency or an account.
    owner: String,
    /// What people call it.
    name: String,
    /// What it allows.
    scopes: Vec<String>,
    /// The first characters of the key, to recognise it by.
    hint: String,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// From when on it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// When it was last used, to within ten minutes; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
}

impl From<ApiKey> for KeyBody {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            owner: key.owner.as_str().to_owned(),
            name: key.name,
            scopes: key
                .scopes
                .iter()
                .map(|scope| scope.as_str().to_owned())
                .collect(),
            hint: key.hint,
            created_at: key.created_at.to_string(),
            expires_at: key.expires_at.map(|at| at.to_string()),
            last_used_at: None,
        }
    }
}

/// A key that was just made.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = NewApiKey)]
pub(crate) struct NewKeyBody {
    #[serde(flatten)]
    info: KeyBody,
    /// The key itself, `rfk_…`: shown this once.
    key: ShownOnce,
}

impl NewKeyBody {
    pub(crate) fn new(key: ApiKey, secret: &ApiKeySecret) -> Self {
        Self {
            info: key.into(),
            key: ShownOnce(secret.reveal().to_owned()),
        }
    }
}
