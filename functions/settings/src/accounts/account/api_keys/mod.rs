//! `/v1/accounts/{account}/api-keys`

pub(crate) mod get;
pub(crate) mod key;
pub(crate) mod post;
