//! `/v1/session`

pub(crate) mod confirm;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod heartbeat;
pub(crate) mod password;
pub(crate) mod post;
pub(crate) mod second_factor;
pub(crate) mod two_factor;
