//! `/v1/agencies/{agency}/support-access`

pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod put;
