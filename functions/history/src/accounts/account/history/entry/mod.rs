//! `/v1/accounts/{account}/history/{seq}`

pub(crate) mod redaction;
