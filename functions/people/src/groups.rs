//! Access control groups on the wire.

use serde::Deserialize;
use utoipa::ToSchema;

/// An access control group. Rules are AND-ed; one that is blank lets everything through.
#[derive(Deserialize, ToSchema)]
#[schema(as = AccessGroup)]
#[expect(
    dead_code,
    reason = "describes ringfence_domain::people::AccessGroup, which is what is sent"
)]
pub(crate) struct GroupBody {
    /// `grp_…`
    id: String,
    /// What people call it.
    name: String,
    /// Tracking numbers: the account's own number in a call.
    numbers: Vec<String>,
    /// Sources, as the platform names them.
    sources: Vec<String>,
    /// Dispositions, or states of a call that is not over.
    statuses: Vec<String>,
    /// Labels.
    tags: Vec<String>,
    /// The columns (fields of a call) that are seen; of a new group none.
    columns: Vec<String>,
    /// Roles that have this group in every account of the agency: `call_agent`, `call_manager`,
    /// `report_manager`.
    roles: Vec<String>,
}

/// An access control group that somebody asks for.
#[derive(Deserialize, ToSchema)]
#[schema(as = AccessGroupRequest)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what the domain reads")]
pub(crate) struct GroupRequest {
    /// What people call it: 1 to 200 characters.
    name: String,
    /// Tracking numbers: the account's own number in a call.
    numbers: Option<Vec<String>>,
    /// Sources, as the platform names them.
    sources: Option<Vec<String>>,
    /// Dispositions, or states of a call that is not over.
    statuses: Option<Vec<String>>,
    /// Labels.
    tags: Option<Vec<String>>,
    /// The columns (fields of a call) that are seen.
    columns: Option<Vec<String>>,
    /// Roles that have this group in every account of the agency.
    roles: Option<Vec<String>>,
}
