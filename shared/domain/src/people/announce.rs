//! Whom a change of people is told by mail. The one place that the use cases of people call; what is
//! sent, and how, is for the notices themselves to know.

use ringfence_ports::Unit;

use super::{PeopleError, role::Grant, user::User};
use crate::{App, notification::Notice};

impl App {
    /// Adds to `unit` what makes `user`'s invitation: the one-time link, and the mail with it. A link
    /// that was mailed before no longer opens.
    pub(crate) async fn invite(&self, user: &User, unit: &mut Unit) -> Result<(), PeopleError> {
        unit.extend(self.invitation(user).await?.unit);
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
            let notice = Notice::NewAdministrator {
                owner: grant.on.clone(),
                user: user.id.clone(),
                at: self.clock.now(),
            };
            unit.extend(self.notify(notice).await?);
        }
        Ok(())
    }
}
