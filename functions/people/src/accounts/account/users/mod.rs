//! `/v1/accounts/{account}/users`

pub(crate) mod get;
pub(crate) mod post;
pub(crate) mod user;
