//! `/v1/session/two-factor`

pub(crate) mod app;
pub(crate) mod get;
pub(crate) mod recovery_codes;
pub(crate) mod sms;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodeBody {
    /// The code.
    pub(crate) code: String,
}

/// Recovery codes, shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecoveryCodesBody {
    /// Each opens once in place of the second factor. Empty: those you have stay as they are.
    pub(crate) recovery_codes: Vec<String>,
}
