//! `/v1/agencies/{agency}/callbacks/{callback}/secrets`

pub(crate) mod get;
