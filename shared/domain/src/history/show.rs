//! Entries as people read them: what changed, field by field, with personal values where they are
//! still there.

use std::collections::BTreeMap;

use ringfence_ports::{MAX_GETS, StoreError};
use serde::Serialize;
use serde_json::Value;

use super::{
    Address, Entry,
    personal::{ADDRESS, Beside, Revealed, pointer},
};
use crate::{App, access::parse_doc, keyspace};

/// An entry, and what it comes to. In `before` and `after`, a commitment to a personal value has that
/// `value` beside it, or `"redacted": true` where it was erased. A person's address stands there as it
/// is, or not at all.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// The entry.
    #[serde(flatten)]
    pub entry: Entry,
    /// The address of the actor, who is a person, was erased.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub address_redacted: bool,
    /// The fields whose values differ, in order of their names.
    pub changes: Vec<FieldChange>,
}

/// A field whose value changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// Which, as a JSON pointer: `/phone_number_masking/console`.
    pub field: String,
    /// Null: it was not there.
    pub before: Value,
    /// Null: it is no longer there.
    pub after: Value,
}

impl App {
    /// The entries as people read them.
    pub async fn show_history(
        &self,
        owner: &str,
        entries: Vec<Entry>,
    ) -> Result<Vec<Shown>, StoreError> {
        let seqs: Vec<u64> = entries
            .iter()
            .filter(|entry| !entry.personal.is_empty())
            .map(|entry| entry.seq)
            .collect();
        let mut revealed = self.revealed(owner, &seqs).await?;
        Ok(entries
            .into_iter()
            .map(|entry| {
                let values = revealed.remove(&entry.seq).unwrap_or_default();
                Shown::new(entry, &values)
            })
            .collect())
    }

    /// What is left of the personal values of these entries.
    pub(super) async fn revealed(
        &self,
        owner: &str,
        seqs: &[u64],
    ) -> Result<BTreeMap<u64, Vec<Revealed>>, StoreError> {
        let mut found = BTreeMap::new();
        for some in seqs.chunks(MAX_GETS / 2) {
            let keys: Vec<_> = some
                .iter()
                .flat_map(|seq| {
                    [
                        keyspace::history_personal(owner, *seq),
                        keyspace::history_personal_of_actor(owner, *seq),
                    ]
                })
                .collect();
            let rows = self.table.get_many(&keys).await?;
            for (seq, rows) in some.iter().zip(rows.chunks(2)) {
                for row in rows.iter().flatten() {
                    let values: &mut Vec<Revealed> = found.entry(*seq).or_default();
                    values.extend(parse_doc::<Beside>(&row.doc)?.values);
                }
            }
        }
        Ok(found)
    }
}

impl Shown {
    pub(super) fn new(mut entry: Entry, revealed: &[Revealed]) -> Self {
        let mut address_redacted = false;
        if let Some(Address::Personal { .. }) = entry.address {
            entry.address = revealed
                .iter()
                .find(|one| one.at == ADDRESS)
                .and_then(|one| one.value.as_str()?.parse().ok())
                .map(Address::Plain);
            address_redacted = entry.address.is_none();
        }
        for at in entry.personal.clone() {
            let Some(Value::Object(fields)) = entry.at_mut(&at) else {
                continue;
            };
            match revealed.iter().find(|one| one.at == at) {
                Some(one) => fields.insert("value".to_owned(), one.value.clone()),
                None => fields.insert("redacted".to_owned(), Value::Bool(true)),
            };
        }
        let mut before = BTreeMap::new();
        let mut after = BTreeMap::new();
        flatten(&entry.before, &mut Vec::new(), &mut before);
        flatten(&entry.after, &mut Vec::new(), &mut after);
        let mut changes = Vec::new();
        for (field, old) in &before {
            let new = after.get(field).copied().unwrap_or(&Value::Null);
            if *old != new {
                changes.push(FieldChange {
                    field: field.clone(),
                    before: (*old).clone(),
                    after: new.clone(),
                });
            }
        }
        for (field, new) in &after {
            if !before.contains_key(field) && !new.is_null() {
                changes.push(FieldChange {
                    field: field.clone(),
                    before: Value::Null,
                    after: (*new).clone(),
                });
            }
        }
        changes.sort_by(|a, b| a.field.cmp(&b.field));
        Self {
            entry,
            address_redacted,
            changes,
        }
    }
}

impl Entry {
    /// The value at a pointer into the entry, below `/before` or `/after`.
    pub(super) fn at_mut(&mut self, at: &str) -> Option<&mut Value> {
        match at.split_at_checked("/before".len()) {
            Some(("/before", rest)) => self.before.pointer_mut(rest),
            _ => self.after.pointer_mut(at.strip_prefix("/after")?),
        }
    }
}

/// Lists are one value each: by place, everything behind an item that was taken out would seem to
/// have changed. So is a commitment with what stands beside it.
fn flatten<'a>(value: &'a Value, path: &mut Vec<String>, found: &mut BTreeMap<String, &'a Value>) {
    match value {
        Value::Object(fields) if !fields.is_empty() && !fields.contains_key("commitment") => {
            for (name, value) in fields {
                path.push(name.clone());
                flatten(value, path, found);
                path.pop();
            }
        }
        Value::Null if path.is_empty() => {}
        _ => {
            found.insert(pointer(path), value);
        }
    }
}
