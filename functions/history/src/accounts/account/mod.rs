//! `/v1/accounts/{account}`

pub(crate) mod history;
