//! `/v1/operators/{user}/suspend`

pub(crate) mod post;
