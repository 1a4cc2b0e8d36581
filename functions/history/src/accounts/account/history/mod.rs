//! `/v1/accounts/{account}/history`

pub(crate) mod get;
