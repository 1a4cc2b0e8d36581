//! `/v1/agencies/{agency}/users/{user}/reactivate`

pub(crate) mod post;
