//! `/v1/agencies`

pub(crate) mod agency;
pub(crate) mod get;
pub(crate) mod post;
