//! People: who there is, which roles they hold where, and what narrows them: access control groups,
//! teams, support access.
//!
//! A person has one login over the whole installation and belongs to one agency (or to the operator's
//! team). It acts by grants: a role on an account, on the agency, or on the platform. What a role may
//! do stands in [`crate::access::roles`].

mod announce;
pub mod credentials;
mod erase;
pub mod group;
mod mail_address;
mod manage;
mod member;
pub mod role;
pub mod support;
pub mod team;
pub mod user;

use ringfence_ports::{KeysError, StoreError};

use crate::{access::AccessError, settings::FieldError};

pub use erase::Erasure;
pub use group::AccessGroup;
pub use mail_address::MailAddress;
pub use manage::{Desk, ago};
pub use member::{MAX_GRANTS, Member, UserChange};
pub use role::{Grant, Level, Role};
pub use support::SupportAccess;
pub use team::{CallRights, RecordingAccess, Switch, Team};
pub use user::{Home, NotificationChoices, Profile, TwoFactorSummary, User, UserStatus};

/// Why people could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// Fields are wrong: all of them are named. Nothing was changed.
    #[error("{} fields are not right", .0.len())]
    Fields(Vec<FieldError>),
    /// The version that the change is meant for is not the present one. Nothing was changed.
    #[error("it was changed by somebody else")]
    Stale,
    /// Somebody has this mail address.
    #[error("the mail address is taken")]
    AddressTaken,
    /// It would leave nobody who administers the account, agency or platform.
    #[error("the last administrator cannot leave")]
    LastAdministrator,
    /// The caller's own role is not above.
    #[error("this takes a higher role")]
    NotBelow,
    /// The caller's own second factor (or, without one, its password) must be given again before this.
    #[error("the second factor must be given again")]
    ConfirmationRequired,
    /// The present state does not allow it; the text says why.
    #[error("{0}")]
    Conflict(&'static str),
    /// The caller may not, or there is no such thing.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key could not be had.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

impl PeopleError {
    /// One wrong field.
    pub fn field(field: &str, code: &'static str, reason: impl Into<String>) -> Self {
        Self::Fields(vec![FieldError {
            field: field.to_owned(),
            code,
            reason: reason.into(),
        }])
    }

    /// There is no such thing.
    pub const fn absent(what: &'static str) -> Self {
        Self::Access(AccessError::NotFound(what))
    }
}
