//! `/v1/operators/{user}/reactivate`

pub(crate) mod post;
