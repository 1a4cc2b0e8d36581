//! `/v1/history/{seq}`

pub(crate) mod redaction;
