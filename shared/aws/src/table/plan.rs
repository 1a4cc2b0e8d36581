//! What an operation becomes: an action of `DynamoDB` with a condition, the same alone and in a
//! transaction.

use std::fmt::Write as _;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Put as PutItem, TransactWriteItem, Update};
use ringfence_ports::{Key, Op, Put, StoreError, When};

use crate::item::{Attributes, Item, VERSION, WriteToken, key_item, number, whole};

/// There is no row. What expired lingers until the table's clean-up.
const ABSENT: &str = "attribute_not_exists(pk) OR x <= :now";
/// There is a row.
const PRESENT: &str = "attribute_exists(pk) AND (attribute_not_exists(x) OR x > :now)";
/// There is a row of this version.
const VERSIONED: &str = "v = :v AND (attribute_not_exists(x) OR x > :now)";
/// There is no expired row: one that is absent has no `x` either.
const NOT_EXPIRED: &str = "attribute_not_exists(x) OR x > :now";

pub(super) enum Action {
    Put(Item),
    Update { key: Item, expression: String },
    Delete(Item),
    Check(Item),
}

pub(super) struct Plan {
    pub(super) action: Action,
    pub(super) condition: Option<&'static str>,
    /// Values of both expressions; `None` where there are none, which is not the same as empty.
    pub(super) values: Option<Item>,
}

/// What an [`When::Always`] put, which has to count the version up where there is a row and start
/// anew where one has expired, takes the row for. It is another action each, so a wrong guess fails
/// its condition and is made again the other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guess {
    /// There or not, but not expired.
    NotExpired,
    /// Expired, still in the table.
    Expired,
}

impl Guess {
    pub(super) fn other(self) -> Self {
        match self {
            Self::NotExpired => Self::Expired,
            Self::Expired => Self::NotExpired,
        }
    }
}

/// Whether a failed condition only means that the [`Guess`] was wrong.
pub(super) fn is_guessed(op: &Op) -> bool {
    matches!(
        op,
        Op::Put(Put {
            when: When::Always,
            ..
        })
    )
}

/// The plan of an operation at the time `now` (milliseconds).
pub(super) fn plan(op: &Op, guess: Guess, now: i64, token: WriteToken) -> Plan {
    match op {
        Op::Put(put) => match (put.when, guess) {
            (When::Absent, _) | (When::Always, Guess::Expired) => {
                conditioned(Action::Put(whole(put, 1, token)), When::Absent, now)
            }
            (When::Version(version), _) => {
                let item = whole(put, version.saturating_add(1), token);
                conditioned(Action::Put(item), put.when, now)
            }
            (When::Present, _) => {
                let (action, values) = update(put, token);
                let mut plan = conditioned(action, When::Present, now);
                plan.values.get_or_insert_default().extend(values);
                plan
            }
            (When::Always, Guess::NotExpired) => {
                let (action, mut values) = update(put, token);
                values.insert(":now".to_owned(), number(now));
                Plan {
                    action,
                    condition: Some(NOT_EXPIRED),
                    values: Some(values),
                }
            }
        },
        Op::Delete(key, when) => conditioned(Action::Delete(key_item(key)), *when, now),
        Op::Check(key, when) => conditioned(Action::Check(key_item(key)), *when, now),
    }
}

fn conditioned(action: Action, when: When, now: i64) -> Plan {
    let condition = match when {
        When::Always => {
            return Plan {
                action,
                condition: None,
                values: None,
            };
        }
        When::Absent => ABSENT,
        When::Present => PRESENT,
        When::Version(_) => VERSIONED,
    };
    let mut values = Item::from([(":now".to_owned(), number(now))]);
    if let When::Version(version) = when {
        values.insert(":v".to_owned(), number(version));
    }
    Plan {
        action,
        condition: Some(condition),
        values: Some(values),
    }
}

/// Sets what the put has, takes away what it has not, counts the version up.
fn update(put: &Put, token: WriteToken) -> (Action, Item) {
    let Attributes { set, remove } = Attributes::of(put, token);
    let mut values = Item::from([(":one".to_owned(), number(1))]);
    let mut expression = String::from("SET ");
    for (at, (name, value)) in set.into_iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(expression, "{comma}{name} = :{name}");
        values.insert(format!(":{name}"), value);
    }
    let _ = write!(
        expression,
        " REMOVE {} ADD {VERSION} :one",
        remove.join(", ")
    );
    (
        Action::Update {
            key: key_item(&put.key),
            expression,
        },
        values,
    )
}

impl Plan {
    /// As part of a transaction.
    pub(super) fn into_transacted(self, table: &str) -> Result<TransactWriteItem, StoreError> {
        let Self {
            action,
            condition,
            values,
        } = self;
        let condition = condition.map(str::to_owned);
        let item = TransactWriteItem::builder();
        let built = match action {
            Action::Put(whole) => PutItem::builder()
                .table_name(table)
                .set_item(Some(whole))
                .set_condition_expression(condition)
                .set_expression_attribute_values(values)
                .build()
                .map(|put| item.put(put)),
            Action::Update { key, expression } => Update::builder()
                .table_name(table)
                .set_key(Some(key))
                .update_expression(expression)
                .set_condition_expression(condition)
                .set_expression_attribute_values(values)
                .build()
                .map(|update| item.update(update)),
            Action::Delete(key) => Delete::builder()
                .table_name(table)
                .set_key(Some(key))
                .set_condition_expression(condition)
                .set_expression_attribute_values(values)
                .build()
                .map(|delete| item.delete(delete)),
            Action::Check(key) => ConditionCheck::builder()
                .table_name(table)
                .set_key(Some(key))
                .set_condition_expression(condition)
                .set_expression_attribute_values(values)
                .build()
                .map(|check| item.condition_check(check)),
        };
        Ok(built.map_err(incomplete)?.build())
    }
}

/// Every field is set above; the SDK cannot know.
fn incomplete(_: BuildError) -> StoreError {
    StoreError::Invalid("an operation is incomplete")
}

/// What a [`Op::Check`] alone is judged by: the row's version, if there is a row.
pub(super) fn holds(when: When, version: Option<u64>) -> bool {
    match when {
        When::Always => true,
        When::Absent => version.is_none(),
        When::Present => version.is_some(),
        When::Version(wanted) => version == Some(wanted),
    }
}

/// The key of a [`Op::Check`] that has something to check.
pub(super) fn checked(op: &Op) -> Option<(&Key, When)> {
    match op {
        Op::Check(key, when) if *when != When::Always => Some((key, *when)),
        _ => None,
    }
}

/// Whether an operation does nothing at all.
pub(super) fn is_idle(op: &Op) -> bool {
    matches!(op, Op::Check(_, When::Always))
}
