use jiff::{Timestamp, civil::Date, tz::TimeZone};
use ringfence_ports::{Query, Row, StoreError};

use super::{Recording, Status};
use crate::{
    App,
    access::parse_doc,
    id,
    keyspace::{self, SHARDS},
};

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

/// How many rows one page may look at: a bound on its cost, whatever the filter.
const MAX_LOOKED_AT: usize = 2_000;

/// How many days one page looks through.
const MAX_DAYS: usize = 62;

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
        // An id tells milliseconds: what is finer decides `Filter::matches`.
        let lower = filter.since.map(|at| id::floor(id::Kind::Recording, at));
        let until = filter
            .until
            .map(|at| id::floor(id::Kind::Recording, after_millisecond(at)));
        let upper = match (before.map(str::to_owned), until) {
            (Some(before), Some(until)) => Some(before.min(until)),
            (before, until) => before.or(until),
        };
        let mut page = RecordingPage {
            recordings: Vec::new(),
            next: None,
        };
        let index = if let Some(agent) = &filter.agent {
            Some((0, shards(|s| keyspace::agent_partition(account, agent, s))))
        } else {
            let team = filter.team.as_ref();
            team.map(|team| (1, shards(|s| keyspace::team_partition(account, team, s))))
        };
        let mut walk = Walk {
            index: index.as_ref().map(|(index, _)| *index),
            lower,
            upper,
            filter,
            limit,
            looked_at: 0,
        };
        if let Some((_, partitions)) = index {
            self.walk(&mut walk, &partitions, &mut page).await?;
        } else {
            self.walk_days(account, &mut walk, &mut page).await?;
        }
        Ok(page)
    }

    async fn walk_days(
        &self,
        account: &str,
        walk: &mut Walk<'_>,
        page: &mut RecordingPage,
    ) -> Result<(), StoreError> {
        let day_of = |id: &String| id::time_of(id::Kind::Recording, id).map(keyspace::day);
        let days = self
            .table
            .query(Query {
                from: walk.lower.as_ref().and_then(day_of),
                // The day of the upper bound itself is looked at: `~` sorts behind every day.
                to: walk.upper.as_ref().and_then(day_of).map(|day| day + "~"),
                descending: true,
                limit: MAX_DAYS,
                ..Query::partition(keyspace::recording_days(account))
            })
            .await?;
        for row in &days.rows {
            let day = row.key.sk.as_str();
            let partitions = shards(|s| keyspace::recording_partition(account, day, s));
            if self.walk(walk, &partitions, page).await? {
                return Ok(());
            }
        }
        if days.next.is_some() {
            let last = days.rows.last().and_then(|row| day_start(&row.key.sk));
            page.next = last.map(|at| id::floor(id::Kind::Recording, at));
        }
        Ok(())
    }

    /// Merges the partitions, newest first, into `page` until it is full or has looked at enough.
    /// Answers whether it stopped for that; `page.next` then says where.
    async fn walk(
        &self,
        walk: &mut Walk<'_>,
        partitions: &[String],
        page: &mut RecordingPage,
    ) -> Result<bool, StoreError> {
        let mut upper = walk.upper.clone();
        loop {
            // Each partition may hold the whole rest of the page.
            let want = (walk.limit - page.recordings.len()).clamp(1, 100);
            let queries = partitions.iter().map(|partition| {
                let base = match walk.index {
                    Some(index) => Query::index(index, partition.clone()),
                    None => Query::partition(partition.clone()),
                };
                self.table.query(Query {
                    from: walk.lower.clone(),
                    to: upper.clone(),
                    descending: true,
                    limit: want,
                    ..base
                })
            });
            let mut rows: Vec<Row> = Vec::new();
            // Below the largest last id of a partition that has more, the merge is not complete.
            let mut horizon: Option<String> = None;
            for result in futures_util::future::join_all(queries).await {
                let result = result?;
                if let (Some(_), Some(last)) = (&result.next, result.rows.last()) {
                    horizon = horizon.max(Some(last.key.sk.clone()));
                }
                rows.extend(result.rows);
            }
            rows.sort_by(|a, b| b.key.sk.cmp(&a.key.sk));
            for row in rows {
                if horizon
                    .as_ref()
                    .is_some_and(|horizon| row.key.sk < *horizon)
                {
                    break;
                }
                walk.looked_at += 1;
                let recording: Recording = parse_doc(&row.doc)?;
                let stop_at = recording.id.clone();
                if walk.filter.matches(&recording) {
                    page.recordings.push(recording);
                }
                if page.recordings.len() >= walk.limit || walk.looked_at >= MAX_LOOKED_AT {
                    page.next = Some(stop_at);
                    return Ok(true);
                }
            }
            match horizon {
                None => return Ok(false),
                Some(last) => upper = Some(last),
            }
        }
    }

    async fn page_of_call(
        &self,
        account: &str,
        call: &str,
        filter: &Filter,
        limit: usize,
        before: Option<&str>,
    ) -> Result<RecordingPage, StoreError> {
        let mut recordings = self.recordings_of_call(account, call).await?;
        recordings.retain(|recording| {
            filter.matches(recording) && before.is_none_or(|before| recording.id.as_str() < before)
        });
        recordings.sort_by(|a, b| b.id.cmp(&a.id));
        let has_more = recordings.len() > limit;
        recordings.truncate(limit);
        let next = recordings
            .last()
            .filter(|_| has_more)
            .map(|last| last.id.clone());
        Ok(RecordingPage { recordings, next })
    }
}

/// A walk through partitions whose rows sort by id.
struct Walk<'a> {
    index: Option<u8>,
    lower: Option<String>,
    upper: Option<String>,
    filter: &'a Filter,
    limit: usize,
    looked_at: usize,
}

fn shards(partition: impl Fn(u8) -> String) -> Vec<String> {
    (0..SHARDS).map(partition).collect()
}

/// The millisecond at or after an instant.
fn after_millisecond(at: Timestamp) -> Timestamp {
    let floor = at.as_millisecond();
    match Timestamp::from_millisecond(floor) {
        Ok(whole) if whole < at => Timestamp::from_millisecond(floor + 1).unwrap_or(at),
        _ => at,
    }
}

fn day_start(day: &str) -> Option<Timestamp> {
    let date = Date::strptime("%Y%m%d", day).ok()?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
}
