//! `/v1/accounts/{account}/callbacks/{callback}`

pub(crate) mod secret;
pub(crate) mod secrets;
