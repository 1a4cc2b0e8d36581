//! What the settings documents have in common: how they are read, changed and recorded.

use ringfence_ports::{Message, Op, Put, StoreError, Unit, When};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    error::SettingsError,
    merge_patch::merge,
    tenant::{Tenant, Versioned},
};
use crate::{
    App,
    access::{parse_doc, to_doc},
    history::{Action, Actor, Change},
    keyspace,
};

/// A settings document as it is stored.
pub(super) trait Document:
    Serialize + DeserializeOwned + Default + Clone + Send + Sync
{
    /// Its name in paths and keys.
    const AREA: &'static str;

    /// As callers see it: what may only be written stands there as `***`.
    fn shown(&self) -> Result<Value, StoreError>;

    /// As the history keeps it: secrets as commitments.
    fn recorded(&self) -> Result<Value, StoreError>;
}

/// A change that somebody asks for.
#[derive(Clone, PartialEq)]
pub enum Edit {
    /// The whole document anew.
    Put(Value),
    /// A JSON Merge Patch (RFC 7396) of the document as it is shown.
    Patch(Value),
}

impl std::fmt::Debug for Edit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What somebody writes may hold secrets.
        f.write_str(match self {
            Self::Put(_) => "Put(…)",
            Self::Patch(_) => "Patch(…)",
        })
    }
}

impl Edit {
    /// The document that it asks for.
    pub(super) fn apply<D: Document>(self, present: &D) -> Result<Value, StoreError> {
        Ok(match self {
            Self::Put(document) => document,
            Self::Patch(patch) => merge(present.shown()?, patch),
        })
    }
}

/// What goes with the row of a changed document.
#[derive(Default)]
pub(super) struct Beside {
    /// More rows, each with a condition of its own.
    pub(super) ops: Vec<Op>,
    /// More to be recorded, beside the document after the change.
    pub(super) recorded: Option<(&'static str, Value)>,
    /// Messages that go out with the change.
    pub(super) sends: Vec<Message>,
}

impl App {
    /// The document as it is stored; the default one, of version 0, if it never was.
    pub(super) async fn document<D: Document>(
        &self,
        tenant: &Tenant,
    ) -> Result<Versioned<D>, StoreError> {
        match self
            .table
            .get(&keyspace::settings(tenant.id(), D::AREA))
            .await?
        {
            Some(row) => Ok(Versioned {
                value: parse_doc(&row.doc)?,
                version: row.version,
            }),
            None => Ok(Versioned {
                value: D::default(),
                version: 0,
            }),
        }
    }

    /// The document that a change is meant for: [`SettingsError::Stale`] if it is not at `version`.
    pub(super) async fn document_at<D: Document>(
        &self,
        tenant: &Tenant,
        version: u64,
    ) -> Result<D, SettingsError> {
        let present = self.document::<D>(tenant).await?;
        if present.version == version {
            Ok(present.value)
        } else {
            Err(SettingsError::Stale)
        }
    }

    /// Saves `after` over version `version`, which is `before`, and answers the new version. What
    /// changes nothing writes nothing.
    pub(super) async fn commit_document<D: Document>(
        &self,
        tenant: &Tenant,
        version: u64,
        before: &D,
        after: &D,
        beside: Beside,
        actor: &Actor,
    ) -> Result<u64, SettingsError> {
        let (old, mut new) = (before.recorded()?, after.recorded()?);
        if old == new && beside.ops.is_empty() {
            return Ok(version);
        }
        if let (Some((name, value)), Some(fields)) = (beside.recorded, new.as_object_mut()) {
            fields.insert(name.to_owned(), value);
        }
        let when = if version == 0 {
            When::Absent
        } else {
            When::Version(version)
        };
        let put = Put::new(
            keyspace::settings(tenant.id(), D::AREA),
            to_doc(after)?,
            when,
        );
        let mut ops = vec![Op::Put(put)];
        ops.extend(beside.ops);
        let change = Change {
            item: format!("settings/{}", D::AREA),
            action: if version == 0 {
                Action::Create
            } else {
                Action::Update
            },
            before: if version == 0 { Value::Null } else { old },
            after: new,
        };
        match self
            .commit_change(
                tenant.id(),
                actor,
                change,
                Unit {
                    ops,
                    sends: beside.sends,
                },
            )
            .await
        {
            Ok(_) => Ok(version + 1),
            Err(StoreError::Condition { op: 0 }) => Err(SettingsError::Stale),
            // Somebody rotated a secret meanwhile: the same request will do.
            Err(StoreError::Condition { .. }) => Err(StoreError::Busy.into()),
            Err(error) => Err(error.into()),
        }
    }
}
