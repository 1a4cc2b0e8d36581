//! `/v1/agencies/{agency}/settings/security`

pub(crate) mod get;
pub(crate) mod patch;
pub(crate) mod put;
