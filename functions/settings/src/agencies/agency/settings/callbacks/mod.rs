//! `/v1/agencies/{agency}/settings/callbacks`

pub(crate) mod get;
pub(crate) mod patch;
pub(crate) mod put;
