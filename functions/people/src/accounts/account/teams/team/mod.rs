//! `/v1/accounts/{account}/teams/{team}`

pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod patch;
