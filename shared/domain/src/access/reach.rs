//! Which of an account's data a caller sees: the one place where activities are filtered on their way
//! out, whichever endpoint or file they go into.
//!
//! Keys and administrators see everything. A call agent sees what it took part in; access control
//! groups let through only what matches their rules, and show only their columns; a person in teams
//! hears recordings of these teams only. What is filtered out answers as what does not exist.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use futures_util::{StreamExt as _, future::try_join, stream};
use ringfence_ports::StoreError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AccessError, Caller, Reach, Rights, Scope, roles};
use crate::{
    App,
    calls::{CallError, MAX_BYTES_OF_CALL, WholeCall},
    event::{Call, Direction, Disposition, PhoneNumber},
    people::{
        AccessGroup, Grant, RecordingAccess, Switch, Team,
        group::{COLUMNS, digits},
    },
    recording::{Filter, Recording, RecordingError, RecordingPage, StoredRecording},
    settings::{Account, AccountConfig},
};

/// How many calls are read at a time to judge a page of recordings.
const CALLS_AT_A_TIME: usize = 8;

/// The most bytes of calls' events that are read for one page: the rest of it is for the next one.
const MAX_BYTES_OF_PAGE: usize = 2 * MAX_BYTES_OF_CALL;

/// What of a recording is no column of the log: whoever sees the recording sees it.
const RECORDING_FACTS: [&str; 17] = [
    "id",
    "account_id",
    "call_id",
    "status",
    "content_type",
    "size",
    "sha256",
    "external_id",
    "has_pin",
    "encryption",
    "held",
    "redacted",
    "has_original",
    "created_at",
    "stored_at",
    "refusal",
    "deleted_at",
];

/// A call that has too many events.
struct Unjudged;

/// What a caller sees of an account's data. Made by [`App::account_data`]. What is stored of it
/// ([`DataReach::to_store`]) always says so where it is everything: nothing less reads as that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct DataReach(Option<Limits>);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stored {
    Everything,
    Within(Limits),
}

impl From<Stored> for DataReach {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Everything => Self(None),
            Stored::Within(limits) => Self(Some(limits)),
        }
    }
}

impl From<DataReach> for Stored {
    fn from(reach: DataReach) -> Self {
        reach.0.map_or(Self::Everything, Self::Within)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Limits {
    /// Only what this person took part in.
    own: Option<Own>,
    groups: Vec<AccessGroup>,
    /// A group is named that is gone: nothing is seen.
    is_shut: bool,
    /// `None`: in no team, which limits nothing.
    teams: Option<Vec<Team>>,
}

/// Who somebody is in call data; without an agent nobody, who took part in nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Own {
    agent: Option<String>,
}

/// How somebody may hear a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// As it is.
    Free,
    /// After the PIN of the recording, or of the account.
    WithPin,
}

/// A call as one caller sees it: masked where the account masks, without what is hidden.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct VisibleCall(Value);

/// What filters look at.
struct Facts<'a> {
    agents: Vec<&'a str>,
    numbers: Vec<&'a PhoneNumber>,
    source: Option<&'a str>,
    statuses: Vec<String>,
    tags: Vec<&'a str>,
}

impl DataReach {
    /// Everything.
    pub const fn everything() -> Self {
        Self(None)
    }

    /// Whether nothing is left out.
    pub const fn is_everything(&self) -> bool {
        self.0.is_none()
    }

    /// The same without what people call groups and teams, for what works later with the reach that somebody
    /// has now. Two of them are equal if they let through the same by the same rules.
    #[must_use]
    pub fn to_store(&self) -> Self {
        let mut stored = self.clone();
        if let Some(limits) = &mut stored.0 {
            for group in &mut limits.groups {
                group.name.clear();
            }
            for team in limits.teams.iter_mut().flatten() {
                team.name.clear();
                team.transfer_to = None;
            }
        }
        stored
    }

    fn admits(&self, facts: &Facts<'_>) -> bool {
        let Some(limits) = &self.0 else {
            return true;
        };
        let is_own = limits.own.as_ref().is_none_or(|own| {
            own.agent
                .as_deref()
                .is_some_and(|agent| facts.agents.contains(&agent))
        });
        is_own && limits.admits(facts)
    }

    /// Whether a column is seen.
    pub fn shows(&self, column: &str) -> bool {
        self.0
            .as_ref()
            .is_none_or(|limits| limits.groups.iter().all(|group| group.shows(column)))
    }

    /// A call as it may be seen; `None`: it is out of reach.
    pub(crate) fn visible(
        &self,
        whole: WholeCall,
        is_masked: bool,
    ) -> Result<Option<VisibleCall>, StoreError> {
        if !self.admits(&whole.facts()) {
            return Ok(None);
        }
        let call = if is_masked {
            whole.call.masked()
        } else {
            whole.call
        };
        self.shown(&call).map(Some)
    }

    /// Leaves of an object only what may be seen: the fields of columns that are shown, and `kept`. What
    /// is neither is hidden, so that a new field waits for somebody to show it.
    pub fn hide(&self, fields: &mut Value, kept: &[&str]) {
        if self.is_everything() {
            return;
        }
        if let Some(fields) = fields.as_object_mut() {
            fields.retain(|name, _| {
                let column = if name.starts_with("hangup_") {
                    "hangup"
                } else {
                    name
                };
                kept.contains(&name.as_str()) || (COLUMNS.contains(&column) && self.shows(column))
            });
        }
    }

    /// [`DataReach::hide`] for the fields of a recording.
    pub fn hide_of_recording(&self, fields: &mut Value) {
        self.hide(fields, &RECORDING_FACTS);
    }

    /// Whether [`DataReach::hide_of_recording`] leaves a field.
    pub fn shows_of_recording(&self, field: &str) -> bool {
        self.is_everything()
            || RECORDING_FACTS.contains(&field)
            || (COLUMNS.contains(&field) && self.shows(field))
    }

    /// The call without the columns that are hidden. Its id and account stay.
    fn shown(&self, call: &Call) -> Result<VisibleCall, StoreError> {
        let mut value = super::to_value(call)?;
        self.hide(&mut value, &["account_id", "call_id", "data"]);
        self.hide(&mut value["data"], &["call_id"]);
        Ok(VisibleCall(value))
    }

    /// Whether the events of a recording's call are needed to judge it.
    fn needs_call(&self) -> bool {
        self.0.as_ref().is_some_and(|limits| {
            limits.groups.iter().any(|group| !group.is_blank())
                || limits
                    .teams
                    .iter()
                    .flatten()
                    .any(|team| team.recording_access_settings.voicemail_only)
        })
    }

    /// How a recording may be heard; `None`: not at all, as if it were not there.
    fn hearing(&self, recording: &Recording, call: Option<&WholeCall>) -> Option<Hearing> {
        let Some(limits) = &self.0 else {
            return Some(Hearing::Free);
        };
        if !self.shows("recording") {
            return None;
        }
        let mut facts = call.map_or_else(Facts::none, WholeCall::facts);
        facts.numbers.extend(
            if call.is_none() {
                [recording.from.as_ref(), recording.to.as_ref()]
            } else {
                [None, None]
            }
            .into_iter()
            .flatten(),
        );
        facts.tags.extend(recording.tags.iter().map(String::as_str));
        if !limits.admits(&facts) {
            return None;
        }
        let is_own = limits
            .own
            .as_ref()
            .is_some_and(|own| own.agent.is_some() && own.agent == recording.agent_id);
        let is_voicemail =
            call.is_some_and(|call| call.call.data.disposition == Some(Disposition::Voicemail));
        let by_teams = limits.teams.as_ref().map(|teams| {
            teams
                .iter()
                .filter(|team| team.owns(recording.team.as_deref()))
                .map(|team| team.recording_access_settings)
                .filter(|access| access.status == Switch::Enabled)
                .filter(|access| is_voicemail || !access.voicemail_only)
                .map(hearing_of)
                // Whoever hears it freely by one team needs no PIN for another.
                .min_by_key(|hearing| *hearing == Hearing::WithPin)
        });
        match (&limits.own, by_teams) {
            // Somebody in no team.
            (None, None) => Some(Hearing::Free),
            (Some(_), None) => is_own.then_some(Hearing::Free),
            (None, Some(by_teams)) => by_teams,
            (Some(_), Some(by_teams)) => {
                if is_own {
                    Some(Hearing::Free)
                } else {
                    by_teams
                }
            }
        }
    }
}

const fn hearing_of(access: RecordingAccess) -> Hearing {
    if access.password_protected {
        Hearing::WithPin
    } else {
        Hearing::Free
    }
}

impl Limits {
    fn admits(&self, facts: &Facts<'_>) -> bool {
        !self.is_shut && self.groups.iter().all(|group| facts.pass(group))
    }
}

impl Facts<'_> {
    const fn none() -> Self {
        Self {
            agents: Vec::new(),
            numbers: Vec::new(),
            source: None,
            statuses: Vec::new(),
            tags: Vec::new(),
        }
    }

    /// Whether all rules of a group let it through. What is not known matches no rule.
    fn pass(&self, group: &AccessGroup) -> bool {
        let blank_or = |rule: &[String], matches: &dyn Fn(&str) -> bool| {
            rule.is_empty() || rule.iter().any(|value| matches(value))
        };
        blank_or(&group.numbers, &|rule| {
            let rule = digits(rule);
            self.numbers
                .iter()
                .any(|number| digits(number.as_str()) == rule)
        }) && blank_or(&group.sources, &|rule| self.source == Some(rule))
            && blank_or(&group.statuses, &|rule| {
                self.statuses.iter().any(|status| status == rule)
            })
            && blank_or(&group.tags, &|rule| self.tags.contains(&rule))
    }
}

impl WholeCall {
    fn facts(&self) -> Facts<'_> {
        let data = &self.call.data;
        // The tracking number is the account's own.
        let numbers: &[&Option<PhoneNumber>] = match data.direction {
            Some(Direction::Inbound) => &[&data.to],
            Some(Direction::Outbound) => &[&data.from, &data.display_number],
            _ => &[&data.from, &data.to, &data.display_number],
        };
        Facts {
            agents: self.agents.iter().map(String::as_str).collect(),
            numbers: numbers
                .iter()
                .filter_map(|number| number.as_ref())
                .collect(),
            source: data
                .source
                .as_ref()
                .and_then(|source| source_name(&source.0)),
            statuses: [name(&data.disposition), name(&self.call.state)]
                .into_iter()
                .flatten()
                .collect(),
            tags: data.tags.iter().flatten().map(String::as_str).collect(),
        }
    }
}

/// The name of a term.
fn name(term: &impl Serialize) -> Option<String> {
    match serde_json::to_value(term) {
        Ok(Value::String(name)) => Some(name),
        _ => None,
    }
}

/// The source of a call, as platforms send it beside our own terms: `source` (or
/// `tracking_source`), a name or an object with a `name`.
fn source_name(fields: &serde_json::Map<String, Value>) -> Option<&str> {
    ["source", "tracking_source"]
        .into_iter()
        .find_map(|field| match fields.get(field)? {
            Value::String(name) => Some(name.as_str()),
            Value::Object(source) => source.get("name")?.as_str(),
            _ => None,
        })
}

impl App {
    /// [`App::account`], with what the caller sees of the account's data.
    pub async fn account_data(
        &self,
        caller: &Caller,
        scope: Scope,
        account: &str,
    ) -> Result<(Arc<AccountConfig>, DataReach), AccessError> {
        let (config, rights) = self.account_rights(caller, scope, account).await?;
        let reach = self.data_reach(&rights, scope, &config.account).await?;
        Ok((config, reach))
    }

    async fn data_reach(
        &self,
        rights: &Rights,
        scope: Scope,
        account: &Account,
    ) -> Result<DataReach, AccessError> {
        let Rights::Roles(grants) = rights else {
            return Ok(DataReach::everything());
        };
        // Of several roles the one that sees most counts.
        let widest = grants
            .iter()
            .filter_map(|grant| Some((roles::reach(grant.role, scope)?, grant)))
            .max_by_key(|(reach, grant)| (!grant.role.is_grouped(), *reach));
        let Some((reach, grant)) = widest else {
            return Err(AccessError::Scope(scope));
        };
        if !grant.role.is_grouped() {
            return Ok(DataReach::everything());
        }
        let (groups, teams) = try_join(
            self.access_groups(&account.agency),
            self.teams_named(&account.id, &grant.teams),
        )
        .await?;
        let groups: Vec<AccessGroup> = groups.into_iter().map(|group| group.value).collect();
        let (groups, is_shut) = applying(grant, &teams, groups);
        Ok(DataReach(Some(Limits {
            own: (reach == Reach::Own).then(|| Own {
                agent: grant.agent.clone(),
            }),
            groups,
            is_shut,
            teams: (!grant.teams.is_empty()).then_some(teams),
        })))
    }

    /// A recording of the account within `reach`, and how it may be heard. One that is out of reach is
    /// not there. What of it is shown goes through [`DataReach::hide`].
    pub async fn recording_within(
        &self,
        reach: &DataReach,
        account: &str,
        recording: &str,
    ) -> Result<(StoredRecording, Hearing), RecordingError> {
        let stored = self.recording(account, recording).await?;
        let hearing = self
            .hearing(reach, &stored.recording)
            .await?
            .ok_or(RecordingError::NotFound)?;
        Ok((stored, hearing))
    }

    /// How a recording may be heard; `None`: it is out of reach.
    pub async fn hearing(
        &self,
        reach: &DataReach,
        recording: &Recording,
    ) -> Result<Option<Hearing>, StoreError> {
        if !reach.needs_call() {
            return Ok(reach.hearing(recording, None));
        }
        let call = self
            .known_call(&recording.account, &recording.call_id)
            .await?;
        Ok(call.map_or(None, |call| reach.hearing(recording, call.as_ref())))
    }

    /// What is known of a call; `Err` inside: it has too many events to be judged by them, and nothing
    /// of it is in reach of whoever would have to be.
    async fn known_call(
        &self,
        account: &str,
        call: &str,
    ) -> Result<Result<Option<WholeCall>, Unjudged>, StoreError> {
        match self.whole_call(account, call).await {
            Ok(call) => Ok(Ok(call)),
            Err(CallError::TooMany) => Ok(Err(Unjudged)),
            Err(CallError::Store(error)) => Err(error),
        }
    }

    /// A page of recordings within `reach` that match `filter`, newest first, going on before the id
    /// `before`. It may hold fewer than `limit` although there are more.
    pub async fn recordings_within(
        &self,
        reach: &DataReach,
        account: &str,
        filter: &Filter,
        limit: usize,
        before: Option<&str>,
    ) -> Result<RecordingPage, StoreError> {
        let mut filter = filter.clone();
        // Whoever is in no team and sees its own only is looked up by itself.
        if let Some(limits) = &reach.0
            && let Some(own) = &limits.own
            && limits.teams.is_none()
        {
            match &own.agent {
                Some(agent) if filter.agent.as_ref().is_none_or(|asked| asked == agent) => {
                    filter.agent = Some(agent.clone());
                }
                _ => {
                    return Ok(RecordingPage {
                        recordings: Vec::new(),
                        next: None,
                    });
                }
            }
        }
        // A condition on what is hidden would tell of it.
        let asks_hidden = (filter.agent.is_some() && !reach.shows("agent_id") && !reach.is_own())
            || (filter.team.is_some() && !reach.shows("team"))
            || (filter.tag.is_some() && !reach.shows("tags"))
            || (filter.shorter_than.is_some() && !reach.shows("duration"));
        if asks_hidden {
            return Ok(RecordingPage {
                recordings: Vec::new(),
                next: None,
            });
        }
        let mut page = self.recordings(account, &filter, limit, before).await?;
        if reach.is_everything() {
            return Ok(page);
        }
        if !reach.needs_call() {
            page.recordings
                .retain(|recording| reach.hearing(recording, None).is_some());
            return Ok(page);
        }
        let found = std::mem::take(&mut page.recordings);
        // Each call once, in the order in which they are needed, a few at a time.
        let mut asked = HashSet::new();
        let calls: Vec<String> = found
            .iter()
            .map(|recording| recording.call_id.clone())
            .filter(|call| asked.insert(call.clone()))
            .collect();
        let mut judged = stream::iter(calls)
            .map(async |call| (self.known_call(account, &call).await, call))
            .buffered(CALLS_AT_A_TIME);
        let mut known = HashMap::new();
        let mut bytes = 0;
        let last = found.last().map(|recording| recording.id.clone());
        for recording in found {
            while !known.contains_key(&recording.call_id)
                && let Some((result, call)) = judged.next().await
            {
                let result = result?;
                bytes += result.as_ref().map_or(MAX_BYTES_OF_CALL, |call| {
                    call.as_ref().map_or(0, |call| call.bytes)
                });
                known.insert(call, result);
            }
            let id = recording.id.clone();
            if let Some(Ok(call)) = known.get(&recording.call_id)
                && reach.hearing(&recording, call.as_ref()).is_some()
            {
                page.recordings.push(recording);
            }
            if bytes > MAX_BYTES_OF_PAGE && last.as_ref() != Some(&id) {
                page.next = Some(id);
                break;
            }
        }
        Ok(page)
    }
}

impl DataReach {
    /// Whether only what the person itself took part in is seen.
    pub fn is_own(&self) -> bool {
        self.0.as_ref().is_some_and(|limits| limits.own.is_some())
    }
}

/// The groups that narrow a grant: the one it names, those of its teams, and those given to its role;
/// and whether one that is named is gone.
fn applying(grant: &Grant, teams: &[Team], groups: Vec<AccessGroup>) -> (Vec<AccessGroup>, bool) {
    let named: Vec<&String> = grant
        .access_group
        .iter()
        .chain(teams.iter().filter_map(|team| team.access_group.as_ref()))
        .collect();
    let is_shut = named
        .iter()
        .any(|name| !groups.iter().any(|group| group.id == **name));
    let groups = groups
        .into_iter()
        .filter(|group| named.contains(&&group.id) || group.roles.contains(&grant.role))
        .collect();
    (groups, is_shut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        access::Owner,
        event::{EventData, Source, call, samples},
        people::Role,
    };

    fn group(change: impl FnOnce(&mut AccessGroup)) -> AccessGroup {
        let mut group = AccessGroup {
            id: "grp_1".to_owned(),
            name: "G".to_owned(),
            numbers: Vec::new(),
            sources: Vec::new(),
            statuses: Vec::new(),
            tags: Vec::new(),
            columns: Vec::new(),
            roles: Vec::new(),
        };
        change(&mut group);
        group
    }

    fn reach(groups: Vec<AccessGroup>) -> DataReach {
        DataReach(Some(Limits {
            own: None,
            groups,
            is_shut: false,
            teams: None,
        }))
    }

    fn whole(change: impl FnOnce(&mut EventData)) -> WholeCall {
        let mut event = samples::event("cdr.created.json");
        event.data.direction = Some(Direction::Inbound);
        event.data.to = Some(PhoneNumber::new("+49 431-12345"));
        event.data.tags = Some(vec!["sales".to_owned(), "vip".to_owned()]);
        change(&mut event.data);
        let call = call::fold(&[event]).unwrap();
        WholeCall {
            call,
            agents: ["ada".to_owned()].into(),
            bytes: 0,
        }
    }

    #[test]
    fn rules_are_anded_blank_lets_all_through_and_one_match_is_enough() {
        let call = whole(|_| {});
        let texts = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        for (numbers, statuses, tags, seen) in [
            (&[][..], &[][..], &[][..], true),
            (&["+4943112345"], &[], &[], true),
            (&["+4943199999"], &[], &[], false),
            (&["+4943199999", "+49 (431) 12345"], &[], &[], true),
            (&[], &["answered"], &[], true),
            (&[], &["busy"], &[], false),
            (&[], &["completed"], &[], true),
            (&[], &[], &["vip"], true),
            (&[], &[], &["other"], false),
            (&["+4943112345"], &["answered"], &["vip"], true),
            (&["+4943112345"], &["answered"], &["other"], false),
        ] {
            let reach = reach(vec![group(|group| {
                group.numbers = texts(numbers);
                group.statuses = texts(statuses);
                group.tags = texts(tags);
            })]);
            assert_eq!(
                reach.admits(&call.facts()),
                seen,
                "{numbers:?} {statuses:?} {tags:?}"
            );
        }
    }

    #[test]
    fn the_source_is_read_as_platforms_send_it_and_an_unknown_one_matches_nothing() {
        let by_source = reach(vec![group(|group| group.sources = vec!["Ads".to_owned()])]);
        for (sent, seen) in [
            (serde_json::json!({"source": "Ads"}), true),
            (
                serde_json::json!({"tracking_source": {"name": "Ads"}}),
                true,
            ),
            (serde_json::json!({"source": "Mail"}), false),
            (serde_json::json!({"other": "Ads"}), false),
        ] {
            let Value::Object(fields) = sent.clone() else {
                unreachable!()
            };
            let call = whole(|data| data.source = Some(Source(fields)));
            assert_eq!(by_source.admits(&call.facts()), seen, "{sent}");
        }
        assert!(!by_source.admits(&whole(|data| data.source = None).facts()));
    }

    #[test]
    fn an_agent_sees_what_it_took_part_in_and_nobody_sees_nothing() {
        let call = whole(|_| {});
        for (agent, seen) in [(Some("ada"), true), (Some("bob"), false), (None, false)] {
            let reach = DataReach(Some(Limits {
                own: Some(Own {
                    agent: agent.map(str::to_owned),
                }),
                groups: Vec::new(),
                is_shut: false,
                teams: None,
            }));
            assert_eq!(reach.admits(&call.facts()), seen);
        }
    }

    #[test]
    fn hidden_columns_are_gone_and_several_groups_show_what_all_show() {
        let call = whole(|_| {});
        let hidden = reach(vec![group(|_| {})]).shown(&call.call).unwrap();
        let left: Vec<_> = hidden.0.as_object().unwrap().keys().cloned().collect();
        assert_eq!(left, ["account_id", "call_id", "data"]);
        assert_eq!(
            hidden.0["data"],
            serde_json::json!({"call_id": call.call.call_id})
        );

        let two = reach(vec![
            group(|group| group.columns = vec!["from".to_owned(), "tags".to_owned()]),
            group(|group| group.columns = vec!["tags".to_owned(), "state".to_owned()]),
        ]);
        let shown = two.shown(&call.call).unwrap();
        assert_eq!(shown.0["data"]["tags"], serde_json::json!(["sales", "vip"]));
        assert!(shown.0["data"].get("from").is_none() && shown.0.get("state").is_none());
    }

    #[derive(Deserialize)]
    struct Row {
        #[expect(dead_code, reason = "read only")]
        reach: DataReach,
    }

    #[test]
    fn what_is_stored_of_a_reach_reads_as_the_same_and_nothing_reads_as_everything() {
        let narrow = reach(vec![group(|group| group.tags = vec!["vip".to_owned()])]);
        for reach in [DataReach::everything(), narrow.to_store()] {
            let text = serde_json::to_string(&reach).unwrap();
            assert_eq!(serde_json::from_str::<DataReach>(&text).unwrap(), reach);
        }
        let renamed = reach(vec![group(|group| {
            group.tags = vec!["vip".to_owned()];
            group.name = "H".to_owned();
        })]);
        assert_ne!(renamed, narrow);
        assert_eq!(renamed.to_store(), narrow.to_store());
        for text in ["{}", r#"{"reach": null}"#, r#"{"reach": {}}"#] {
            assert!(serde_json::from_str::<Row>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_field_of_a_call_is_a_column() {
        let call = whole(|_| {});
        let all = reach(vec![group(|group| {
            group.columns = COLUMNS.iter().map(|column| (*column).to_owned()).collect();
        })]);
        let shown = all.shown(&call.call).unwrap().0;
        assert_eq!(shown, serde_json::to_value(&call.call).unwrap());
    }

    #[test]
    fn groups_come_by_grant_team_and_role_and_one_that_is_gone_shuts() {
        let mut grant = Grant::new(Owner::Account("acc_1".to_owned()), Role::CallManager);
        let by_role = group(|group| group.roles = vec![Role::CallManager]);
        let other = group(|group| group.roles = vec![Role::CallAgent]);
        let (found, is_shut) = applying(&grant, &[], vec![by_role.clone(), other]);
        assert_eq!((found, is_shut), (vec![by_role.clone()], false));
        grant.access_group = Some("grp_gone".to_owned());
        let (found, is_shut) = applying(&grant, &[], vec![by_role.clone()]);
        assert_eq!((found, is_shut), (vec![by_role], true));
    }
}
