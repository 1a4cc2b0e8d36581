//! `/v1/accounts/{account}/users/{user}/reactivate`

pub(crate) mod post;
