//! `/v1/agencies/{agency}/settings`

pub(crate) mod callbacks;
pub(crate) mod recordings;
pub(crate) mod security;
