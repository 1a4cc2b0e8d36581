//! `/v1/agencies/{agency}/settings/recordings`

pub(crate) mod get;
pub(crate) mod patch;
pub(crate) mod put;
