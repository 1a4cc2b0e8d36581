//! `/v1/accounts/{account}/history`

pub(crate) mod checkpoint;
pub(crate) mod entry;
pub(crate) mod export;
pub(crate) mod get;
pub(crate) mod redactions;
pub(crate) mod verification;
