//! Erasing somebody who was removed: what is left of it is an id.
//!
//! Its own row loses name and address, everything else about its logins goes, and so does what opens the
//! commitments to its values in every history that ever held any: of the agency, of accounts, of the
//! platform. Entries and chains stay as they are.

use ringfence_ports::{MAX_OPS, MAX_PAGE, Op, Query, StoreError, Unit, When};
use serde_json::{Value, json};

use super::{Desk, MailAddress, PeopleError, manage::ATTEMPTS, user::UserStatus};
use crate::{
    App,
    access::Caller,
    history::{Action, Change, HistoryError},
    keyspace,
};

/// How many commits one request makes in histories, at most.
const MAX_COMMITS: usize = 20;

/// What an erasure did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Entries of histories that lost personal values with this request.
    pub entries: usize,
    /// There are more: ask again.
    pub more: bool,
}

impl App {
    /// Erases somebody who was removed. Asking again goes on, or finds nothing left to do.
    ///
    /// # Errors
    /// [`PeopleError::Conflict`] as long as it was not removed.
    pub async fn erase_person(
        &self,
        desk: &Desk,
        user: &str,
        caller: &Caller,
    ) -> Result<Erasure, PeopleError> {
        let person = self.find_person(desk, user).await?;
        if person.value.status != UserStatus::Removed {
            return Err(PeopleError::Conflict(
                "Only somebody who was removed can be erased: remove this person first.",
            ));
        }
        let owners = self.forget_logins(user).await?;
        self.erase_document(desk, user, caller).await?;
        let mut done = Erasure {
            entries: 0,
            more: false,
        };
        let mut commits = 0;
        for owner in owners {
            loop {
                if commits == MAX_COMMITS {
                    done.more = true;
                    return Ok(done);
                }
                let redaction = self
                    .redact_person(&owner, user, &caller.actor())
                    .await
                    .map_err(from_history)?;
                commits += usize::from(!redaction.entries.is_empty());
                done.entries += redaction.entries.len();
                if !redaction.more {
                    break;
                }
            }
        }
        Ok(done)
    }

    /// Deletes what stands beside a person's document: sessions, devices, addresses, codes. Answers in
    /// whose histories it has stood.
    async fn forget_logins(&self, user: &str) -> Result<Vec<String>, StoreError> {
        let document = keyspace::user(user);
        let mut owners = Vec::new();
        let mut query = Query {
            limit: MAX_PAGE,
            ..Query::partition(document.pk.clone())
        };
        loop {
            let page = self.table.query(query.clone()).await?;
            let mut ops = Vec::new();
            for row in page.rows {
                let owner = row.key.sk.strip_prefix(keyspace::PERSON_IN_HISTORY_PREFIX);
                if let Some(owner) = owner {
                    owners.push(owner.to_owned());
                } else if row.key != document {
                    ops.push(Op::Delete(row.key, When::Always));
                }
            }
            for ops in ops.chunks(MAX_OPS) {
                let unit = Unit {
                    ops: ops.to_vec(),
                    sends: Vec::new(),
                };
                self.table.commit(unit).await?;
            }
            let Some(next) = page.next else {
                return Ok(owners);
            };
            query.after = Some(next);
        }
    }

    /// Takes name and address out of a person's document.
    async fn erase_document(
        &self,
        desk: &Desk,
        user: &str,
        caller: &Caller,
    ) -> Result<(), PeopleError> {
        for _ in 0..ATTEMPTS {
            let before = self.find_person(desk, user).await?;
            if before.value.erased_at.is_some() {
                return Ok(());
            }
            let mut after = before.value;
            after.email = MailAddress::erased();
            after.name = String::new();
            after.last_login_at = None;
            after.erased_at = Some(self.clock.now());
            let change = Change {
                item: format!("users/{user}"),
                action: Action::Redact,
                before: Value::Null,
                after: json!({ "erased": true }),
            };
            let unit = Unit {
                ops: vec![Op::Put(after.put(When::Version(before.version))?)],
                sends: Vec::new(),
            };
            match self
                .commit_change(desk.owner.as_str(), &caller.actor(), change, unit)
                .await
            {
                Err(StoreError::Condition { .. }) => {}
                Err(error) => return Err(error.into()),
                Ok(_) => return Ok(()),
            }
        }
        Err(StoreError::Busy.into())
    }
}

fn from_history(error: HistoryError) -> PeopleError {
    match error {
        HistoryError::Store(error) => error.into(),
        HistoryError::Keys(error) => error.into(),
        // Of what is asked about by its number, or signed.
        HistoryError::NotFound | HistoryError::Broken(_) => {
            StoreError::Unavailable("a history could not be redacted".to_owned()).into()
        }
    }
}
