//! `/v1/agencies/{agency}/users/{user}/two-factor`

pub(crate) mod delete;
