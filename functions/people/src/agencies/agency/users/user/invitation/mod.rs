//! `/v1/agencies/{agency}/users/{user}/invitation`

pub(crate) mod post;
