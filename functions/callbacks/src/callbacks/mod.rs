//! `/v1/accounts/{account}/callbacks…`

pub(crate) mod list;
pub(crate) mod pause;
pub(crate) mod replay;
pub(crate) mod resume;
pub(crate) mod test;
