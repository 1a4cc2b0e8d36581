//! Support access on the wire.

use ringfence_domain::people::SupportAccess;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether the operator's team may come in.
#[derive(Serialize, ToSchema)]
#[schema(as = SupportAccess)]
pub(crate) struct SupportBody {
    /// Whether it is open now.
    open: bool,
    /// Who opened it.
    #[serde(skip_serializing_if = "Option::is_none")]
    opened_by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    opened_at: Option<String>,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    ends_at: Option<String>,
    /// What for.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<Option<SupportAccess>> for SupportBody {
    fn from(support: Option<SupportAccess>) -> Self {
        let open = support.is_some();
        let (mut opened_by, mut opened_at, mut ends_at, mut reason) = (None, None, None, None);
        if let Some(support) = support {
            opened_by = Some(support.opened_by);
            opened_at = Some(support.opened_at.to_string());
            ends_at = Some(support.ends_at.to_string());
            reason = support.reason;
        }
        Self {
            open,
            opened_by,
            opened_at,
            ends_at,
            reason,
        }
    }
}

/// For how long, and what for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SupportRequest {
    /// From now on: 1 to 168.
    #[schema(minimum = 1, maximum = 168)]
    pub(crate) hours: u16,
    /// What for: 1 to 500 characters.
    pub(crate) reason: Option<String>,
}
