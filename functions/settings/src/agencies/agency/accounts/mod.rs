//! `/v1/agencies/{agency}/accounts`

pub(crate) mod get;
pub(crate) mod post;
