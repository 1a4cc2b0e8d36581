//! `/v1/accounts/{account}/settings/sources`

pub(crate) mod get;
pub(crate) mod patch;
pub(crate) mod put;
