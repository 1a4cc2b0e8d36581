//! Recordings that have been kept long enough.
//!
//! An owner whose settings say for how many days has a row ([`keyspace::retention`]) that stands in the
//! index of due times. When it is due, an agency's puts one there for each of its accounts; an account's
//! starts a deletion for each rule in force, and is due again on the account's next day. So nothing walks
//! through accounts that have no rule.
//!
//! A deletion looks at the days that a rule has passed since it last looked. All days are looked at
//! again once a week, when the rule has changed, and when a hold was placed or released: recordings
//! registered late, and those that a hold kept, go then.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp, ToSpan as _, civil::Date};
use ringfence_ports::{Op, Put, Row, StoreError, Unit, When};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Order, Selection, date_range::start_of, deletion};
use crate::{
    App,
    access::{parse_doc, to_doc},
    history::Actor,
    id, keyspace,
    settings::{Account, RecordingRules},
};

/// After so long all days are looked at again.
const FULL_EVERY: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How many accounts of an agency one run of `sweep` takes.
const ACCOUNTS: usize = 100;

/// Recordings that have been kept for so many days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// For how many whole days of the account a recording is kept.
    pub days: u16,
    /// Only those with this label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Where this deletion begins to look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// What began before this instant has been kept long enough.
    pub until: Timestamp,
}

impl Rule {
    pub(super) fn shown(&self) -> Value {
        let mut shown = json!({ "retention_days": self.days, "until": self.until.to_string() });
        if let Some(fields) = shown.as_object_mut() {
            if let Some(tag) = &self.tag {
                fields.insert("tag".to_owned(), tag.clone().into());
            }
            if let Some(since) = self.since {
                fields.insert("since".to_owned(), since.to_string().into());
            }
        }
        shown
    }
}

/// What is remembered of an owner's retention.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Retention {
    owner: String,
    /// Of an agency: the account to go on behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    /// Of an account: up to when each rule has looked. The key is `{days}` or `{days}/{tag}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    looked: BTreeMap<String, Timestamp>,
    /// When all days were looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    full_at: Option<Timestamp>,
    /// The version of the account's holds then.
    #[serde(default)]
    holds: u64,
}

impl Retention {
    fn put(&self, due: Timestamp, when: When) -> Result<Put, StoreError> {
        Ok(Put {
            index: [None, Some(keyspace::due(due, &self.owner))],
            ..Put::new(keyspace::retention(&self.owner), to_doc(self)?, when)
        })
    }
}

/// The beginning of the day `days` before `today`: what began earlier has been kept for `days` whole days.
fn kept_until(account: &Account, today: Date, days: u16) -> Result<Timestamp, StoreError> {
    let strange = |_| StoreError::Invalid("a retention outside of what can be computed with");
    let day = today.checked_sub(i32::from(days).days()).map_err(strange)?;
    start_of(day, &account.zone()?).map_err(strange)
}

/// When an account's retention is looked at on a day: in its first hours, not all accounts at once.
fn due_on(account: &Account, day: Date) -> Result<Timestamp, StoreError> {
    let strange = |_| StoreError::Invalid("a retention outside of what can be computed with");
    let spread = account
        .id
        .get(account.id.len().saturating_sub(3)..)
        .and_then(|tail| i64::from_str_radix(tail, 16).ok())
        .unwrap_or(0);
    start_of(day, &account.zone()?)
        .and_then(|start| start.checked_add(SignedDuration::from_secs(spread * 4)))
        .map_err(strange)
}

impl App {
    /// The write that has an owner's retention looked at soon, all days of it.
    pub(crate) fn retention_op(&self, owner: &str) -> Result<Op, StoreError> {
        let fresh = Retention {
            owner: owner.to_owned(),
            ..Retention::default()
        };
        Ok(Op::Put(fresh.put(self.clock.now(), When::Always)?))
    }

    /// What is to be done about an owner whose retention is due: the writes, and the first steps of
    /// the deletions that they start.
    pub(crate) async fn retention_due(&self, row: &Row) -> Result<Unit, StoreError> {
        let state: Retention = parse_doc(&row.doc)?;
        let when = When::Version(row.version);
        if id::Kind::Agency.matches(&state.owner) {
            return self.agency_due(state, when).await;
        }
        let ended = Unit {
            ops: vec![Op::Delete(row.key.clone(), when)],
            sends: Vec::new(),
        };
        let Some(account) = self.find_account(&state.owner).await? else {
            return Ok(ended);
        };
        let Some(rules) = self.load_rules(&state.owner).await? else {
            return Ok(ended);
        };
        if rules.retention_days.is_none() && rules.retention_by_tag.is_empty() {
            return Ok(ended);
        }
        self.account_due(state, &account.value, &rules, when).await
    }

    async fn agency_due(&self, mut state: Retention, when: When) -> Result<Unit, StoreError> {
        let now = self.clock.now();
        let page = self
            .accounts_of(&state.owner, ACCOUNTS, state.after.as_deref())
            .await?;
        let mut units = Vec::with_capacity(page.items.len());
        for account in &page.items {
            let fresh = Retention {
                owner: account.id.clone(),
                ..Retention::default()
            };
            units.push(Unit {
                ops: vec![Op::Put(fresh.put(now, When::Absent)?)],
                sends: Vec::new(),
            });
        }
        for result in self.table.write(units).await {
            match result {
                // It is there already.
                Ok(()) | Err(StoreError::Condition { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        state.after = page.next;
        // New accounts are found within a day.
        let due = if state.after.is_some() {
            now
        } else {
            now.checked_add(SignedDuration::from_hours(24))
                .unwrap_or(Timestamp::MAX)
        };
        Ok(Unit {
            ops: vec![Op::Put(state.put(due, when)?)],
            sends: Vec::new(),
        })
    }

    async fn account_due(
        &self,
        mut state: Retention,
        account: &Account,
        rules: &RecordingRules,
        when: When,
    ) -> Result<Unit, StoreError> {
        let now = self.clock.now();
        let today = now.to_zoned(account.zone()?).date();
        let holds = self.table.get(&keyspace::hold_state(&account.id)).await?;
        let holds = holds.map_or(0, |row| row.version);
        let is_full = state.holds != holds
            || state
                .full_at
                .is_none_or(|at| now.duration_since(at) >= FULL_EVERY);
        let mut looked = BTreeMap::new();
        let mut unit = Unit::default();
        let all = rules.retention_days.map(|days| (None, days));
        let by_tag = rules.retention_by_tag.iter();
        let by_tag = by_tag.map(|(tag, days)| (Some(tag.clone()), *days));
        for (tag, days) in all.into_iter().chain(by_tag) {
            let until = kept_until(account, today, days)?;
            let name = match &tag {
                Some(tag) => format!("{days}/{tag}"),
                None => days.to_string(),
            };
            let since = state.looked.get(&name).copied().filter(|_| !is_full);
            looked.insert(name, until);
            if since.is_some_and(|since| since >= until) {
                continue;
            }
            let rule = Rule {
                days,
                tag,
                since,
                until,
            };
            let reason = match &rule.tag {
                Some(_) => format!("retention: kept for {days} days, by its label"),
                None => format!("retention: kept for {days} days"),
            };
            let order = Order {
                selection: Selection::Retention(rule),
                reason,
                dry_run: false,
            };
            let job = id::new(id::Kind::Job, now, &*self.random);
            let job = deletion(job, &account.id, order, &Actor::system(), now);
            unit.ops.push(Op::Put(job.put(now, When::Absent)?));
            unit.sends.push(job.message(Duration::ZERO)?);
        }
        state.looked = looked;
        state.holds = holds;
        if is_full {
            state.full_at = Some(now);
        }
        let tomorrow = today.tomorrow().unwrap_or(Date::MAX);
        let due = due_on(account, tomorrow)?;
        unit.ops.insert(0, Op::Put(state.put(due, when)?));
        Ok(unit)
    }
}
