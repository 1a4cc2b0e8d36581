//! Legal holds: what must not be deleted, whoever asks for it and by whatever way.
//!
//! A hold is on a recording, a call, a number or the whole account. It keeps what is there and what is
//! still to come. The row [`keyspace::hold_state`] of an account moves with every hold that is placed
//! or released; whoever tombstones recordings reads it first, then the holds, and checks in the same
//! commit that it has not moved. So there is no moment at which a hold is in force and overlooked.
//!
//! A hold keeps rather more than less: numbers are compared by their last nine digits, so that one
//! written without its country code is kept too. Filters of deletions do the opposite.

use jiff::Timestamp;
use ringfence_ports::{Key, KeysError, Op, Position, Put, Query, StoreError, Unit, When};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    App,
    access::{parse_doc, to_doc},
    derived::mac_of,
    event::PhoneNumber,
    history::{Action, Actor, Change},
    id, keyspace,
    recording::{Recording, Status},
    settings::FieldError,
};

/// The longest reason that may be given, in characters.
pub const MAX_REASON_CHARS: usize = 256;

/// How many holds may be on one thing at a time.
const MAX_HOLDS_OF_TARGET: usize = 100;

/// By how many of its last digits a number is held.
const NUMBER_DIGITS: usize = 9;

/// How often a change is tried again when another hold was placed first.
pub(super) const ATTEMPTS: usize = 16;

/// What a hold is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Target {
    /// Every recording of the account.
    Account,
    /// One recording.
    Recording(String),
    /// Every recording of a call.
    Call(String),
    /// Every recording of calls from or to a number.
    Number(PhoneNumber),
}

/// A legal hold. `Debug` shows nothing of a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// `hld_…`
    pub id: String,
    /// Whose recordings.
    pub account: String,
    /// Which of them.
    pub target: Target,
    /// Why.
    pub reason: String,
    /// Who placed it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

impl Hold {
    /// As the history keeps it: numbers masked.
    fn recorded(&self) -> Value {
        let (kind, value) = match &self.target {
            Target::Account => ("account", Value::Null),
            Target::Recording(id) => ("recording", id.as_str().into()),
            Target::Call(id) => ("call", id.as_str().into()),
            Target::Number(number) => ("number", number.masked().as_str().into()),
        };
        json!({ "id": self.id, "kind": kind, "value": value, "reason": self.reason })
    }
}

/// Why a hold could not be placed, read or released.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// There is no such hold.
    #[error("there is no such hold")]
    NotFound,
    /// There is no such recording.
    #[error("there is no such recording")]
    NoRecording,
    /// The recording was deleted already.
    #[error("the recording was deleted")]
    Deleted,
    /// Fields are wrong.
    #[error("{} fields are not right", .0.len())]
    Fields(Vec<FieldError>),
    /// There are too many holds on this already.
    #[error("there are {MAX_HOLDS_OF_TARGET} holds on this already")]
    TooMany,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key cannot be had.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

/// How many holds an account has.
#[derive(Default, Serialize, Deserialize)]
struct State {
    active: u64,
}

/// The holds on one thing.
#[derive(Default, Serialize, Deserialize)]
struct Held {
    holds: Vec<String>,
}

/// The holds of an account as they were looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HoldsSeen {
    version: Option<u64>,
}

impl HoldsSeen {
    /// The condition that no hold was placed or released since.
    pub(crate) fn unmoved(self, account: &str) -> Op {
        Op::Check(keyspace::hold_state(account), self.when())
    }

    fn when(self) -> When {
        self.version.map_or(When::Absent, When::Version)
    }
}

/// The forms under which a number that may be written in several ways is looked for: the digits of
/// each number in it, without what precedes a country code; where there are none, the text itself.
pub(super) fn digits_of(number: &PhoneNumber) -> Vec<String> {
    let mut found: Vec<String> = number
        .as_str()
        .split([',', '/', '|'])
        .map(|part| {
            let part = part.rsplit_once('<').map_or(part, |(_, inner)| inner);
            let part = match part.split_once(':') {
                Some((scheme, rest)) if scheme.chars().all(char::is_alphabetic) => rest,
                _ => part,
            };
            let end = part
                .find(['@', ';', '>', 'x', 'X', '#'])
                .unwrap_or(part.len());
            let digits: String = part
                .get(..end)
                .unwrap_or(part)
                .chars()
                .filter(char::is_ascii_digit)
                .collect();
            let digits = digits.strip_prefix("00").unwrap_or(&digits);
            if digits.is_empty() {
                part.trim().to_lowercase()
            } else {
                digits.to_owned()
            }
        })
        .filter(|digits| !digits.is_empty())
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Whether two numbers are the same, however they are written.
pub(super) fn same_number(wanted: &PhoneNumber, found: &PhoneNumber) -> bool {
    let wanted = digits_of(wanted);
    digits_of(found).iter().any(|found| wanted.contains(found))
}

impl App {
    /// Where the holds on these things of an account stand.
    async fn held_keys(&self, account: &str, recording: &Recording) -> Result<Vec<Key>, KeysError> {
        let mut keys = vec![
            keyspace::held(account, "account"),
            keyspace::held(account, &format!("recording/{}", recording.id)),
            keyspace::held(account, &format!("call/{}", recording.call_id)),
        ];
        for number in [&recording.from, &recording.to].into_iter().flatten() {
            keys.extend(self.number_keys(account, number).await?);
        }
        keys.sort();
        keys.dedup();
        Ok(keys)
    }

    async fn number_keys(
        &self,
        account: &str,
        number: &PhoneNumber,
    ) -> Result<Vec<Key>, KeysError> {
        let key = self.derived_key("held-number").await?;
        Ok(digits_of(number)
            .iter()
            .map(|digits| {
                let start = digits
                    .char_indices()
                    .rev()
                    .nth(NUMBER_DIGITS - 1)
                    .map_or(0, |(at, _)| at);
                let end = digits.get(start..).unwrap_or(digits);
                let hash = id::hex(&mac_of(&key, &[account, end]));
                keyspace::held(account, &format!("number/{hash}"))
            })
            .collect())
    }

    async fn target_keys(&self, account: &str, target: &Target) -> Result<Vec<Key>, KeysError> {
        Ok(match target {
            Target::Account => vec![keyspace::held(account, "account")],
            Target::Recording(id) => vec![keyspace::held(account, &format!("recording/{id}"))],
            Target::Call(id) => vec![keyspace::held(account, &format!("call/{id}"))],
            Target::Number(number) => self.number_keys(account, number).await?,
        })
    }

    /// The ids of the holds that keep each of these recordings, and how to check that none was placed
    /// since.
    pub(crate) async fn holds_on(
        &self,
        account: &str,
        recordings: &[&Recording],
    ) -> Result<(HoldsSeen, Vec<Vec<String>>), HoldError> {
        // First this one: what is placed after it moves it.
        let state = self.table.get(&keyspace::hold_state(account)).await?;
        let seen = HoldsSeen {
            version: state.as_ref().map(|row| row.version),
        };
        let active = match &state {
            Some(row) => parse_doc::<State>(&row.doc)?.active,
            None => 0,
        };
        let mut holds = vec![Vec::new(); recordings.len()];
        if active == 0 {
            return Ok((seen, holds));
        }
        let mut wanted: Vec<(Key, usize)> = Vec::new();
        for (at, recording) in recordings.iter().enumerate() {
            let keys = self.held_keys(account, recording).await?;
            wanted.extend(keys.into_iter().map(|key| (key, at)));
        }
        wanted.sort();
        let mut keys: Vec<Key> = wanted.iter().map(|(key, _)| key.clone()).collect();
        keys.dedup();
        let mut wanted = wanted.into_iter().peekable();
        for keys in keys.chunks(100) {
            let rows = self.table.get_many(keys).await?;
            for (key, row) in keys.iter().zip(rows) {
                let held: Held = match row {
                    Some(row) => parse_doc(&row.doc)?,
                    None => Held::default(),
                };
                while let Some((_, at)) = wanted.next_if(|(wanted, _)| wanted == key) {
                    if let Some(holds) = holds.get_mut(at) {
                        holds.extend_from_slice(&held.holds);
                    }
                }
            }
        }
        for holds in &mut holds {
            holds.sort();
            holds.dedup();
        }
        Ok((seen, holds))
    }

    /// Notes which of these recordings of an account a hold keeps, now.
    pub async fn mark_held(
        &self,
        account: &str,
        recordings: &mut [Recording],
    ) -> Result<(), HoldError> {
        let looked_at: Vec<&Recording> = recordings.iter().collect();
        let (_, holds) = self.holds_on(account, &looked_at).await?;
        for (recording, holds) in recordings.iter_mut().zip(holds) {
            recording.held = !holds.is_empty() && recording.status != Status::Deleted;
        }
        Ok(())
    }

    /// Places a hold. It keeps what it is on from the moment that this answers.
    pub async fn place_hold(
        &self,
        account: &str,
        target: Target,
        reason: &str,
        actor: &Actor,
    ) -> Result<Hold, HoldError> {
        check(&target, reason)?;
        let now = self.clock.now();
        let hold = Hold {
            id: id::new(id::Kind::Hold, now, &*self.random),
            account: account.to_owned(),
            target,
            reason: reason.to_owned(),
            created_by: actor.id.clone(),
            created_at: now,
        };
        let change = Change {
            item: format!("holds/{}", hold.id),
            action: Action::Create,
            before: Value::Null,
            after: hold.recorded(),
        };
        for _ in 0..ATTEMPTS {
            // Looked at again each time: it may go while this is placed.
            let mut ops = Vec::new();
            if let Target::Recording(recording) = &hold.target {
                let stored = self
                    .find_recording(account, recording)
                    .await?
                    .ok_or(HoldError::NoRecording)?;
                if stored.recording.status == Status::Deleted {
                    return Err(HoldError::Deleted);
                }
                let key = keyspace::recording(account, recording).ok_or(HoldError::NoRecording)?;
                ops.push(Op::Check(key, When::Version(stored.version)));
            }
            ops.extend(self.hold_ops(&hold, true).await?);
            let key = keyspace::hold(account, &hold.id);
            ops.push(Op::Put(Put::new(key, to_doc(&hold)?, When::Absent)));
            let unit = Unit {
                ops,
                sends: Vec::new(),
            };
            match self
                .commit_change(account, actor, change.clone(), unit)
                .await
            {
                Ok(_) => return Ok(hold),
                Err(StoreError::Condition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Releases a hold.
    pub async fn release_hold(
        &self,
        account: &str,
        hold: &str,
        actor: &Actor,
    ) -> Result<(), HoldError> {
        for _ in 0..ATTEMPTS {
            let before = self.hold(account, hold).await?;
            let mut ops = self.hold_ops(&before, false).await?;
            let key = keyspace::hold(account, hold);
            ops.push(Op::Delete(key, When::Present));
            let change = Change {
                item: format!("holds/{hold}"),
                action: Action::Delete,
                before: before.recorded(),
                after: Value::Null,
            };
            let unit = Unit {
                ops,
                sends: Vec::new(),
            };
            match self.commit_change(account, actor, change, unit).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Condition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// The writes that put a hold on what it is on, or take it off, and move the account's state.
    async fn hold_ops(&self, hold: &Hold, place: bool) -> Result<Vec<Op>, HoldError> {
        let account = &hold.account;
        let at_version = |version: Option<u64>| version.map_or(When::Absent, When::Version);
        let mut ops = Vec::new();
        for key in self.target_keys(account, &hold.target).await? {
            let row = self.table.get(&key).await?;
            let version = row.as_ref().map(|row| row.version);
            let mut present: Held = match &row {
                Some(row) => parse_doc(&row.doc)?,
                None => Held::default(),
            };
            present.holds.retain(|id| *id != hold.id);
            if place {
                present.holds.push(hold.id.clone());
            }
            if present.holds.len() > MAX_HOLDS_OF_TARGET {
                return Err(HoldError::TooMany);
            }
            let when = at_version(version);
            ops.push(if present.holds.is_empty() {
                Op::Delete(key, when)
            } else {
                Op::Put(Put::new(key, to_doc(&present)?, when))
            });
        }
        let key = keyspace::hold_state(account);
        let row = self.table.get(&key).await?;
        let version = row.as_ref().map(|row| row.version);
        let mut state: State = match &row {
            Some(row) => parse_doc(&row.doc)?,
            None => State::default(),
        };
        state.active = if place {
            state.active.saturating_add(1)
        } else {
            state.active.saturating_sub(1)
        };
        ops.push(Op::Put(Put::new(key, to_doc(&state)?, at_version(version))));
        Ok(ops)
    }

    /// A hold.
    pub async fn hold(&self, account: &str, hold: &str) -> Result<Hold, HoldError> {
        if !id::Kind::Hold.matches(hold) {
            return Err(HoldError::NotFound);
        }
        let row = self.table.get(&keyspace::hold(account, hold)).await?;
        Ok(parse_doc(&row.ok_or(HoldError::NotFound)?.doc)?)
    }

    /// A page of an account's holds, oldest first.
    pub async fn holds(
        &self,
        account: &str,
        limit: usize,
        after: Option<Position>,
    ) -> Result<(Vec<Hold>, Option<Position>), StoreError> {
        let page = self
            .table
            .query(Query {
                limit,
                after,
                ..Query::partition(keyspace::hold(account, "").pk)
            })
            .await?;
        let holds = page
            .rows
            .iter()
            .map(|row| parse_doc(&row.doc))
            .collect::<Result<_, _>>()?;
        Ok((holds, page.next))
    }
}

fn check(target: &Target, reason: &str) -> Result<(), HoldError> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, reason: String| {
        errors.push(FieldError {
            field: field.to_owned(),
            code: "invalid_value",
            reason,
        });
    };
    if let Some(fault) = reason_fault(reason) {
        wrong("reason", fault);
    }
    match target {
        Target::Account | Target::Recording(_) => {}
        Target::Call(call) => {
            if !(1..=512).contains(&call.len()) {
                wrong("call_id", "must be 1 to 512 bytes".to_owned());
            }
        }
        Target::Number(number) => {
            let digits = digits_of(number);
            let fits = digits.len() == 1
                && digits.iter().all(|d| d.bytes().all(|b| b.is_ascii_digit()))
                && number.as_str().len() <= 128;
            if !fits {
                wrong("number", "must be one phone number".to_owned());
            }
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(HoldError::Fields(errors))
    }
}

/// What is wrong with a reason that somebody gives.
pub(crate) fn reason_fault(reason: &str) -> Option<String> {
    let fits = (1..=MAX_REASON_CHARS).contains(&reason.chars().count())
        && !reason.chars().any(char::is_control)
        && !reason.trim().is_empty();
    (!fits)
        .then(|| format!("must be 1 to {MAX_REASON_CHARS} characters without control characters"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_same_however_it_is_written() {
        let number = |text: &str| PhoneNumber::new(text);
        let plain = number("+14155550132");
        for same in [
            "0014155550132",
            "+1 (415) 555-0132",
            "tel:+1-415-555-0132",
            "\"Bob\" <sip:+14155550132@10.1.2.3:5060>",
            "+14155550132 x17",
            "+4930123456, +14155550132",
        ] {
            assert!(same_number(&plain, &number(same)), "{same}");
        }
        for other in ["+14155550133", "4155550132", "", "anonymous"] {
            assert!(!same_number(&plain, &number(other)), "{other}");
        }
    }
}
