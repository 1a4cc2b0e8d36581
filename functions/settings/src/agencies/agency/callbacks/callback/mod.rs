//! `/v1/agencies/{agency}/callbacks/{callback}`

pub(crate) mod secret;
pub(crate) mod secrets;
