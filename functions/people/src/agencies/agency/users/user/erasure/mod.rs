//! `/v1/agencies/{agency}/users/{user}/erasure`

pub(crate) mod post;
