//! `/v1/agencies/{agency}/settings`

pub(crate) mod callbacks;
pub(crate) mod security;
