//! `/v1/operators/{user}/two-factor`

pub(crate) mod delete;
