use ringfence_ports::{BlobError, KeysError, StoreError};
use ringfence_sealing::{CustomerKeyError, SealingError};

use super::Refusal;
use crate::settings::FieldError;

/// Why something could not be done with a recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// There is no such recording of the account.
    #[error("there is no such recording")]
    NotFound,
    /// There is no such link to the recording.
    #[error("there is no such link")]
    NoLink,
    /// Fields are wrong: all of them are named.
    #[error("{} fields are not right", .0.len())]
    Fields(Vec<FieldError>),
    /// What the platform calls by this id was registered before, with other facts.
    #[error("another recording was registered under this external id")]
    IdReused,
    /// No audio has arrived yet.
    #[error("no audio has arrived yet")]
    NotStored,
    /// There is audio already.
    #[error("the audio is there already")]
    AlreadyStored,
    /// Its audio is the object that an event named, and comes in no other way.
    #[error("the audio is the object that an event named")]
    Named,
    /// Its audio may only be kept encrypted to the customer's own key, and there is none that fits. Nothing
    /// was stored.
    #[error("there is no fit key of the customer's")]
    CustomerKey(Option<CustomerKeyError>),
    /// The key of the provider's that its audio is, or is to be, encrypted with cannot be used. Nothing was
    /// stored. Holds the provider's code.
    #[error("the provider's key cannot be used: {0}")]
    StoreKey(String),
    /// Its audio was refused.
    #[error("the audio was refused")]
    Refused(Refusal),
    /// It was deleted.
    #[error("the recording was deleted")]
    Deleted,
    /// The range asked for lies outside of the audio.
    #[error("the range lies outside of the audio")]
    Range {
        /// The audio's length, in bytes.
        length: u64,
    },
    /// The audio is larger than one answer carries here: it is played in ranges.
    #[error("the audio is larger than one answer carries here")]
    InParts {
        /// The most bytes of one answer.
        limit: u64,
    },
    /// The store of rows failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored is not what was stored: changed, cut short or of another recording.
    #[error("the stored audio is damaged")]
    Damaged,
    /// The store of objects failed.
    #[error(transparent)]
    Blob(BlobError),
    /// A key cannot be had.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

impl From<BlobError> for RecordingError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Range { length } => Self::Range { length },
            BlobError::Mismatch => Self::Refused(Refusal::Mismatch),
            BlobError::Damaged => Self::Damaged,
            BlobError::Key(code) => Self::StoreKey(code),
            error => Self::Blob(error),
        }
    }
}

impl From<SealingError> for RecordingError {
    fn from(error: SealingError) -> Self {
        match error {
            SealingError::Range { length } => Self::Range { length },
            SealingError::Blob(error) => error.into(),
            SealingError::Header | SealingError::Length => Self::Damaged,
        }
    }
}
