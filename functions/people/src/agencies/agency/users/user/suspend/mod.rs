//! `/v1/agencies/{agency}/users/{user}/suspend`

pub(crate) mod post;
