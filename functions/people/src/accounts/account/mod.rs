//! `/v1/accounts/{account}`

pub(crate) mod teams;
pub(crate) mod users;
