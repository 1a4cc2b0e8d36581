//! Whom a change of people is told by mail. The one place that the use cases of people call; what is
//! sent, and how, is for [`crate::notification`](crate) to know.

use ringfence_ports::{Message, Unit};

use super::{
    PeopleError,
    role::{Grant, Role},
    user::User,
};
use crate::{App, access::Owner};

/// Something that people are told of.
#[derive(Debug)]
pub(crate) enum Announcement<'a> {
    /// Somebody was invited: to that person, with the link.
    Invited {
        /// Who.
        user: &'a User,
    },
    /// Somebody became an administrator: to those who are already.
    NewAdministrator {
        /// Who.
        user: &'a User,
        /// Of what.
        on: &'a Owner,
        /// Whom to tell.
        existing: &'a [User],
    },
}

impl App {
    /// Adds to `unit` what makes `user`'s invitation: the one-time token, and the mail with it.
    pub(crate) async fn invite(&self, user: &User, unit: &mut Unit) -> Result<(), PeopleError> {
        unit.sends
            .extend(self.announce(Announcement::Invited { user }).await?);
        Ok(())
    }

    /// Adds to `unit` what tells existing administrators of the new ones among `grants`.
    pub(crate) async fn tell_administrators(
        &self,
        user: &User,
        grants: &[Grant],
        unit: &mut Unit,
    ) -> Result<(), PeopleError> {
        for grant in grants.iter().filter(|grant| grant.role.administers()) {
            let roles: Vec<Role> = Role::ALL
                .into_iter()
                .filter(|role| role.administers())
                .collect();
            let mut existing = self.active_holders(&grant.on, &roles).await?;
            existing.retain(|other| other.id != user.id);
            let told = Announcement::NewAdministrator {
                user,
                on: &grant.on,
                existing: &existing,
            };
            unit.sends.extend(self.announce(told).await?);
        }
        Ok(())
    }

    /// The messages of an announcement.
    #[expect(
        clippy::unused_async,
        reason = "what it will call asks the store for wordings and origins"
    )]
    pub(crate) async fn announce(
        &self,
        announcement: Announcement<'_>,
    ) -> Result<Vec<Message>, PeopleError> {
        match announcement {
            Announcement::Invited { user } => tracing::info!(user = user.id, "invited"),
            Announcement::NewAdministrator { user, on, existing } => tracing::info!(
                user = user.id,
                on = on.as_str(),
                told = existing.len(),
                "a new administrator"
            ),
        }
        Ok(Vec::new())
    }
}
