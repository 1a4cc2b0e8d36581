//! `/v1/accounts/{account}/teams`

pub(crate) mod get;
pub(crate) mod post;
pub(crate) mod team;
