//! `/v1/accounts/{account}/users/{user}/invitation`

pub(crate) mod post;
