//! To whom a notice goes: each rule a function of the people there are.

use std::collections::BTreeSet;

use ringfence_ports::StoreError;

use crate::{
    App,
    access::Owner,
    people::{Role, User},
};

/// One who may get billing notices of an account, and can log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillingCandidate {
    /// `usr_…`
    pub user: String,
    /// Administers the account's agency. Only who does can opt out.
    pub of_agency: bool,
    /// Did not opt out.
    pub wants: bool,
}

/// Who of those that administer an account, or its agency, gets its billing notices: all of them; an
/// administrator of the agency who opted out does not, unless all of the agency's did: then they all do.
/// Each once, in order of their ids.
///
/// Whoever administers both is an administrator of the agency.
pub fn billing_recipients(candidates: &[BillingCandidate]) -> Vec<String> {
    let of_agency = |candidate: &BillingCandidate| {
        candidates
            .iter()
            .any(|other| other.user == candidate.user && other.of_agency)
    };
    let all_opted_out = candidates
        .iter()
        .filter(|candidate| of_agency(candidate))
        .all(|candidate| !candidate.wants);
    let chosen: BTreeSet<&str> = candidates
        .iter()
        .filter(|candidate| candidate.wants || all_opted_out || !of_agency(candidate))
        .map(|candidate| candidate.user.as_str())
        .collect();
    chosen.into_iter().map(str::to_owned).collect()
}

/// Who is told what happens to an account: those who administer it, or where nobody does, those who
/// administer its agency.
pub(super) fn account_recipients(of_account: Vec<String>, of_agency: Vec<String>) -> Vec<String> {
    if of_account.is_empty() {
        of_agency
    } else {
        of_account
    }
}

/// The role of those who administer an owner.
pub(super) const fn administrator_of(owner: &Owner) -> Role {
    match owner {
        Owner::Platform => Role::Operator,
        Owner::Agency(_) => Role::AgencyAdministrator,
        Owner::Account(_) => Role::Administrator,
    }
}

impl App {
    /// The ids of those who administer exactly this owner and can log in.
    pub(super) async fn administrators_of(&self, owner: &Owner) -> Result<Vec<String>, StoreError> {
        let users = self.administering(owner).await?;
        Ok(users.into_iter().map(|user| user.id).collect())
    }

    async fn administering(&self, owner: &Owner) -> Result<Vec<User>, StoreError> {
        self.active_holders(owner, &[administrator_of(owner)]).await
    }

    /// Who is told what happens to an account.
    pub(super) async fn told_of(
        &self,
        account: &str,
        agency: &str,
    ) -> Result<Vec<String>, StoreError> {
        let of_account = self
            .administrators_of(&Owner::Account(account.to_owned()))
            .await?;
        let of_agency = if of_account.is_empty() {
            self.administrators_of(&Owner::Agency(agency.to_owned()))
                .await?
        } else {
            Vec::new()
        };
        Ok(account_recipients(of_account, of_agency))
    }

    /// Who gets an account's billing notices.
    pub(super) async fn billed(
        &self,
        account: &str,
        agency: &str,
    ) -> Result<Vec<String>, StoreError> {
        let mut candidates = Vec::new();
        for owner in [
            Owner::Account(account.to_owned()),
            Owner::Agency(agency.to_owned()),
        ] {
            for user in self.administering(&owner).await? {
                candidates.push(BillingCandidate {
                    user: user.id,
                    of_agency: matches!(owner, Owner::Agency(_)),
                    wants: user.notifications.billing,
                });
            }
        }
        Ok(billing_recipients(&candidates))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a` and `b` administer the account, `X` and `Y` the agency; a dash before: opted out.
    fn recipients(candidates: &str) -> String {
        let candidates: Vec<_> = candidates
            .split_whitespace()
            .map(|word| {
                let user = word.trim_start_matches('-');
                BillingCandidate {
                    user: user.trim_end_matches('+').to_ascii_lowercase(),
                    of_agency: user.starts_with(char::is_uppercase),
                    wants: !word.starts_with('-'),
                }
            })
            .collect();
        billing_recipients(&candidates).join(" ")
    }

    #[test]
    fn billing_notices_go_to_all_who_administer_but_those_of_the_agency_who_opted_out() {
        for (people, expected) in [
            ("a b", "a b"),
            ("a X Y", "a x y"),
            // One opted out: the others.
            ("a -X Y", "a y"),
            ("-X Y Z", "y z"),
            // All of the agency opted out: all of them.
            ("a -X -Y", "a x y"),
            ("-X", "x"),
            ("-X -Y", "x y"),
            // Of the account nobody can opt out.
            ("-a -b", "a b"),
            ("-a -X Y", "a y"),
            // Who administers both is an administrator of the agency.
            ("-x -X Y", "y"),
            ("-x -X -Y", "x y"),
            ("x X", "x"),
            ("", ""),
        ] {
            assert_eq!(recipients(people), expected, "{people}");
        }
    }

    #[test]
    fn an_account_that_nobody_administers_is_its_agencys() {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert_eq!(account_recipients(ids(&["a"]), ids(&["x"])), ids(&["a"]));
        assert_eq!(account_recipients(ids(&[]), ids(&["x"])), ids(&["x"]));
    }
}
