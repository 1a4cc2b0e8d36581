//! `/v1/accounts/{account}/billing-notices`

pub(crate) mod post;
