//! `/v1/accounts/{account}/api-keys/{key}`

pub(crate) mod delete;
