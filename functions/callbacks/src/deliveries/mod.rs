//! `/v1/accounts/{account}/deliveries…`

pub(crate) mod list;
pub(crate) mod one;
pub(crate) mod resend;
