//! `/v1/accounts/{account}/settings/security`

pub(crate) mod get;
pub(crate) mod patch;
pub(crate) mod put;
