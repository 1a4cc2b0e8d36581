use jiff::Timestamp;
use ringfence_ports::{Row, StoreError};

use super::{Recording, Status};
use crate::{App, access::parse_doc, id, keyspace, merge::Merge};

/// Which recordings a search is for. All conditions hold together.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Begun at this instant or later.
    pub since: Option<Timestamp>,
    /// Begun before this instant.
    pub until: Option<Timestamp>,
    /// Of this call.
    pub call: Option<String>,
    /// Of this agent.
    pub agent: Option<String>,
    /// Of this team.
    pub team: Option<String>,
    /// With this label.
    pub tag: Option<String>,
    /// In this status.
    pub status: Option<Status>,
    /// Shorter than this, s.
    pub shorter_than: Option<u32>,
}

impl Filter {
    /// Whether a recording is searched for.
    pub fn matches(&self, recording: &Recording) -> bool {
        let equal = |wanted: &Option<String>, found: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == found
        };
        self.since.is_none_or(|since| recording.started_at >= since)
            && self.until.is_none_or(|until| recording.started_at < until)
            && equal(&self.call, Some(&recording.call_id))
            && equal(&self.agent, recording.agent_id.as_deref())
            && equal(&self.team, recording.team.as_deref())
            && self
                .tag
                .as_ref()
                .is_none_or(|tag| recording.tags.contains(tag))
            && self.status.is_none_or(|status| recording.status == status)
            && self
                .shorter_than
                .is_none_or(|seconds| recording.duration < seconds)
    }
}

/// A page of recordings, newest first.
#[derive(Debug)]
pub struct RecordingPage {
    /// The recordings.
    pub recordings: Vec<Recording>,
    /// The id of the last one looked at: where to go on. A page may hold fewer than asked for although
    /// there are more.
    pub next: Option<String>,
}

impl App {
    /// A page of recordings that match `filter`, newest first, going on before the id `before`.
    pub async fn recordings(
        &self,
        account: &str,
        filter: &Filter,
        limit: usize,
        before: Option<&str>,
    ) -> Result<RecordingPage, StoreError> {
        if let Some(call) = &filter.call {
            return self
                .page_of_call(account, call, filter, limit, before)
                .await;
        }
        let page = Merge::new(
            id::Kind::Recording,
            filter.since,
            filter.until,
            before,
            limit,
        );
        let take = |row: &Row| {
            let recording: Recording = parse_doc(&row.doc)?;
            Ok(Some(recording).filter(|recording| filter.matches(recording)))
        };
        let table = &*self.table;
        let page = if let Some(agent) = &filter.agent {
            let shard = |shard| keyspace::agent_partition(account, agent, shard);
            page.index(table, 0, shard, take).await?
        } else if let Some(team) = &filter.team {
            let shard = |shard| keyspace::team_partition(account, team, shard);
            page.index(table, 1, shard, take).await?
        } else {
            let shard = |day: &str, shard| keyspace::recording_partition(account, day, shard);
            let days = keyspace::recording_days(account);
            page.days(table, days, shard, take).await?
        };
        Ok(RecordingPage {
            recordings: page.items,
            next: page.next,
        })
    }

    async fn page_of_call(
        &self,
        account: &str,
        call: &str,
        filter: &Filter,
        limit: usize,
        before: Option<&str>,
    ) -> Result<RecordingPage, StoreError> {
        let (mut recordings, next) = self
            .recordings_of_call(account, call, before, limit)
            .await?;
        recordings.retain(|recording| filter.matches(recording));
        Ok(RecordingPage { recordings, next })
    }
}
