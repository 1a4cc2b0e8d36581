//! `/v1/accounts/{account}`

pub(crate) mod api_keys;
pub(crate) mod callbacks;
pub(crate) mod get;
pub(crate) mod patch;
pub(crate) mod settings;
