//! Support access: an agency lets the operator's team in for a set time. Whoever of the team comes in
//! stands in the agency's history.

use jiff::{SignedDuration, Timestamp};
use ringfence_ports::{Op, Put, StoreError, Unit, When};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::PeopleError;
use crate::{
    App,
    access::{AccessError, Caller, Owner, Principal, parse_doc, to_doc, to_value},
    history::{Action, Actor, Change},
    keyspace,
};

/// The longest that support access is open at a time.
pub const MAX_SUPPORT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Support access of an agency, while it is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupportAccess {
    /// Who opened it.
    pub opened_by: String,
    /// When.
    pub opened_at: Timestamp,
    /// When it ends by itself.
    pub ends_at: Timestamp,
    /// What for, in the agency's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl App {
    /// The support access of an agency, if it is open now.
    pub async fn support_access(&self, agency: &str) -> Result<Option<SupportAccess>, StoreError> {
        let now = self.clock.now();
        let Some(row) = self.table.get(&keyspace::support(agency)).await? else {
            return Ok(None);
        };
        let support: SupportAccess = parse_doc(&row.doc)?;
        Ok(Some(support).filter(|support| support.ends_at > now))
    }

    /// Opens support access for so many hours, or moves its end. Only for the agency itself: the
    /// operator does not let itself in.
    pub async fn open_support(
        &self,
        caller: &Caller,
        agency: &str,
        hours: u16,
        reason: Option<String>,
    ) -> Result<SupportAccess, PeopleError> {
        let own = Owner::Agency(agency.to_owned());
        let is_own = match &caller.principal {
            Principal::Key(key) => key.owner == own,
            Principal::Person(person) => person.user.grant_on(&own).is_some(),
        };
        if !is_own {
            return Err(PeopleError::NotBelow);
        }
        let length = SignedDuration::from_hours(hours.into());
        if hours == 0 || length > MAX_SUPPORT {
            return Err(PeopleError::field(
                "hours",
                "out_of_range",
                "must be a whole number from 1 to 168",
            ));
        }
        if reason.as_deref().is_some_and(|reason| {
            !(1..=500).contains(&reason.chars().count()) || reason.chars().any(char::is_control)
        }) {
            return Err(PeopleError::field(
                "reason",
                "invalid_text",
                "must be 1 to 500 characters without control characters",
            ));
        }
        let now = self.clock.now();
        let ends_at = now.checked_add(length).unwrap_or(now);
        let support = SupportAccess {
            opened_by: caller.id().to_owned(),
            opened_at: now,
            ends_at,
            reason,
        };
        let before = self.support_access(agency).await?;
        let put = Put {
            expires_at: Some(ends_at),
            ..Put::new(keyspace::support(agency), to_doc(&support)?, When::Always)
        };
        self.commit_support(
            agency,
            &caller.actor(),
            Action::of(before.is_some(), true),
            before.as_ref(),
            Some(&support),
            Op::Put(put),
        )
        .await?;
        Ok(support)
    }

    /// Closes support access at once.
    pub async fn close_support(&self, agency: &str, actor: &Actor) -> Result<(), PeopleError> {
        let before = self.support_access(agency).await?;
        if before.is_none() {
            return Ok(());
        }
        let delete = Op::Delete(keyspace::support(agency), When::Always);
        self.commit_support(agency, actor, Action::Delete, before.as_ref(), None, delete)
            .await
    }

    /// Whether somebody of the operator's team may come in: while support access is open. The first
    /// time in each hour stands in the agency's history, before anything is shown.
    pub(crate) async fn use_support(
        &self,
        caller: &Caller,
        agency: &str,
    ) -> Result<bool, AccessError> {
        let Some(support) = self.support_access(agency).await? else {
            return Ok(false);
        };
        let hour = self.clock.now().as_second().div_euclid(3600);
        let key = keyspace::support_use(agency, caller.id(), hour);
        if self.table.get(&key).await?.is_some() {
            return Ok(true);
        }
        let mark = Put {
            expires_at: Timestamp::from_second((hour + 2) * 3600).ok(),
            ..Put::new(key, "{}", When::Absent)
        };
        let change = Change {
            item: "support-access/use".to_owned(),
            action: Action::Use,
            before: Value::Null,
            after: json!({ "operator": caller.id(), "opened_at": support.opened_at }),
        };
        let unit = Unit {
            ops: vec![Op::Put(mark)],
            sends: Vec::new(),
        };
        match self
            .commit_change(agency, &caller.actor(), change, unit)
            .await
        {
            // Another request of the same hour was first.
            Ok(_) | Err(StoreError::Condition { .. }) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    async fn commit_support(
        &self,
        agency: &str,
        actor: &Actor,
        action: Action,
        before: Option<&SupportAccess>,
        after: Option<&SupportAccess>,
        op: Op,
    ) -> Result<(), PeopleError> {
        let change = Change {
            item: "support-access".to_owned(),
            action,
            before: to_value(&before)?,
            after: to_value(&after)?,
        };
        let unit = Unit {
            ops: vec![op],
            sends: Vec::new(),
        };
        self.commit_change(agency, actor, change, unit).await?;
        Ok(())
    }
}
