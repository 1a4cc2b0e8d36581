//! Who holds a role on an account, an agency or the platform, and how many administer it.
//!
//! A person's row says which roles it holds; a row under each owner says the other way round who is a
//! member. Both, and the number of those who administer the owner, change in one commit: that is what
//! makes "the last administrator cannot leave" hold, whoever removes whom at the same moment.

use std::collections::BTreeSet;

use ringfence_ports::{Op, Put, Query, StoreError, Unit, When};
use serde::{Deserialize, Serialize};

use super::{
    PeopleError,
    role::Role,
    user::{User, UserStatus},
};
use crate::{
    App,
    access::{Owner, parse_doc, to_doc},
    history::{Action, Actor, Change, Personal},
    keyspace,
    settings::{Listed, Versioned},
};

/// The most roles that one person holds: a change of its status rewrites a row for each.
pub const MAX_GRANTS: usize = 30;

/// How often a change is tried again when the number of administrators changed meanwhile.
const ATTEMPTS: usize = 32;

/// A person as a member of an account, an agency or the platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// `usr_…`
    pub user: String,
    /// Its role there.
    pub role: Role,
    /// How things stand with its login.
    pub status: UserStatus,
}

/// How many people administer an owner and can log in.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Roster {
    administrators: u64,
}

/// How a change of a person is recorded.
#[derive(Clone, Debug)]
pub struct UserChange<'a> {
    /// In whose history: that of the account or agency by which it was done.
    pub owner: &'a Owner,
    /// Who does it.
    pub actor: &'a Actor,
    /// What is done.
    pub action: Action,
    /// What of the person, behind `users/{id}`: empty, or such as `/password`.
    pub part: &'static str,
}

impl App {
    /// Writes a person and all that must change with it, in one commit with the entry in the history:
    /// its memberships, the number of administrators, its hold on its address. `before` is `None` for
    /// a new one. `extra` comes with it.
    ///
    /// # Errors
    /// [`PeopleError::Stale`] when the person changed meanwhile, or a condition of `extra` does not
    /// hold; [`PeopleError::LastAdministrator`]; [`PeopleError::AddressTaken`].
    pub async fn change_user(
        &self,
        before: Option<&Versioned<User>>,
        after: User,
        how: UserChange<'_>,
        extra: Unit,
    ) -> Result<Versioned<User>, PeopleError> {
        if after.grants.len() > MAX_GRANTS {
            return Err(PeopleError::Conflict(
                "One person holds at most 30 roles; a role on the agency reaches all of its accounts.",
            ));
        }
        let version = before.map_or(0, |before| before.version);
        let concerned = [before.map(|before| &before.value), Some(&after)];
        let is_guest = concerned
            .into_iter()
            .flatten()
            .any(|user| user.is_elsewhere_than(how.owner));
        let record = |user: &User| {
            if is_guest {
                recorded_of_guest(user, how.owner)
            } else {
                recorded(user)
            }
        };
        let change = Change {
            item: format!("users/{}{}", after.id, how.part),
            action: how.action,
            before: before.map_or(serde_json::Value::Null, |before| record(&before.value)),
            after: record(&after),
        }
        .personal(Personal::all_but(&PUBLIC).of(after.id.clone()));
        for _ in 0..ATTEMPTS {
            let mut unit = extra.clone();
            let own = unit.ops.len();
            let address = self.user_ops(before, &after, &mut unit.ops).await?;
            let roster = unit.ops.len();
            self.roster_ops(before.map(|before| &before.value), &after, &mut unit.ops)
                .await?;
            let committed = self
                .commit_change(how.owner.as_str(), how.actor, change.clone(), unit)
                .await;
            match committed {
                Ok(_) => {
                    return Ok(Versioned {
                        value: after,
                        version: version + 1,
                    });
                }
                Err(StoreError::Condition { op }) if op >= roster => {}
                Err(StoreError::Condition { op }) if op >= own && Some(op) == address => {
                    return Err(PeopleError::AddressTaken);
                }
                Err(StoreError::Condition { .. }) => return Err(PeopleError::Stale),
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// The person's row, address and memberships. Answers which operation takes an address.
    async fn user_ops(
        &self,
        before: Option<&Versioned<User>>,
        after: &User,
        ops: &mut Vec<Op>,
    ) -> Result<Option<usize>, PeopleError> {
        let when = before.map_or(When::Absent, |before| When::Version(before.version));
        ops.push(Op::Put(after.put(when)?));
        let before = before.map(|before| &before.value);
        let held =
            |user: &User| (user.status != UserStatus::Removed).then(|| user.email.normalised());
        let (old, new) = (before.and_then(held), held(after));
        let mut taken = None;
        if old != new {
            if let Some(before) = before.filter(|_| old.is_some()) {
                ops.push(Op::Delete(
                    self.mail_key(&before.email).await?,
                    When::Always,
                ));
            }
            if new.is_some() {
                taken = Some(ops.len());
                ops.push(self.take_address(after).await?);
            }
        }
        for owner in owners(before, after) {
            let now = member(after, &owner);
            if before.and_then(|before| member(before, &owner)) == now {
                continue;
            }
            let key = keyspace::member(owner.as_str(), &after.id);
            ops.push(match now {
                Some(member) => Op::Put(Put::new(key, to_doc(&member)?, When::Always)),
                None => Op::Delete(key, When::Always),
            });
        }
        Ok(taken)
    }

    /// Counts who administers each owner.
    async fn roster_ops(
        &self,
        before: Option<&User>,
        after: &User,
        ops: &mut Vec<Op>,
    ) -> Result<(), PeopleError> {
        for owner in owners(before, after) {
            let was = before.is_some_and(|before| administers(before, &owner));
            let is = administers(after, &owner);
            if was == is {
                continue;
            }
            let key = keyspace::roster(owner.as_str());
            let (roster, when) = match self.table.get(&key).await? {
                Some(row) => (parse_doc::<Roster>(&row.doc)?, When::Version(row.version)),
                None => (Roster::default(), When::Absent),
            };
            let administrators = if is {
                roster.administrators + 1
            } else {
                roster.administrators.saturating_sub(1)
            };
            if administrators == 0 {
                return Err(PeopleError::LastAdministrator);
            }
            ops.push(Op::Put(Put::new(
                key,
                to_doc(&Roster { administrators })?,
                when,
            )));
        }
        Ok(())
    }

    /// A page of those who hold a role on exactly this owner, in the order in which they came.
    pub async fn members_of(
        &self,
        owner: &Owner,
        limit: usize,
        after: Option<&str>,
    ) -> Result<Listed<Member>, StoreError> {
        let page = self
            .table
            .query(Query {
                from: after.map(|id| format!("{id}~")),
                limit,
                ..Query::partition(keyspace::member(owner.as_str(), "-").pk)
            })
            .await?;
        let items = page
            .rows
            .iter()
            .map(|row| parse_doc(&row.doc))
            .collect::<Result<_, _>>()?;
        Ok(Listed {
            items,
            next: page.next.map(|next| next.key.sk),
        })
    }

    /// The same as people, each with its version.
    pub async fn people_of(
        &self,
        owner: &Owner,
        limit: usize,
        after: Option<&str>,
    ) -> Result<Listed<Versioned<User>>, StoreError> {
        let page = self.members_of(owner, limit, after).await?;
        let keys: Vec<_> = page
            .items
            .iter()
            .map(|member| keyspace::user(&member.user))
            .collect();
        let rows = if keys.is_empty() {
            Vec::new()
        } else {
            self.table.get_many(&keys).await?
        };
        let items = rows
            .iter()
            .flatten()
            .map(User::from_row)
            .collect::<Result<_, _>>()?;
        Ok(Listed {
            items,
            next: page.next,
        })
    }

    /// Everybody who can log in and holds one of these roles on exactly this owner: recipients of
    /// notices.
    pub async fn active_holders(
        &self,
        owner: &Owner,
        roles: &[Role],
    ) -> Result<Vec<User>, StoreError> {
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.people_of(owner, 100, after.as_deref()).await?;
            found.extend(
                page.items
                    .into_iter()
                    .map(|user| user.value)
                    .filter(|user| {
                        user.is_active()
                            && user
                                .grant_on(owner)
                                .is_some_and(|grant| roles.contains(&grant.role))
                    }),
            );
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(found),
            }
        }
    }
}

fn owners(before: Option<&User>, after: &User) -> Vec<Owner> {
    let mut seen = BTreeSet::new();
    before
        .into_iter()
        .chain([after])
        .flat_map(|user| &user.grants)
        .filter(|grant| seen.insert(grant.on.as_str().to_owned()))
        .map(|grant| grant.on.clone())
        .collect()
}

fn member(user: &User, owner: &Owner) -> Option<Member> {
    user.grant_on(owner).map(|grant| Member {
        user: user.id.clone(),
        role: grant.role,
        status: user.status,
    })
}

fn administers(user: &User, owner: &Owner) -> bool {
    user.is_active()
        && user
            .grant_on(owner)
            .is_some_and(|grant| grant.role.administers())
}

/// A person as the history tells of it.
fn recorded(user: &User) -> serde_json::Value {
    serde_json::json!({
        "email": user.email,
        "name": user.name,
        "profile": user.profile,
        "status": user.status,
        "grants": user.grants,
        "two_factor": user.two_factor,
        "notifications": user.notifications,
        "session_epoch": user.session_epoch,
    })
}

/// The same in the history of an account, of somebody who holds roles elsewhere as well: those, and the
/// rest of the person, are no concern of this account's.
fn recorded_of_guest(user: &User, owner: &Owner) -> serde_json::Value {
    let grants: Vec<_> = user.grant_on(owner).into_iter().collect();
    serde_json::json!({ "grants": grants })
}

/// What of that is no personal value.
const PUBLIC: [&str; 5] = [
    "/status",
    "/grants",
    "/two_factor",
    "/notifications",
    "/session_epoch",
];
