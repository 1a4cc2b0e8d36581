//! `/v1/agencies/{agency}/callbacks/{callback}/secret`

pub(crate) mod rotate;
