//! `/v1/agencies/{agency}/callbacks/{callback}/secret/rotate`

pub(crate) mod post;
