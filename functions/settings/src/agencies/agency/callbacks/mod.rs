//! `/v1/agencies/{agency}/callbacks`

pub(crate) mod callback;
