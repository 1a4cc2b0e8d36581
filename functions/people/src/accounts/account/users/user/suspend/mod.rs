//! `/v1/accounts/{account}/users/{user}/suspend`

pub(crate) mod post;
