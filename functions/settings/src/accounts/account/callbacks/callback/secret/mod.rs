//! `/v1/accounts/{account}/callbacks/{callback}/secret`

pub(crate) mod rotate;
