//! Roles, and the grants that give them to people.

use serde::{Deserialize, Serialize};

use crate::access::Owner;

/// What a person is to an account, an agency, or the platform. What each may do stands in one table,
/// [`crate::access::roles`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Own and assigned activities of an account only.
    CallAgent,
    /// All activities of an account.
    CallManager,
    /// All activities, reports and exports of an account.
    ReportManager,
    /// The invoices of an account.
    BillingManager,
    /// Reads the log and the reports of an account.
    MarketingManager,
    /// Everything in an account.
    Administrator,
    /// The invoices of an agency and its accounts.
    AgencyBillingManager,
    /// Everything in an agency and its accounts.
    AgencyAdministrator,
    /// One of the team that runs the platform.
    Operator,
}

/// To what kind of owner a role belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// An account.
    Account,
    /// An agency.
    Agency,
    /// The platform.
    Platform,
}

impl Level {
    /// The level of an owner.
    pub const fn of(owner: &Owner) -> Self {
        match owner {
            Owner::Account(_) => Self::Account,
            Owner::Agency(_) => Self::Agency,
            Owner::Platform => Self::Platform,
        }
    }
}

impl Role {
    /// Every role there is, in the order of the table's columns.
    pub const ALL: [Self; 9] = [
        Self::CallAgent,
        Self::CallManager,
        Self::ReportManager,
        Self::BillingManager,
        Self::MarketingManager,
        Self::Administrator,
        Self::AgencyBillingManager,
        Self::AgencyAdministrator,
        Self::Operator,
    ];

    /// The name, as in a grant.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CallAgent => "call_agent",
            Self::CallManager => "call_manager",
            Self::ReportManager => "report_manager",
            Self::BillingManager => "billing_manager",
            Self::MarketingManager => "marketing_manager",
            Self::Administrator => "administrator",
            Self::AgencyBillingManager => "agency_billing_manager",
            Self::AgencyAdministrator => "agency_administrator",
            Self::Operator => "operator",
        }
    }

    /// The role of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// Where it can be held.
    pub const fn level(self) -> Level {
        match self {
            Self::CallAgent
            | Self::CallManager
            | Self::ReportManager
            | Self::BillingManager
            | Self::MarketingManager
            | Self::Administrator => Level::Account,
            Self::AgencyBillingManager | Self::AgencyAdministrator => Level::Agency,
            Self::Operator => Level::Platform,
        }
    }

    /// How high it stands: one can only grant roles of a lower rank than one's own.
    pub const fn rank(self) -> u8 {
        match self {
            Self::CallAgent => 1,
            Self::CallManager | Self::BillingManager | Self::MarketingManager => 2,
            Self::ReportManager => 3,
            Self::Administrator => 4,
            Self::AgencyBillingManager => 5,
            Self::AgencyAdministrator => 6,
            Self::Operator => 7,
        }
    }

    /// Whether it administers what it is held on. The last such person cannot leave.
    pub const fn administers(self) -> bool {
        matches!(
            self,
            Self::Administrator | Self::AgencyAdministrator | Self::Operator
        )
    }

    /// Whether access control groups narrow what it sees.
    pub const fn is_grouped(self) -> bool {
        matches!(
            self,
            Self::CallAgent | Self::CallManager | Self::ReportManager
        )
    }
}

/// A role that a person holds somewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// On what. A person holds at most one role on each.
    pub on: Owner,
    /// Which.
    pub role: Role,
    /// The access control group (`grp_…`) that narrows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_group: Option<String>,
    /// The teams (`tea_…`) of the account that the person is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<String>,
    /// Who the person is in call data: the `agent_id` of its calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

impl Grant {
    /// A role without group, teams or agent.
    pub const fn new(on: Owner, role: Role) -> Self {
        Self {
            on,
            role,
            access_group: None,
            teams: Vec::new(),
            agent: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_their_own_and_ranks_rise_with_the_level() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
            assert_eq!(
                serde_json::to_value(role).unwrap(),
                serde_json::json!(role.as_str())
            );
        }
        for lower in Role::ALL {
            for higher in Role::ALL {
                if (lower.level() as u8) < higher.level() as u8 {
                    assert!(lower.rank() < higher.rank(), "{lower:?} {higher:?}");
                }
            }
        }
        assert_eq!(Role::parse("owner"), None);
    }
}
