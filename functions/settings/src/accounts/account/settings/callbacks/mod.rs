//! `/v1/accounts/{account}/settings/callbacks`

pub(crate) mod get;
pub(crate) mod patch;
pub(crate) mod put;
