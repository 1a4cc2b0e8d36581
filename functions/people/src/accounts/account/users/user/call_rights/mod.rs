//! `/v1/accounts/{account}/users/{user}/call-rights`

pub(crate) mod get;
