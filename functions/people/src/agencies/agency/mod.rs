//! `/v1/agencies/{agency}`

pub(crate) mod access_groups;
pub(crate) mod support_access;
pub(crate) mod users;
