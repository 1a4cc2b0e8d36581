//! Pages of what stands in several partitions under ids that tell the time: the shards of a day, day
//! after day, or the shards of an index, merged newest first.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use ringfence_ports::{Query, Row, StoreError, Table};

use crate::{
    id,
    keyspace::{self, SHARDS},
};

/// How many rows one page may look at: a bound on its cost, whatever is searched for.
pub(crate) const MAX_LOOKED_AT: usize = 2_000;

/// How many days one page looks through.
const MAX_DAYS: usize = 62;

/// A page that is being filled.
pub(crate) struct Merge<T> {
    kind: id::Kind,
    lower: Option<String>,
    upper: Option<String>,
    limit: usize,
    looked_at: usize,
    /// What was found so far, newest first.
    pub items: Vec<T>,
    /// The id of the last one looked at: where to go on. There may be less than `limit` although there
    /// is more.
    pub next: Option<String>,
}

impl<T> Merge<T> {
    /// An empty page of at most `limit`, of the ids from the time `since` and before `until` and before
    /// the id `before`. An id tells milliseconds: what is finer is for whoever takes the rows to decide.
    pub fn new(
        kind: id::Kind,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        before: Option<&str>,
        limit: usize,
    ) -> Self {
        let until = until.map(|at| id::floor(kind, after_millisecond(at)));
        let upper = match (before.map(str::to_owned), until) {
            (Some(before), Some(until)) => Some(before.min(until)),
            (before, until) => before.or(until),
        };
        Self {
            kind,
            lower: since.map(|at| id::floor(kind, at)),
            upper,
            limit,
            looked_at: 0,
            items: Vec::new(),
            next: None,
        }
    }

    /// Fills it from the days that stand in the partition `days`, each of which has its shards.
    /// `take` reads a row; `None`: it is not searched for.
    pub async fn days(
        mut self,
        table: &dyn Table,
        days: String,
        shard: impl Fn(&str, u8) -> String,
        take: impl Fn(&Row) -> Result<Option<T>, StoreError>,
    ) -> Result<Self, StoreError> {
        let day_of = |id: &String| id::time_of(self.kind, id).map(keyspace::day);
        let days = table
            .query(Query {
                from: self.lower.as_ref().and_then(day_of),
                // The day of the upper bound itself is looked at: `~` sorts behind every day.
                to: self.upper.as_ref().and_then(day_of).map(|day| day + "~"),
                descending: true,
                limit: MAX_DAYS,
                ..Query::partition(days)
            })
            .await?;
        for row in &days.rows {
            let shards = (0..SHARDS).map(|number| Query::partition(shard(&row.key.sk, number)));
            if self.merge(table, shards.collect(), &take).await? {
                return Ok(self);
            }
        }
        if days.next.is_some() {
            let last = days.rows.last().and_then(|row| day_start(&row.key.sk));
            self.next = last.map(|at| id::floor(self.kind, at));
        }
        Ok(self)
    }

    /// Fills it from the shards of an index.
    pub async fn index(
        mut self,
        table: &dyn Table,
        index: u8,
        shard: impl Fn(u8) -> String,
        take: impl Fn(&Row) -> Result<Option<T>, StoreError>,
    ) -> Result<Self, StoreError> {
        let shards = (0..SHARDS).map(|number| Query::index(index, shard(number)));
        self.merge(table, shards.collect(), &take).await?;
        Ok(self)
    }

    /// Merges the partitions into the page until it is full or has looked at enough. Answers whether it
    /// stopped for that; `next` then says where.
    async fn merge(
        &mut self,
        table: &dyn Table,
        partitions: Vec<Query>,
        take: &impl Fn(&Row) -> Result<Option<T>, StoreError>,
    ) -> Result<bool, StoreError> {
        let mut upper = self.upper.clone();
        loop {
            // Each partition may hold the whole rest of the page.
            let want = (self.limit - self.items.len()).clamp(1, 100);
            let queries = partitions.iter().map(|partition| {
                table.query(Query {
                    from: self.lower.clone(),
                    to: upper.clone(),
                    descending: true,
                    limit: want,
                    ..partition.clone()
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
                self.looked_at += 1;
                self.items.extend(take(&row)?);
                if self.items.len() >= self.limit || self.looked_at >= MAX_LOOKED_AT {
                    self.next = Some(row.key.sk);
                    return Ok(true);
                }
            }
            match horizon {
                None => return Ok(false),
                Some(last) => upper = Some(last),
            }
        }
    }
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
