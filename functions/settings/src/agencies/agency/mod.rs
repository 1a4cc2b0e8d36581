//! `/v1/agencies/{agency}`

pub(crate) mod accounts;
pub(crate) mod api_keys;
pub(crate) mod callbacks;
pub(crate) mod get;
pub(crate) mod patch;
pub(crate) mod settings;
