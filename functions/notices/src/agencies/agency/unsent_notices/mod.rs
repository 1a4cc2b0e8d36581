//! `/v1/agencies/{agency}/unsent-notices`

pub(crate) mod get;
