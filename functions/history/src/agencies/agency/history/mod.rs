//! `/v1/agencies/{agency}/history`

pub(crate) mod get;
