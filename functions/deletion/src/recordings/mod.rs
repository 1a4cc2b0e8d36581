//! `/v1/accounts/{account}/recordings/{recording}`

pub(crate) mod delete;
