//! `/v1/agencies/{agency}/api-keys`

pub(crate) mod get;
pub(crate) mod key;
pub(crate) mod post;
