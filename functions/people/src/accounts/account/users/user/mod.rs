//! `/v1/accounts/{account}/users/{user}`

pub(crate) mod call_rights;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod invitation;
pub(crate) mod patch;
pub(crate) mod reactivate;
pub(crate) mod suspend;
pub(crate) mod two_factor;
