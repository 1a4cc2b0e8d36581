//! `/v1/accounts/{account}/settings/recordings`

pub(crate) mod get;
pub(crate) mod patch;
pub(crate) mod put;
