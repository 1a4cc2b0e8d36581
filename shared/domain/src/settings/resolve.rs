//! Which one wins: the agency's setting, unless it allows accounts to override it; what the agency
//! does not set is the account's to choose.

use serde::Serialize;

/// Where a value in force comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Nobody has set it.
    Default,
    /// The agency.
    Agency,
    /// The account.
    Account,
}

/// A value in force, with where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Who has set it.
    pub from: Origin,
}

impl<T> Sourced<T> {
    pub(super) const fn default_of(value: T) -> Self {
        Self {
            value,
            from: Origin::Default,
        }
    }
}

impl<T> Sourced<Option<T>> {
    pub(super) fn optional(found: Option<Sourced<T>>) -> Self {
        match found {
            Some(Sourced { value, from }) => Self {
                value: Some(value),
                from,
            },
            None => Self::default_of(None),
        }
    }
}

/// The override rule.
pub(super) fn choose<T: Clone>(
    account: Option<&T>,
    agency: Option<&T>,
    may_override: bool,
) -> Option<Sourced<T>> {
    let (value, from) = match (account, agency) {
        (Some(own), None) => (own, Origin::Account),
        (Some(own), Some(_)) if may_override => (own, Origin::Account),
        (_, Some(parent)) => (parent, Origin::Agency),
        (None, None) => return None,
    };
    Some(Sourced {
        value: value.clone(),
        from,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_wins_unless_it_allows_override_or_is_silent() {
        for (agency, may_override, account, expected) in [
            (None, false, None, None),
            (None, true, None, None),
            (None, false, Some(1), Some((1, Origin::Account))),
            (None, true, Some(1), Some((1, Origin::Account))),
            (Some(2), false, None, Some((2, Origin::Agency))),
            (Some(2), true, None, Some((2, Origin::Agency))),
            (Some(2), false, Some(1), Some((2, Origin::Agency))),
            (Some(2), true, Some(1), Some((1, Origin::Account))),
        ] {
            let chosen = choose(account.as_ref(), agency.as_ref(), may_override);
            assert_eq!(chosen.map(|chosen| (chosen.value, chosen.from)), expected);
        }
    }
}
