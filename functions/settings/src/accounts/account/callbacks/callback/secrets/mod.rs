//! `/v1/accounts/{account}/callbacks/{callback}/secrets`

pub(crate) mod get;
