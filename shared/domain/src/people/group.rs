//! Access control groups: an agency's rules for which activities some of its people see, and how much
//! of each.
//!
//! A group narrows call agents, call managers and report managers. Its rules are AND-ed; a rule that is
//! blank lets everything through; inside a rule one match is enough. Columns are the fields of a call;
//! of a new group every column is hidden. A person has the group that its grant names, those of its
//! teams, and those that are given to its role; where several apply, all of them must let through.

use ringfence_ports::{Op, Put, Query, Row, StoreError, Unit, When};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{PeopleError, role::Role};
use crate::{
    App,
    access::{parse_doc, to_doc, to_value},
    event::{CallState, Disposition},
    history::{Action, Actor, Change, Personal},
    id, keyspace,
    settings::{
        Versioned,
        fields::{Errors, Object},
        merge_patch::merge,
        tenant::name_fault,
    },
};

/// The most groups of an agency: all of them are read where one may apply.
pub const MAX_GROUPS: usize = 100;
/// The most values of one rule.
pub const MAX_VALUES: usize = 200;

/// The columns of the log: the fields of a call that a group can show or hide.
pub const COLUMNS: [&str; 30] = [
    "state",
    "updated_at",
    "parent_call_id",
    "direction",
    "call_method",
    "leg",
    "from",
    "to",
    "display_number",
    "extension",
    "agent_id",
    "team",
    "task_id",
    "custom_id",
    "started_at",
    "ringing_at",
    "answered_at",
    "ended_at",
    "duration",
    "billsec",
    "ring_time",
    "talk_time",
    "hold_time",
    "wait_time",
    "disposition",
    "hangup",
    "answered_by",
    "recording",
    "tags",
    "source",
];

/// An access control group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessGroup {
    /// `grp_…`
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Tracking numbers: the account's own number in a call. Compared by their digits.
    #[serde(default)]
    pub numbers: Vec<String>,
    /// Sources, as the platform names them.
    #[serde(default)]
    pub sources: Vec<String>,
    /// Call statuses: a disposition, or a state of a call that is not over.
    #[serde(default)]
    pub statuses: Vec<String>,
    /// Labels.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The columns that are seen.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Roles that have this group in every account of the agency.
    #[serde(default)]
    pub roles: Vec<Role>,
}

impl AccessGroup {
    /// Whether it shows a column.
    pub fn shows(&self, column: &str) -> bool {
        self.columns.iter().any(|shown| shown == column)
    }

    /// Whether it lets every activity through.
    pub fn is_blank(&self) -> bool {
        self.numbers.is_empty()
            && self.sources.is_empty()
            && self.statuses.is_empty()
            && self.tags.is_empty()
    }

    fn document(&self) -> Value {
        serde_json::json!({
            "name": self.name, "numbers": self.numbers, "sources": self.sources, "statuses": self.statuses,
            "tags": self.tags, "columns": self.columns, "roles": self.roles,
        })
    }

    fn read(id: &str, document: Value) -> Result<Self, PeopleError> {
        let mut errors = Errors::default();
        let mut group = Self {
            id: id.to_owned(),
            name: String::new(),
            numbers: Vec::new(),
            sources: Vec::new(),
            statuses: Vec::new(),
            tags: Vec::new(),
            columns: Vec::new(),
            roles: Vec::new(),
        };
        if let Some(mut object) = Object::read("", document, &mut errors) {
            if let Some(name) = object.required_string("name") {
                if let Some(reason) = name_fault(&name) {
                    object.wrong("name", "invalid_name", reason);
                }
                group.name = name;
            }
            group.numbers = list(
                &mut object,
                "numbers",
                "must be a telephone number",
                |text| digits(text).len() >= 2 && text.len() <= 64,
            );
            group.sources = list(
                &mut object,
                "sources",
                "must be 1 to 200 characters",
                is_label,
            );
            group.statuses = list(
                &mut object,
                "statuses",
                "must be a disposition, or ringing, answered, disconnected or completed",
                is_status,
            );
            group.tags = list(&mut object, "tags", "must be 1 to 200 characters", is_label);
            let reason = format!("must be one of {}", COLUMNS.join(", "));
            group.columns = list(&mut object, "columns", &reason, |text| {
                COLUMNS.contains(&text)
            });
            group.roles = list(
                &mut object,
                "roles",
                "must be call_agent, call_manager or report_manager",
                |text| Role::parse(text).is_some_and(Role::is_grouped),
            )
            .iter()
            .filter_map(|name| Role::parse(name))
            .collect();
            object.finish();
        }
        let errors = errors.into_list();
        if errors.is_empty() {
            Ok(group)
        } else {
            Err(PeopleError::Fields(errors))
        }
    }

    fn put(&self, agency: &str, when: When) -> Result<Put, StoreError> {
        Ok(Put::new(
            keyspace::access_group(agency, &self.id),
            to_doc(self)?,
            when,
        ))
    }

    fn from_row(row: &Row) -> Result<Versioned<Self>, StoreError> {
        Ok(Versioned {
            value: parse_doc(&row.doc)?,
            version: row.version,
        })
    }
}

/// The digits of a number: how numbers are compared, whatever signs stand between them.
pub(crate) fn digits(number: &str) -> String {
    number.chars().filter(char::is_ascii_digit).collect()
}

fn is_label(text: &str) -> bool {
    (1..=200).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

fn is_status(text: &str) -> bool {
    let name = Value::String(text.to_owned());
    serde_json::from_value::<Disposition>(name.clone()).is_ok()
        || serde_json::from_value::<CallState>(name).is_ok()
}

/// A list of texts, each once; absent is empty.
pub(crate) fn list(
    object: &mut Object<'_>,
    name: &'static str,
    reason: &str,
    fits: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    match object.take(name) {
        None => {}
        Some(Value::Array(items)) if items.len() <= MAX_VALUES => {
            for (place, item) in items.into_iter().enumerate() {
                match item {
                    Value::String(text) if fits(&text) => {
                        if !found.contains(&text) {
                            found.push(text);
                        }
                    }
                    _ => object.wrong(&format!("{name}.{place}"), "invalid_value", reason),
                }
            }
        }
        Some(_) => object.wrong(
            name,
            "not_a_list",
            format!("must be a list of at most {MAX_VALUES} texts"),
        ),
    }
    found
}

impl App {
    /// The access control groups of an agency, oldest first.
    pub async fn access_groups(
        &self,
        agency: &str,
    ) -> Result<Vec<Versioned<AccessGroup>>, StoreError> {
        let prefix = keyspace::access_group(agency, "");
        let page = self
            .table
            .query(Query {
                to: Some(format!("{}~", prefix.sk)),
                from: Some(prefix.sk),
                limit: 1000,
                ..Query::partition(prefix.pk)
            })
            .await?;
        page.rows.iter().map(AccessGroup::from_row).collect()
    }

    /// One of them.
    pub async fn access_group(
        &self,
        agency: &str,
        group: &str,
    ) -> Result<Versioned<AccessGroup>, PeopleError> {
        if !id::Kind::Group.matches(group) {
            return Err(PeopleError::absent("access group"));
        }
        let row = self
            .table
            .get(&keyspace::access_group(agency, group))
            .await?
            .ok_or(PeopleError::absent("access group"))?;
        Ok(AccessGroup::from_row(&row)?)
    }

    /// Makes a group. Every column of it is hidden unless `document` says otherwise.
    pub async fn create_access_group(
        &self,
        agency: &str,
        document: Value,
        actor: &Actor,
    ) -> Result<Versioned<AccessGroup>, PeopleError> {
        let id = id::new(id::Kind::Group, self.clock.now(), &*self.random);
        let group = AccessGroup::read(&id, document)?;
        if self.access_groups(agency).await?.len() >= MAX_GROUPS {
            return Err(PeopleError::Conflict(
                "An agency has at most 100 access control groups.",
            ));
        }
        let put = Op::Put(group.put(agency, When::Absent)?);
        self.commit_group(agency, actor, None, Some(&group), put)
            .await?;
        Ok(Versioned {
            value: group,
            version: 1,
        })
    }

    /// Changes a group: `patch` is a merge patch of its document.
    pub async fn update_access_group(
        &self,
        agency: &str,
        before: Versioned<AccessGroup>,
        version: u64,
        patch: Value,
        actor: &Actor,
    ) -> Result<Versioned<AccessGroup>, PeopleError> {
        if before.version != version {
            return Err(PeopleError::Stale);
        }
        let after = AccessGroup::read(&before.value.id, merge(before.value.document(), patch))?;
        if after == before.value {
            return Ok(before);
        }
        let put = Op::Put(after.put(agency, When::Version(version))?);
        self.commit_group(agency, actor, Some(&before.value), Some(&after), put)
            .await?;
        Ok(Versioned {
            value: after,
            version: version + 1,
        })
    }

    /// Removes a group. Whoever still has it by a grant or a team sees nothing until it gets another:
    /// a group that is gone never opens what it closed.
    pub async fn delete_access_group(
        &self,
        agency: &str,
        group: Versioned<AccessGroup>,
        actor: &Actor,
    ) -> Result<(), PeopleError> {
        let key = keyspace::access_group(agency, &group.value.id);
        let delete = Op::Delete(key, When::Version(group.version));
        self.commit_group(agency, actor, Some(&group.value), None, delete)
            .await
    }

    async fn commit_group(
        &self,
        agency: &str,
        actor: &Actor,
        before: Option<&AccessGroup>,
        after: Option<&AccessGroup>,
        op: Op,
    ) -> Result<(), PeopleError> {
        let id = before.or(after).map_or("", |group| group.id.as_str());
        let recorded = |group: Option<&AccessGroup>| group.map_or(Ok(Value::Null), to_value);
        let change = Change {
            item: format!("access-groups/{id}"),
            action: Action::of(before.is_some(), after.is_some()),
            before: recorded(before)?,
            after: recorded(after)?,
        }
        .personal(Personal::these(&["/numbers"]));
        let unit = Unit {
            ops: vec![op],
            sends: Vec::new(),
        };
        match self.commit_change(agency, actor, change, unit).await {
            Ok(_) => Ok(()),
            Err(StoreError::Condition { .. }) => Err(PeopleError::Stale),
            Err(error) => Err(error.into()),
        }
    }
}
