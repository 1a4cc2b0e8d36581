use ringfence_ports::{KeysError, StoreError};

use crate::access::AccessError;

/// One field of a document that is not right. Never holds the value: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The path of the field, with dots (`cdr.timeout_seconds`); empty: the document itself.
    pub field: String,
    /// A stable name of what is wrong.
    pub code: &'static str,
    /// The same in plain words.
    pub reason: String,
}

/// Why settings could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Fields are wrong: all of them are named. Nothing was saved.
    #[error("{} fields are not right", .0.len())]
    Fields(Vec<FieldError>),
    /// The version that the change is meant for is not the present one. Nothing was saved.
    #[error("the document was changed by somebody else")]
    Stale,
    /// Endpoints did not answer the verification challenge. Nothing was saved.
    #[error("{} endpoints did not answer the verification challenge", .0.len())]
    Challenge(Vec<FieldError>),
    /// The present state does not allow it; the text says why.
    #[error("{0}")]
    Conflict(&'static str),
    /// The caller may not, or there is no such thing.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret could not be sealed or opened.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

impl SettingsError {
    /// One wrong field.
    pub(crate) fn field(field: &str, code: &'static str, reason: impl Into<String>) -> Self {
        Self::Fields(vec![FieldError {
            field: field.to_owned(),
            code,
            reason: reason.into(),
        }])
    }

    /// There is no such thing.
    pub(crate) fn absent(what: &'static str) -> Self {
        Self::Access(AccessError::NotFound(what))
    }
}
