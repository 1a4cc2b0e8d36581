//! `/v1/operators`

pub(crate) mod get;
pub(crate) mod post;
pub(crate) mod user;
