//! `/v1/accounts/{account}/users/{user}/two-factor`

pub(crate) mod delete;
