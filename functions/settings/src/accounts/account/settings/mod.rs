//! `/v1/accounts/{account}/settings`

pub(crate) mod callbacks;
pub(crate) mod recordings;
pub(crate) mod security;
pub(crate) mod sources;
