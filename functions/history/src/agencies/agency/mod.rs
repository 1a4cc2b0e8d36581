//! `/v1/agencies/{agency}`

pub(crate) mod history;
