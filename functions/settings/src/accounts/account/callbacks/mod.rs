//! `/v1/accounts/{account}/callbacks`

pub(crate) mod callback;
