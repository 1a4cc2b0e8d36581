//! `/v1/operators/{user}/erasure`

pub(crate) mod post;
