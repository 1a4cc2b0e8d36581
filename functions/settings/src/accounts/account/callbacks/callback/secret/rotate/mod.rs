//! `/v1/accounts/{account}/callbacks/{callback}/secret/rotate`

pub(crate) mod post;
