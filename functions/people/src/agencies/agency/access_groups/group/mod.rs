//! `/v1/agencies/{agency}/access-groups/{group}`

pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod patch;
