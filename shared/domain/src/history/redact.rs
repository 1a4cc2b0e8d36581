//! Erasure of personal values: what opens the commitments is deleted, and the chain stays as it is.

use ringfence_ports::{MAX_OPS, Op, Query, StoreError, Unit, When};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Action, Actor, Change, Entry, HistoryError};
use crate::{App, access::parse_doc, keyspace};

/// How many rows beside entries one commit deletes: the rest of it is the history's own.
const MAX_ROWS: usize = MAX_OPS - 10;

/// What was erased.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Redaction {
    /// The entries whose personal values are gone with this; none: there were none left.
    pub entries: Vec<u64>,
    /// There are more: ask again.
    pub more: bool,
}

impl App {
    /// Erases the personal values of one entry, and records that. Where none are left, nothing is
    /// recorded.
    pub async fn redact_entry(
        &self,
        owner: &str,
        seq: u64,
        actor: &Actor,
    ) -> Result<Redaction, HistoryError> {
        let row = self.table.get(&keyspace::history_entry(owner, seq)).await?;
        let entry: Entry = parse_doc(&row.ok_or(HistoryError::NotFound)?.doc)?;
        let keys = [
            keyspace::history_personal(owner, entry.seq),
            keyspace::history_personal_of_actor(owner, entry.seq),
        ];
        let there = self.table.get_many(&keys).await?;
        let ops: Vec<Op> = there
            .into_iter()
            .flatten()
            .map(|row| Op::Delete(row.key, When::Present))
            .collect();
        if ops.is_empty() {
            return Ok(Redaction::default());
        }
        let change = Change {
            item: format!("history/{seq}"),
            action: Action::Redact,
            before: Value::Null,
            after: json!({ "entries": [seq] }),
        };
        let unit = Unit {
            ops,
            sends: Vec::new(),
        };
        match self.commit_change(owner, actor, change, unit).await {
            Ok(_) => Ok(Redaction {
                entries: vec![seq],
                more: false,
            }),
            // Somebody else erased it first.
            Err(StoreError::Condition { .. }) => Ok(Redaction::default()),
            Err(error) => Err(error.into()),
        }
    }

    /// Erases the personal values of one person (`usr_…`) in an owner's history, up to 90 rows of them,
    /// and records that. They are what was recorded of it, and from where it acted. The list may miss
    /// what was written in this second.
    pub async fn redact_person(
        &self,
        owner: &str,
        person: &str,
        actor: &Actor,
    ) -> Result<Redaction, HistoryError> {
        let partition = keyspace::history_of_person(owner, person, 0).pk;
        let page = self
            .table
            .query(Query {
                limit: MAX_ROWS,
                ..Query::index(0, partition)
            })
            .await?;
        // An index may still name what is gone.
        let keys: Vec<_> = page.rows.into_iter().map(|row| row.key).collect();
        if keys.is_empty() {
            return Ok(Redaction::default());
        }
        let there = self.table.get_many(&keys).await?;
        let mut entries = Vec::new();
        let mut ops = Vec::new();
        for row in there.into_iter().flatten() {
            let place = row.key.sk.strip_prefix("p/").unwrap_or_default();
            let seq = place.split('/').next().unwrap_or_default();
            if let Ok(seq) = seq.parse::<u64>() {
                entries.push(seq);
                ops.push(Op::Delete(row.key, When::Always));
            }
        }
        entries.sort_unstable();
        entries.dedup();
        if !ops.is_empty() {
            let change = Change {
                item: format!("history/{person}"),
                action: Action::Redact,
                before: Value::Null,
                after: json!({ "person": person, "entries": entries }),
            };
            let unit = Unit {
                ops,
                sends: Vec::new(),
            };
            self.commit_change(owner, actor, change, unit).await?;
        }
        Ok(Redaction {
            entries,
            more: page.next.is_some(),
        })
    }
}
