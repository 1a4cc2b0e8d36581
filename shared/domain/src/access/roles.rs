//! The table: what each role may do, and with which data. The one place that says so.
//!
//! A row is a scope, a column a role; each cell says how far the scope reaches: [`Reach::All`] of the
//! account or agency on which the role is held (and, for an agency, of its accounts), [`Reach::Own`]:
//! the person's own and assigned activities only, or not at all. Access control groups and teams
//! narrow further ([`super::reach`]).

use super::Scope;
use crate::people::Role;

/// How far a scope reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Only what the person took part in or is assigned to.
    Own,
    /// Everything there.
    All,
}

/// How far `role` has `scope`; `None`: not at all.
pub const fn reach(role: Role, scope: Scope) -> Option<Reach> {
    row(scope)[role as usize]
}

/// How far the operator's team has `scope` in an agency that lets it in. Nothing there outlasts its
/// visit: it makes no keys, links or PINs, changes no settings, and lets nobody else in. It pauses and
/// resumes callbacks all the same ([`crate::App::account_to_pause`]).
pub const fn support(scope: Scope) -> Option<Reach> {
    row(scope)[Role::ALL.len()]
}

/// The scopes of a role.
pub fn scopes(role: Role) -> impl Iterator<Item = Scope> {
    Scope::ALL
        .into_iter()
        .filter(move |scope| reach(role, *scope).is_some())
}

#[rustfmt::skip]
#[expect(clippy::match_same_arms, reason = "a table: a row a scope")]
const fn row(scope: Scope) -> [Option<Reach>; Role::ALL.len() + 1] {
    const ALL: Option<Reach> = Some(Reach::All);
    const OWN: Option<Reach> = Some(Reach::Own);
    const NOT: Option<Reach> = None;
    // Persons of a platform post no events, but make keys for machines that do: one can only give a key
    // what one holds.
    match scope {
        //                       agent call  report bill. mark. admin ag.bill ag.admin operator support
        Scope::EventsWrite     => [NOT, NOT, NOT, NOT, NOT, ALL, NOT, ALL, ALL, ALL],
        Scope::CallsRead       => [OWN, ALL, ALL, NOT, ALL, ALL, NOT, ALL, ALL, ALL],
        Scope::SettingsRead    => [NOT, NOT, NOT, NOT, NOT, ALL, NOT, ALL, ALL, ALL],
        Scope::SettingsWrite   => [NOT, NOT, NOT, NOT, NOT, ALL, NOT, ALL, ALL, NOT],
        Scope::DeliveriesRead  => [NOT, NOT, NOT, NOT, NOT, ALL, NOT, ALL, ALL, ALL],
        Scope::DeliveriesWrite => [NOT, NOT, NOT, NOT, NOT, ALL, NOT, ALL, ALL, ALL],
        Scope::RecordingsRead  => [OWN, ALL, ALL, NOT, NOT, ALL, NOT, ALL, ALL, ALL],
        Scope::RecordingsWrite => [NOT, NOT, NOT, NOT, NOT, ALL, NOT, ALL, ALL, NOT],
        Scope::DeletionRead    => [NOT, NOT, NOT, NOT, NOT, ALL, NOT, ALL, ALL, ALL],
        Scope::DeletionWrite   => [NOT, NOT, NOT, NOT, NOT, ALL, NOT, ALL, ALL, NOT],
        Scope::HoldsRead       => [NOT, NOT, NOT, NOT, NOT, ALL, NOT, ALL, ALL, ALL],
        Scope::HoldsWrite      => [NOT, NOT, NOT, NOT, NOT, ALL, NOT, ALL, ALL, NOT],
        Scope::HistoryRead     => [NOT, NOT, NOT, NOT, NOT, ALL, NOT, ALL, ALL, ALL],
        Scope::PeopleRead      => [NOT, NOT, NOT, NOT, NOT, ALL, NOT, ALL, ALL, ALL],
        Scope::PeopleWrite     => [NOT, NOT, NOT, NOT, NOT, ALL, NOT, ALL, ALL, NOT],
        Scope::BillingWrite    => [NOT, NOT, NOT, NOT, NOT, NOT, NOT, ALL, ALL, ALL],
        Scope::Admin           => [NOT, NOT, NOT, NOT, NOT, ALL, NOT, ALL, ALL, NOT],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_ranks_higher_on_the_way_to_the_administrator_loses_nothing() {
        for chain in [
            [Role::CallAgent, Role::CallManager, Role::Administrator],
            [
                Role::CallManager,
                Role::ReportManager,
                Role::AgencyAdministrator,
            ],
            [Role::MarketingManager, Role::Administrator, Role::Operator],
        ] {
            for scope in Scope::ALL {
                for pair in chain.windows(2) {
                    assert!(
                        reach(pair[0], scope) <= reach(pair[1], scope),
                        "{} {pair:?}",
                        scope.as_str()
                    );
                }
            }
        }
    }

    #[test]
    fn what_the_operator_does_in_an_agency_does_not_outlast_its_visit() {
        for scope in Scope::ALL {
            let lasts = matches!(
                scope,
                Scope::Admin
                    | Scope::PeopleWrite
                    | Scope::SettingsWrite
                    | Scope::RecordingsWrite
                    | Scope::DeletionWrite
                    | Scope::HoldsWrite
            );
            assert_eq!(support(scope).is_none(), lasts, "{}", scope.as_str());
        }
    }

    #[test]
    fn an_agent_reaches_only_its_own_and_a_billing_manager_no_call() {
        assert_eq!(reach(Role::CallAgent, Scope::CallsRead), Some(Reach::Own));
        assert_eq!(scopes(Role::BillingManager).count(), 0);
        assert_eq!(reach(Role::AgencyBillingManager, Scope::CallsRead), None);
    }
}
