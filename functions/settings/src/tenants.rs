//! Agencies and accounts on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An agency.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Agency)]
pub(crate) struct AgencyBody {
    /// `agy_…`
    id: String,
    /// What people call it.
    name: String,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
}

/// An account.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Account)]
pub(crate) struct AccountBody {
    /// `acc_…`
    id: String,
    /// The agency that owns it.
    agency: String,
    /// What people call it.
    name: String,
    /// Where its days begin and end: a name of the IANA time zone database. UTC unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<String>,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
}

/// What of an account can be changed; what is left out stays.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountPatch {
    /// 1 to 200 characters, no control characters, no blanks at the ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// A name of the IANA time zone database; null: UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<String>,
}

/// A name for an agency or account.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NameRequest {
    /// 1 to 200 characters, no control characters, no blanks at the ends.
    #[schema(min_length = 1, max_length = 200)]
    pub(crate) name: String,
}
