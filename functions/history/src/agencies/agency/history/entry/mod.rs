//! `/v1/agencies/{agency}/history/{seq}`

pub(crate) mod redaction;
