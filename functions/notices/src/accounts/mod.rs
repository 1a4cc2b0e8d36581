//! `/v1/accounts`

pub(crate) mod account;
