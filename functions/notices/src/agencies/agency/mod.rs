//! `/v1/agencies/{agency}`

pub(crate) mod unsent_notices;
