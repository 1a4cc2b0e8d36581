//! Teams of an account: whose recordings their members hear, and to whom they transfer calls.
//!
//! A person in teams hears recordings of these teams only (and, as a call agent, its own). A recording
//! belongs to the team whose id or label it was registered with.

use ringfence_ports::{Op, Put, Query, Row, StoreError, Unit, When};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PeopleError;
use crate::{
    App,
    access::{parse_doc, to_doc, to_value},
    history::{Action, Actor, Change},
    id, keyspace,
    settings::{
        Listed, Versioned,
        fields::{Errors, Object},
        merge_patch::merge,
        tenant::name_fault,
    },
};

/// The most teams that one person is in.
pub const MAX_TEAMS_OF_USER: usize = 20;

/// Whether something is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// It is.
    #[default]
    Enabled,
    /// It is not.
    Disabled,
}

/// Which of a team's recordings its members hear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingAccess {
    /// Whether they hear any.
    #[serde(default)]
    pub status: Switch,
    /// Only what callers left on voicemail.
    #[serde(default)]
    pub voicemail_only: bool,
    /// Only with the PIN of the recording, or of the account.
    #[serde(default)]
    pub password_protected: bool,
}

impl RecordingAccess {
    /// What somebody in all of these teams hears: what any of them gives. None: nothing.
    pub fn of<'a>(teams: impl Iterator<Item = &'a Team>) -> Self {
        let open: Vec<Self> = teams
            .map(|team| team.recording_access_settings)
            .filter(|settings| settings.status == Switch::Enabled)
            .collect();
        Self {
            status: if open.is_empty() {
                Switch::Disabled
            } else {
                Switch::Enabled
            },
            voicemail_only: open.iter().all(|settings| settings.voicemail_only),
            password_protected: open.iter().all(|settings| settings.password_protected),
        }
    }
}

/// What somebody may do with calls while they last, by its teams. Calls are in the hands of the voice
/// platform, which asks for this before it connects anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRights {
    /// Whether it may listen to calls while they last.
    pub live_listening: Switch,
    /// The teams to whose members it may transfer a call; `None`: to everybody.
    pub transfer_to: Option<Vec<String>>,
}

impl CallRights {
    /// Those of somebody in all of these teams: what any of them gives. Who is in none is limited by
    /// none.
    pub fn of<'a>(teams: impl Iterator<Item = &'a Team>) -> Self {
        let teams: Vec<_> = teams.collect();
        if teams.is_empty() {
            return Self {
                live_listening: Switch::Enabled,
                transfer_to: None,
            };
        }
        let listens = teams
            .iter()
            .any(|team| team.live_listening == Switch::Enabled);
        let limits: Option<Vec<_>> = teams.iter().map(|team| team.transfer_to.clone()).collect();
        Self {
            live_listening: if listens {
                Switch::Enabled
            } else {
                Switch::Disabled
            },
            transfer_to: limits.map(|limits| {
                let mut all = limits.concat();
                all.sort();
                all.dedup();
                all
            }),
        }
    }

    /// Those of somebody who cannot log in: none.
    pub const fn none() -> Self {
        Self {
            live_listening: Switch::Disabled,
            transfer_to: Some(Vec::new()),
        }
    }

    /// Whether it may transfer a call to somebody in these teams.
    pub fn may_transfer_to(&self, teams: &[String]) -> bool {
        self.transfer_to
            .as_ref()
            .is_none_or(|allowed| teams.iter().any(|team| allowed.contains(team)))
    }
}

/// A team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// `tea_…`
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What recordings call it: the `team` that they are registered with.
    pub label: String,
    /// Which of its recordings its members hear.
    #[serde(default)]
    pub recording_access_settings: RecordingAccess,
    /// The teams to which its members may transfer a call; `None`: to everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer_to: Option<Vec<String>>,
    /// Whether its members may listen to calls while they last.
    #[serde(default)]
    pub live_listening: Switch,
    /// The access control group of its members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_group: Option<String>,
}

impl Team {
    /// Whether a recording with this `team` is one of its.
    pub fn owns(&self, team: Option<&str>) -> bool {
        team.is_some_and(|team| team == self.id || team == self.label)
    }

    fn document(&self) -> Result<Value, StoreError> {
        let mut value = to_value(self)?;
        if let Some(fields) = value.as_object_mut() {
            fields.remove("id");
        }
        Ok(value)
    }

    fn read(id: &str, document: Value) -> Result<Self, PeopleError> {
        let mut errors = Errors::default();
        let mut team = Self {
            id: id.to_owned(),
            name: String::new(),
            label: String::new(),
            recording_access_settings: RecordingAccess::default(),
            transfer_to: None,
            live_listening: Switch::default(),
            access_group: None,
        };
        if let Some(mut object) = Object::read("", document, &mut errors) {
            if let Some(name) = object.required_string("name") {
                if let Some(reason) = name_fault(&name) {
                    object.wrong("name", "invalid_name", reason);
                }
                team.name = name;
            }
            team.label = object.string("label").unwrap_or_else(|| team.name.clone());
            if let Some(reason) = name_fault(&team.label).filter(|_| !team.name.is_empty()) {
                object.wrong("label", "invalid_name", reason);
            }
            team.live_listening = switch(&mut object, "live_listening");
            if let Some(transfer) = object.take("transfer_to") {
                team.transfer_to = Some(team_ids(&mut object, "transfer_to", transfer));
            }
            team.access_group = object.string("access_group");
            if let Some(group) = &team.access_group
                && !id::Kind::Group.matches(group)
            {
                object.wrong(
                    "access_group",
                    "not_an_id",
                    "must be the id of an access group",
                );
            }
            if let Some(settings) = object.take("recording_access_settings")
                && let Some(mut settings) =
                    Object::read("recording_access_settings", settings, object.errors())
            {
                team.recording_access_settings = RecordingAccess {
                    status: switch(&mut settings, "status"),
                    voicemail_only: settings.bool("voicemail_only").unwrap_or_default(),
                    password_protected: settings.bool("password_protected").unwrap_or_default(),
                };
                settings.finish();
            }
            object.finish();
        }
        let errors = errors.into_list();
        if errors.is_empty() {
            Ok(team)
        } else {
            Err(PeopleError::Fields(errors))
        }
    }

    fn put(&self, account: &str, when: When) -> Result<Put, StoreError> {
        Ok(Put::new(
            keyspace::team(account, &self.id),
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

fn switch(object: &mut Object<'_>, name: &'static str) -> Switch {
    match object.string(name).as_deref() {
        None | Some("enabled") => Switch::Enabled,
        Some("disabled") => Switch::Disabled,
        Some(_) => {
            object.wrong(name, "invalid_value", "must be enabled or disabled");
            Switch::Disabled
        }
    }
}

/// A list of ids of teams, each once.
pub(crate) fn team_ids(object: &mut Object<'_>, name: &'static str, value: Value) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let ids = match value {
        Value::Array(items) if items.len() <= MAX_TEAMS_OF_USER => items,
        _ => {
            let reason = format!("must be a list of at most {MAX_TEAMS_OF_USER} ids of teams");
            object.wrong(name, "not_a_list", reason);
            return found;
        }
    };
    for (place, item) in ids.into_iter().enumerate() {
        match item {
            Value::String(text) if id::Kind::Team.matches(&text) => {
                if !found.contains(&text) {
                    found.push(text);
                }
            }
            _ => object.wrong(
                &format!("{name}.{place}"),
                "not_an_id",
                "must be the id of a team",
            ),
        }
    }
    found
}

impl App {
    /// A page of the teams of an account, oldest first.
    pub async fn teams(
        &self,
        account: &str,
        limit: usize,
        after: Option<&str>,
    ) -> Result<Listed<Team>, StoreError> {
        let prefix = keyspace::team(account, "");
        let page = self
            .table
            .query(Query {
                to: Some(format!("{}~", prefix.sk)),
                from: Some(after.map_or(prefix.sk, |after| {
                    format!("{}~", keyspace::team(account, after).sk)
                })),
                limit,
                ..Query::partition(prefix.pk)
            })
            .await?;
        let items = page
            .rows
            .iter()
            .map(|row| parse_doc(&row.doc))
            .collect::<Result<Vec<Team>, _>>()?;
        let next = page
            .next
            .and_then(|_| items.last().map(|team| team.id.clone()));
        Ok(Listed { items, next })
    }

    /// One of them.
    pub async fn team(&self, account: &str, team: &str) -> Result<Versioned<Team>, PeopleError> {
        if !id::Kind::Team.matches(team) {
            return Err(PeopleError::absent("team"));
        }
        let row = self
            .table
            .get(&keyspace::team(account, team))
            .await?
            .ok_or(PeopleError::absent("team"))?;
        Ok(Team::from_row(&row)?)
    }

    /// Those of these teams that there are.
    pub async fn teams_named(
        &self,
        account: &str,
        teams: &[String],
    ) -> Result<Vec<Team>, StoreError> {
        let keys: Vec<_> = teams
            .iter()
            .map(|team| keyspace::team(account, team))
            .collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.table
            .get_many(&keys)
            .await?
            .iter()
            .flatten()
            .map(|row| parse_doc(&row.doc))
            .collect()
    }

    /// Makes a team.
    pub async fn create_team(
        &self,
        account: &crate::settings::Account,
        document: Value,
        actor: &Actor,
    ) -> Result<Versioned<Team>, PeopleError> {
        let id = id::new(id::Kind::Team, self.clock.now(), &*self.random);
        let team = Team::read(&id, document)?;
        self.check_team(account, &team).await?;
        let put = Op::Put(team.put(&account.id, When::Absent)?);
        self.commit_team(&account.id, actor, None, Some(&team), put)
            .await?;
        Ok(Versioned {
            value: team,
            version: 1,
        })
    }

    /// Changes a team: `patch` is a merge patch of its document.
    pub async fn update_team(
        &self,
        account: &crate::settings::Account,
        before: Versioned<Team>,
        version: u64,
        patch: Value,
        actor: &Actor,
    ) -> Result<Versioned<Team>, PeopleError> {
        if before.version != version {
            return Err(PeopleError::Stale);
        }
        let after = Team::read(&before.value.id, merge(before.value.document()?, patch))?;
        if after == before.value {
            return Ok(before);
        }
        self.check_team(account, &after).await?;
        let put = Op::Put(after.put(&account.id, When::Version(version))?);
        self.commit_team(&account.id, actor, Some(&before.value), Some(&after), put)
            .await?;
        Ok(Versioned {
            value: after,
            version: version + 1,
        })
    }

    /// Removes a team. Whoever is still in it hears none of its recordings any more.
    pub async fn delete_team(
        &self,
        account: &str,
        team: Versioned<Team>,
        actor: &Actor,
    ) -> Result<(), PeopleError> {
        let key = keyspace::team(account, &team.value.id);
        let delete = Op::Delete(key, When::Version(team.version));
        self.commit_team(account, actor, Some(&team.value), None, delete)
            .await
    }

    /// What it names must be there.
    async fn check_team(
        &self,
        account: &crate::settings::Account,
        team: &Team,
    ) -> Result<(), PeopleError> {
        if let Some(group) = &team.access_group {
            self.require_group(&account.agency, group, "access_group")
                .await?;
        }
        let others: Vec<String> = team
            .transfer_to
            .iter()
            .flatten()
            .filter(|other| **other != team.id)
            .cloned()
            .collect();
        if self.teams_named(&account.id, &others).await?.len() < others.len() {
            return Err(PeopleError::field(
                "transfer_to",
                "unknown_team",
                "must name teams of this account",
            ));
        }
        Ok(())
    }

    /// Refuses a group that the agency does not have.
    pub(crate) async fn require_group(
        &self,
        agency: &str,
        group: &str,
        field: &str,
    ) -> Result<(), PeopleError> {
        match self.access_group(agency, group).await {
            Ok(_) => Ok(()),
            Err(PeopleError::Access(_)) => Err(PeopleError::field(
                field,
                "unknown_group",
                "must be the id of an access group of the agency",
            )),
            Err(error) => Err(error),
        }
    }

    async fn commit_team(
        &self,
        account: &str,
        actor: &Actor,
        before: Option<&Team>,
        after: Option<&Team>,
        op: Op,
    ) -> Result<(), PeopleError> {
        let id = before.or(after).map_or("", |team| team.id.as_str());
        let recorded = |team: Option<&Team>| team.map_or(Ok(Value::Null), to_value);
        let change = Change {
            item: format!("teams/{id}"),
            action: Action::of(before.is_some(), after.is_some()),
            before: recorded(before)?,
            after: recorded(after)?,
        };
        let unit = Unit {
            ops: vec![op],
            sends: Vec::new(),
        };
        match self.commit_change(account, actor, change, unit).await {
            Ok(_) => Ok(()),
            Err(StoreError::Condition { .. }) => Err(PeopleError::Stale),
            Err(error) => Err(error.into()),
        }
    }
}
