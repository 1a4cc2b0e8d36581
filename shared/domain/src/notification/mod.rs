//! What people are told by mail or text message: invitations, resets, alerts, billing notices, codes.
//!
//! A [`Notice`] goes out in two steps. [`App::notify`] answers the [`Unit`] that orders it, to be
//! committed with the change that it tells of: a row, and a message for the queue `notify` that holds
//! nothing but the row's id. The [`Notifier`] takes the message: a notice to several people becomes one
//! for each of them (their ids follow from its own, so that a second time makes no second ones); a
//! notice to one person is claimed by a conditional write, rendered, handed to the mail service, and
//! marked as sent.
//!
//! **Once.** A message that comes twice finds the row claimed or sent, and does nothing. What cannot be
//! had is that handing over and marking are one step: a process that dies exactly between the two leaves
//! a claim, and whoever finds that it has run out sends again. That second mail has the same
//! `Message-ID`, where the service leaves it to us (SES does not), and is the same file in an outbox.
//!
//! **Nothing lies about.** Links and codes stand in the row sealed by [`Keys`](ringfence_ports::Keys);
//! recipients stand there as users, whose address is looked up when it is needed. When a notice is sent
//! or given up, all that it said is erased from its row; what stays, for some weeks, is that it was.

mod billing;
mod letter;
mod notice;
mod recipients;
mod row;
mod send;
mod unsent;
mod words;

use jiff::{SignedDuration, Timestamp};
use ringfence_ports::{KeysError, Row, StoreError, Unit};

use crate::{App, access::Owner, id, people::PeopleError, session::SessionError};

pub use billing::{Amount, BillingAccepted, BillingError, BillingNotice, Period};
pub use letter::{Action, Letter};
pub use notice::{DisabledBecause, Notice, Secret};
pub use recipients::{BillingCandidate, billing_recipients};
pub use send::{Notifier, NotifierOptions};
pub use unsent::UnsentNotice;

use row::{Stored, To};

/// For how long it is tried to send what does not say itself until when it is of use.
const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(3 * 24);

/// Why a notice could not be ordered or sent.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is secret in it could not be sealed or opened.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// Somebody else is sending it.
    #[error("it is being sent")]
    UnderWay,
}

impl From<NotifyError> for PeopleError {
    fn from(error: NotifyError) -> Self {
        match error {
            NotifyError::Store(error) => error.into(),
            NotifyError::Keys(error) => error.into(),
            NotifyError::UnderWay => StoreError::Busy.into(),
        }
    }
}

impl From<NotifyError> for SessionError {
    fn from(error: NotifyError) -> Self {
        match error {
            NotifyError::Store(error) => error.into(),
            NotifyError::Keys(error) => error.into(),
            NotifyError::UnderWay => StoreError::Busy.into(),
        }
    }
}

impl App {
    /// The unit that has `notice` sent, to be committed with the change that it tells of. Empty when
    /// there is nobody to tell.
    ///
    /// To whom a notice goes is its own business: to the person that it is about, or to those who
    /// administer what it is about. Who administers is looked up here for a new administrator (those who
    /// are there already), and when it is sent for all others.
    pub async fn notify(&self, notice: Notice) -> Result<Unit, NotifyError> {
        let to = match &notice {
            Notice::Invitation { user, .. }
            | Notice::PasswordReset { user, .. }
            | Notice::NewLogin { user, .. }
            | Notice::AccountLocked { user, .. }
            | Notice::PasswordChanged { user, .. }
            | Notice::TwoFactorChanged { user, .. } => To::User(user.clone()),
            Notice::SmsCode { .. } => To::Number,
            Notice::NewAdministrator { owner, user, .. } => {
                let mut there = self.administrators_of(owner).await?;
                there.retain(|id| id != user);
                if there.is_empty() {
                    return Ok(Unit::default());
                }
                To::Users(there)
            }
            Notice::PinLocked { account, .. }
            | Notice::EndpointDisabled { account, .. }
            | Notice::Billing { account, .. } => {
                To::Administrators(Owner::Account(account.clone()))
            }
        };
        self.notify_these(notice, to).await.map(|(_, unit)| unit)
    }

    /// The same to recipients that are known. Answers its id as well.
    async fn notify_these(&self, notice: Notice, to: To) -> Result<(String, Unit), NotifyError> {
        let now = self.clock.now();
        let id = id::new(id::Kind::Notice, now, &*self.random);
        let stored = Stored::new(self, id.clone(), notice, to, now).await?;
        let unit = stored.order(self.table.sends_with_rows(), now)?;
        Ok((id, unit))
    }
}

/// What `sweep` does with a notice that is due.
pub(crate) fn again(row: &Row, now: Timestamp) -> Result<Unit, StoreError> {
    Stored::again(row, now)
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
