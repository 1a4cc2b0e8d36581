//! Exports: an account's recordings as a file, each with a link where that is wanted.
//!
//! An export is a job ([`run`]): asked for, it is written in the background into one object, is there for
//! a week, and then goes with its file. It holds what its maker could see when asking, and is shown to
//! whoever sees everything, and to its maker for as long as that one sees the same. Deleting it revokes the
//! links that were made for it; when it only comes to its end they go on for the account's days.

mod csv;
mod run;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ringfence_ports::{
    BlobError, Message, Op, Position, Put, Query, Received, Row, Served, StoreError, Unit, When,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    App,
    access::{DataReach, parse_doc, to_doc},
    deletion::{DateRange, check_ids},
    history::{Action, Actor, Change},
    id, keyspace,
    recording::{Filter, Status},
    settings::{AccountConfig, FieldError},
};

/// How many exports of an account are made at a time.
pub const MAX_RUNNING: usize = 3;

/// The most rows of an export.
pub const MAX_ROWS: u64 = 1_000_000;

/// For how long an export is there, from when it was asked for.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// For how long a link to its file is good.
const DOWNLOAD_TTL: Duration = ringfence_ports::MAX_LINK_TTL;

/// How long nothing may be heard of an export that is being made before its message is taken to be lost.
const GRACE: SignedDuration = SignedDuration::from_mins(10);

/// How long after it was asked for another run of an export is begun: those that would never come to their
/// end are not begun for ever, and nothing that makes runs fail lasts longer without somebody looking.
const LONGEST: SignedDuration = SignedDuration::from_hours(6);

/// How often a change is tried again when a run came first.
const ATTEMPTS: usize = 16;

/// What an export is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Recordings that are available.
    Recordings,
}

/// Which recordings; all conditions hold together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Begun on these days of the account.
    #[serde(default)]
    pub days: DateRange,
    /// The account's time zone when it was asked for.
    pub zone: String,
    /// Begun at this instant or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Begun before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Of this call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// Of this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Of this team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// With this label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Shorter than this, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shorter_than: Option<u32>,
}

impl Selection {
    /// As it is shown and as the history keeps it.
    pub fn shown(&self) -> Value {
        let mut shown = json!({ "time_zone": self.zone });
        let mut set = |name: &str, value: Option<Value>| {
            if let (Some(value), Some(fields)) = (value, shown.as_object_mut()) {
                fields.insert(name.to_owned(), value);
            }
        };
        set("from_date", self.days.from.map(|d| d.to_string().into()));
        set("to_date", self.days.to.map(|d| d.to_string().into()));
        set("since", self.since.map(|at| at.to_string().into()));
        set("until", self.until.map(|at| at.to_string().into()));
        set("call_id", self.call.clone().map(Into::into));
        set("agent_id", self.agent.clone().map(Into::into));
        set("team", self.team.clone().map(Into::into));
        set("tag", self.tag.clone().map(Into::into));
        set("shorter_than", self.shorter_than.map(Into::into));
        shown
    }

    fn filter(&self) -> Filter {
        Filter {
            since: self.since,
            until: self.until,
            call: self.call.clone(),
            agent: self.agent.clone(),
            team: self.team.clone(),
            tag: self.tag.clone(),
            status: Some(Status::Available),
            shorter_than: self.shorter_than,
        }
    }
}

/// How an export stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is being made.
    Running,
    /// Its file is there.
    Done,
    /// It was given up; its links are revoked.
    Failed,
    /// Somebody deleted it: its file goes, and then this row. Never shown.
    Deleted,
}

/// Why an export was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// It means more than [`MAX_ROWS`] recordings.
    TooManyRows,
    /// The KMS key that the account names for its recordings cannot be used.
    StoreKey,
    /// No run came to its end in [`LONGEST`].
    TooSlow,
}

impl Failure {
    /// The same in plain words, with what to do.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooManyRows => {
                "It means more than 1,000,000 recordings: ask for parts of the time, one after the other."
            }
            Self::StoreKey => {
                "The KMS key of the account (kms_key in the recording settings) cannot be used: enable the key and let \
                 Ringfence use it, or set another, then ask again."
            }
            Self::TooSlow => {
                "It could not be made within six hours: ask for parts of the time, one after the other."
            }
        }
    }
}

/// An export as it is stored. `Debug` shows its id and state.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// `exp_…`
    pub id: String,
    /// Whose.
    pub account: String,
    /// Of what.
    pub kind: Kind,
    /// Of which.
    pub selection: Selection,
    /// Whether each row has a link.
    pub links: bool,
    /// Who asked for it.
    pub requested_by: String,
    /// What that one saw then.
    reach: DataReach,
    /// How it stands.
    pub state: State,
    /// Why it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// When it was asked for. Recordings registered later are not in it.
    pub created_at: Timestamp,
    /// When it was done, or given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// When it goes.
    pub expires_at: Timestamp,
    /// Rows written so far, without that of the names.
    pub rows: u64,
    /// Links among them.
    pub linked: u64,
    /// Bytes of the file, when it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Whether the numbers in the file are masked.
    masked: bool,
    /// How often it was begun.
    run: u32,
}

impl std::fmt::Debug for Export {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Export")
            .field("id", &self.id)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct Order {
    /// Of what.
    pub kind: Kind,
    /// Of which.
    pub selection: Selection,
    /// Whether each row gets a link.
    pub links: bool,
}

/// Who looks at exports.
#[derive(Clone, Copy, Debug)]
pub struct Viewer<'a> {
    /// The id of the key or person.
    pub id: &'a str,
    /// What it sees of the account's data.
    pub reach: &'a DataReach,
}

/// Where the file of an export is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Download {
    /// Behind this URL, for a minute.
    Url(String),
    /// There is none (yet).
    None,
    /// There is one with whole numbers, and the account masks them since.
    Unmasked,
    /// Not for whoever may make no links: there are some in it.
    Links,
}

/// Why something could not be done with an export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is no such export.
    #[error("there is no such export")]
    NotFound,
    /// Fields are wrong.
    #[error("{} fields are not right", .0.len())]
    Fields(Vec<FieldError>),
    /// As many as may be are being made.
    #[error("as many exports as may be are being made")]
    TooMany,
    /// The store of rows failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store of objects failed.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

/// What tells these messages from those of other jobs.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum MessageKind {
    Export,
}

/// The order to look at an export: to make it, or to remove what is left of it.
#[derive(Serialize, Deserialize)]
pub(crate) struct ExportMessage {
    kind: MessageKind,
    account: String,
    export: String,
}

impl ExportMessage {
    /// The order in a message of the jobs queue; `None`: it is of another kind of job.
    pub(crate) fn read(received: &Received) -> Option<Self> {
        parse_doc(&received.body).ok()
    }
}

impl Export {
    /// Whether it is there for anybody at `now`.
    fn is_there(&self, now: Timestamp) -> bool {
        self.state != State::Deleted && now < self.expires_at
    }

    /// Whether nothing came of its runs for long enough. One that only waited for its turn is begun.
    fn is_too_slow(&self, now: Timestamp) -> bool {
        self.run > 0 && now.duration_since(self.created_at) > LONGEST
    }

    fn is_seen_by(&self, viewer: Viewer<'_>) -> bool {
        viewer.reach.is_everything()
            || (viewer.id == self.requested_by && viewer.reach.to_store() == self.reach)
    }

    /// The write of this state, which is looked at again at `due` unless somebody does before.
    fn put(&self, due: Timestamp, when: When) -> Result<Put, StoreError> {
        Ok(Put {
            index: [None, Some(keyspace::due(due, &self.id))],
            ..Put::new(
                keyspace::export(&self.account, &self.id),
                to_doc(self)?,
                when,
            )
        })
    }

    /// The write that puts off the due time of an export in a row, and sends its message again.
    pub(crate) fn again(row: &Row, now: Timestamp) -> Result<Unit, StoreError> {
        let export: Self = parse_doc(&row.doc)?;
        Ok(Unit {
            ops: vec![Op::Put(export.put(later(now), When::Version(row.version))?)],
            sends: vec![export.message()?],
        })
    }

    fn message(&self) -> Result<Message, StoreError> {
        Ok(Message {
            queue: keyspace::JOBS,
            group: self.account.clone(),
            body: to_doc(&ExportMessage {
                kind: MessageKind::Export,
                account: self.account.clone(),
                export: self.id.clone(),
            })?,
            delay: Duration::ZERO,
        })
    }

    /// Whoever asked for it; from where is not kept.
    fn actor(&self) -> Actor {
        Actor {
            id: self.requested_by.clone(),
            address: None,
        }
    }
}

/// When an export that is worked on is looked at again.
fn later(now: Timestamp) -> Timestamp {
    now.checked_add(GRACE).unwrap_or(now)
}

/// Where all that runs of an export stored is.
fn folder(account: &str, export: &str) -> String {
    format!("exports/{account}/{export}/")
}

/// The file of one run: what an earlier one stores too late takes the place of none that is given out.
fn blob_key(account: &str, export: &str, run: u32) -> String {
    format!("{}{run}.csv", folder(account, export))
}

/// Which exports may be under way: those that are not are found out when it counts.
#[derive(Default, Serialize, Deserialize)]
struct Running {
    exports: Vec<String>,
}

impl App {
    /// The conditions of an export, with the instants that its days mean in the account's time zone.
    pub fn export_selection(
        &self,
        config: &AccountConfig,
        selection: Selection,
    ) -> Result<Selection, ExportError> {
        let mut errors = Vec::new();
        let zone = config.account.zone()?;
        let (from, to) = selection.days.checked(&zone, &mut errors);
        let mut wrong = |field: &str, reason: &str| {
            errors.push(FieldError {
                field: field.to_owned(),
                code: "invalid_value",
                reason: reason.to_owned(),
            });
        };
        if selection.since.is_some() && selection.days.from.is_some() {
            wrong("since", "stands in place of from_date, not beside it");
        }
        if selection.until.is_some() && selection.days.to.is_some() {
            wrong("until", "stands in place of to_date, not beside it");
        }
        let (since, until) = (selection.since.or(from), selection.until.or(to));
        // Days were compared as days: a zone may have skipped one.
        if let (Some(begin), Some(end)) = (since, until)
            && begin >= end
            && (selection.since.is_some() || selection.until.is_some())
        {
            let field = if selection.until.is_some() {
                "until"
            } else {
                "to_date"
            };
            wrong(field, "must lie behind the beginning");
        }
        check_ids(
            &[
                ("call_id", &selection.call),
                ("agent_id", &selection.agent),
                ("team", &selection.team),
                ("tag", &selection.tag),
            ],
            &mut errors,
        );
        if !errors.is_empty() {
            return Err(ExportError::Fields(errors));
        }
        Ok(Selection {
            zone: config.account.time_zone().to_owned(),
            since,
            until,
            ..selection
        })
    }

    /// Starts an export of what lies within `reach` now.
    pub async fn start_export(
        &self,
        account: &str,
        order: Order,
        reach: &DataReach,
        actor: &Actor,
    ) -> Result<Export, ExportError> {
        let now = self.clock.now();
        let export = Export {
            id: id::new(id::Kind::Export, now, &*self.random),
            account: account.to_owned(),
            kind: order.kind,
            selection: order.selection,
            links: order.links,
            requested_by: actor.id.clone(),
            reach: reach.to_store(),
            state: State::Running,
            failure: None,
            created_at: now,
            finished_at: None,
            expires_at: now.checked_add(KEPT).unwrap_or(Timestamp::MAX),
            rows: 0,
            linked: 0,
            size: None,
            masked: false,
            run: 0,
        };
        for _ in 0..ATTEMPTS {
            let unit = Unit {
                ops: vec![
                    Op::Put(export.put(later(now), When::Absent)?),
                    self.take_place(&export).await?,
                ],
                sends: vec![export.message()?],
            };
            let change = Change {
                item: format!("exports/{}", export.id),
                action: Action::Create,
                before: Value::Null,
                after: json!({
                    "kind": export.kind, "selection": export.selection.shown(), "links": export.links,
                }),
            };
            match self.commit_change(account, actor, change, unit).await {
                Ok(_) => return Ok(export),
                // Another one took a place at the same moment.
                Err(StoreError::Condition { op: 1 }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// The write that notes that an export is under way, if there is a place.
    async fn take_place(&self, export: &Export) -> Result<Op, ExportError> {
        let key = keyspace::exports_running(&export.account);
        let row = self.table.get(&key).await?;
        let (listed, when) = match &row {
            Some(row) => (
                parse_doc::<Running>(&row.doc)?.exports,
                When::Version(row.version),
            ),
            None => (Vec::new(), When::Absent),
        };
        let keys: Vec<_> = listed
            .iter()
            .map(|other| keyspace::export(&export.account, other))
            .collect();
        let mut running = Running::default();
        for (other, row) in listed.into_iter().zip(self.table.get_many(&keys).await?) {
            if let Some(row) = row
                && parse_doc::<Export>(&row.doc)?.state == State::Running
            {
                running.exports.push(other);
            }
        }
        if running.exports.len() >= MAX_RUNNING {
            return Err(ExportError::TooMany);
        }
        running.exports.push(export.id.clone());
        Ok(Op::Put(Put::new(key, to_doc(&running)?, when)))
    }

    /// An export that `viewer` may see.
    pub async fn export(
        &self,
        account: &str,
        export: &str,
        viewer: Viewer<'_>,
    ) -> Result<Export, ExportError> {
        self.stored_export(account, export)
            .await?
            .map(|(export, _)| export)
            .filter(|export| export.is_there(self.clock.now()) && export.is_seen_by(viewer))
            .ok_or(ExportError::NotFound)
    }

    async fn stored_export(
        &self,
        account: &str,
        export: &str,
    ) -> Result<Option<(Export, u64)>, StoreError> {
        if !id::Kind::Export.matches(export) {
            return Ok(None);
        }
        let row = self.table.get(&keyspace::export(account, export)).await?;
        row.map(|row| Ok((parse_doc(&row.doc)?, row.version)))
            .transpose()
    }

    /// A page of an account's exports that `viewer` may see, newest first. It may hold fewer than `limit`
    /// although there are more.
    pub async fn exports(
        &self,
        account: &str,
        viewer: Viewer<'_>,
        limit: usize,
        after: Option<Position>,
    ) -> Result<(Vec<Export>, Option<Position>), StoreError> {
        let page = self
            .table
            .query(Query {
                descending: true,
                limit,
                after,
                ..Query::partition(keyspace::export(account, "").pk)
            })
            .await?;
        let now = self.clock.now();
        let mut exports = Vec::with_capacity(page.rows.len());
        for row in &page.rows {
            let export: Export = parse_doc(&row.doc)?;
            if export.is_there(now) && export.is_seen_by(viewer) {
                exports.push(export);
            }
        }
        Ok((exports, page.next))
    }

    /// Where the file of an export is, for whoever may see the export.
    pub async fn export_download(
        &self,
        config: &AccountConfig,
        export: &Export,
    ) -> Result<Download, BlobError> {
        if export.state != State::Done {
            return Ok(Download::None);
        }
        if config.masking.console && !export.masked {
            return Ok(Download::Unmasked);
        }
        let name = format!("recordings-{}.csv", keyspace::day(export.created_at));
        let served = Served {
            download_as: Some(&name),
            content_type: Some(run::CONTENT_TYPE),
        };
        let key = blob_key(&export.account, &export.id, export.run);
        let url = self.blobs.link(&key, DOWNLOAD_TTL, served).await?;
        Ok(Download::Url(url))
    }

    /// Deletes an export that `viewer` may see: it is gone and its links are revoked when this answers, and its
    /// file goes by the jobs function.
    pub async fn delete_export(
        &self,
        account: &str,
        export: &str,
        viewer: Viewer<'_>,
        actor: &Actor,
    ) -> Result<(), ExportError> {
        for _ in 0..ATTEMPTS {
            let (before, version) = self
                .stored_export(account, export)
                .await?
                .filter(|(export, _)| {
                    export.is_there(self.clock.now()) && export.is_seen_by(viewer)
                })
                .ok_or(ExportError::NotFound)?;
            let after = Export {
                state: State::Deleted,
                ..before.clone()
            };
            let due = later(self.clock.now());
            let mut unit = Unit {
                ops: vec![Op::Put(after.put(due, When::Version(version))?)],
                sends: vec![after.message()?],
            };
            if before.links {
                unit.ops.push(self.revoke_export_links(&before.id)?);
            }
            let change = Change {
                item: format!("exports/{}", before.id),
                action: Action::Delete,
                before: told(&before),
                after: Value::Null,
            };
            match self.commit_change(account, actor, change, unit).await {
                Ok(_) => return Ok(()),
                // A run was faster.
                Err(StoreError::Condition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }
}

/// What the history tells of how an export stands.
fn told(export: &Export) -> Value {
    json!({
        "state": export.state, "failure": export.failure, "rows": export.rows, "linked": export.linked,
        "size": export.size,
    })
}
