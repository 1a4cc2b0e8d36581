//! `/v1/agencies/{agency}/access-groups`

pub(crate) mod get;
pub(crate) mod group;
pub(crate) mod post;
