//! `/v1/operators/{user}/invitation`

pub(crate) mod post;
