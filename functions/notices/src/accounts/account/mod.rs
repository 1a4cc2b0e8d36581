//! `/v1/accounts/{account}`

pub(crate) mod billing_notices;
