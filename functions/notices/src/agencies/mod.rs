//! `/v1/agencies`

pub(crate) mod agency;
