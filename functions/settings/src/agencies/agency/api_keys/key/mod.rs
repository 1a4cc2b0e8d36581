//! `/v1/agencies/{agency}/api-keys/{key}`

pub(crate) mod delete;
