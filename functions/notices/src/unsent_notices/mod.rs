//! `/v1/unsent-notices`

pub(crate) mod get;
