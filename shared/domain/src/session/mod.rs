//! Logging in and staying so: passwords, second factors, sessions, one-time links.
//!
//! A session is a row beside the person's, found by the hash of its secret: one read of the table
//! authenticates a request, and what changes about the person (its roles, a suspension, a password)
//! holds from its next request on. It ends when its person asks nothing for as long as the agency says,
//! and after [`LIFETIME`] in any case.

pub mod device;
pub mod factor;
pub mod live;
pub mod login;
pub mod one_time_link;
pub mod password;
pub mod recovery;
mod sms_code;
pub mod throttle;
mod token;
pub mod totp;
pub mod two_factor;

use jiff::{SignedDuration, Timestamp};
use ringfence_ports::{KeysError, StoreError};

use crate::{access::AccessError, people::PeopleError, settings::FieldError};

pub use device::Device;
pub use factor::Method;
pub use live::{Activity, Current, ListedSession};
pub use login::{LoggedIn, NewAttempt, NewSession, Visitor};
pub use one_time_link::Invitation;
pub use password::Password;
pub use token::{Ticket, Token};

/// After how long a session is over, whatever happens in it.
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(12);

/// For how long a login may wait for its second factor.
pub const ATTEMPT_TTL: SignedDuration = SignedDuration::from_mins(15);

/// How many one-time codes an attempt may try.
pub const MAX_GUESSES: i64 = 5;

/// For how long a second factor that was asked again vouches for changes of what one logs in with.
pub const CONFIRMED_FOR: SignedDuration = SignedDuration::from_mins(10);

/// Why somebody is not logged in, or may not do something with a login.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The address or the password is wrong, or it cannot log in. Deliberately not told apart.
    #[error("the mail address or the password is wrong")]
    Wrong,
    /// Too many failures; nothing is looked at before this instant.
    #[error("too many failures")]
    Locked {
        /// When the next attempt is looked at.
        until: Timestamp,
    },
    /// The code is wrong, was used, or is of another login.
    #[error("the code is wrong")]
    WrongCode,
    /// The login waited too long for its second factor, or had its guesses.
    #[error("the login must start again")]
    AttemptOver,
    /// There is no session, or it is over.
    #[error("the session is over")]
    Over,
    /// The second factor must be given again before this.
    #[error("the second factor must be given again")]
    ConfirmationRequired,
    /// A second factor must be set up before anything else.
    #[error("a second factor must be set up first")]
    EnrolmentRequired,
    /// The one-time link was used, replaced, or its time is over.
    #[error("the link does not open any more")]
    LinkOver,
    /// Fields are wrong.
    #[error("{} fields are not right", .0.len())]
    Fields(Vec<FieldError>),
    /// The present state does not allow it; the text says why.
    #[error("{0}")]
    Conflict(&'static str),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key could not be had.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

impl SessionError {
    /// One wrong field.
    pub(crate) fn field(field: &str, code: &'static str, reason: impl Into<String>) -> Self {
        Self::Fields(vec![FieldError {
            field: field.to_owned(),
            code,
            reason: reason.into(),
        }])
    }
}

impl From<AccessError> for SessionError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Store(error) => error.into(),
            _ => Self::Over,
        }
    }
}

impl From<PeopleError> for SessionError {
    fn from(error: PeopleError) -> Self {
        match error {
            PeopleError::Fields(errors) => Self::Fields(errors),
            PeopleError::Conflict(why) => Self::Conflict(why),
            PeopleError::Access(error) => error.into(),
            PeopleError::Store(error) => error.into(),
            PeopleError::Keys(error) => error.into(),
            _ => Self::Conflict("It was changed at the same moment: try again."),
        }
    }
}
