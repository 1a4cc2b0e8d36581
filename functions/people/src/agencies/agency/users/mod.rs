//! `/v1/agencies/{agency}/users`

pub(crate) mod get;
pub(crate) mod post;
pub(crate) mod user;
