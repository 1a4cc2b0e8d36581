//! `/v1/agencies/{agency}/users/{user}`

pub(crate) mod delete;
pub(crate) mod erasure;
pub(crate) mod get;
pub(crate) mod invitation;
pub(crate) mod patch;
pub(crate) mod reactivate;
pub(crate) mod suspend;
pub(crate) mod two_factor;
