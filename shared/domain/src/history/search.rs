//! Finding entries: by item, by actor, by time, newest first.

use jiff::Timestamp;
use ringfence_ports::{Key, MAX_GETS, Page, Position, Query, StoreError};
use serde::{Deserialize, Serialize};

use super::Entry;
use crate::{App, access::parse_doc, keyspace};

/// How many entries one search looks at, at most: a filter that fits few of them answers in pages that
/// may be short or empty, with where to go on.
const MAX_EXAMINED: usize = 1000;

/// Which entries are wanted. What is `None` does not limit; the rest is AND-ed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// This item and everything below it: `recordings/rec_…` has its links, `settings` all settings.
    pub item: Option<String>,
    /// By this actor.
    pub actor: Option<String>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

impl Filter {
    /// Whether it lets this entry through.
    pub fn matches(&self, entry: &Entry) -> bool {
        self.item
            .as_deref()
            .is_none_or(|item| is_within(&entry.item, item))
            && self
                .actor
                .as_deref()
                .is_none_or(|actor| actor == entry.actor)
            && self.since.is_none_or(|since| entry.at >= since)
            && self.until.is_none_or(|until| entry.at < until)
    }

    /// Where to look: the narrowest list that holds all that is wanted.
    fn list(&self) -> List {
        let item = self.item.as_deref().filter(|item| item.contains('/'));
        match (item, self.actor.as_deref()) {
            (Some(item), _) => List::Item(keyspace::history_group(item).to_owned()),
            (None, Some(actor)) => List::Actor(actor.to_owned()),
            (None, None) if self.since.is_some() || self.until.is_some() => List::Time,
            (None, None) => List::Chain,
        }
    }
}

fn is_within(item: &str, wanted: &str) -> bool {
    item.strip_prefix(wanted)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// An entry's place in the order of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its number.
    pub seq: u64,
    /// Its time.
    pub at: Timestamp,
}

/// A page of what was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Newest first. Where there is a filter, newest by time, and by number where times are the same
    /// to the millisecond; else by number. The two differ only where a clock was set back.
    pub entries: Vec<Entry>,
    /// After which entry to go on; `None`: there is no more.
    pub next: Option<Place>,
}

enum List {
    Chain,
    Time,
    Item(String),
    Actor(String),
}

impl List {
    fn query(&self, owner: &str, filter: &Filter, after: Option<Place>) -> Query {
        let place = after.unwrap_or(Place {
            seq: 0,
            at: Timestamp::UNIX_EPOCH,
        });
        let row = keyspace::history_entry(owner, place.seq);
        // Keys are cut to the millisecond: the one in which `until` lies is looked at too.
        let since = filter.since.map(keyspace::due_from);
        let until = filter.until.map(|until| keyspace::due_from(until) + "~");
        let of_index = |which, key: Key| Walk {
            query: Query {
                from: since.clone(),
                to: until.clone(),
                ..Query::index(which, key.pk.clone())
            },
            after: Position {
                key: row.clone(),
                index: Some(key),
            },
        };
        let walk = match self {
            Self::Chain => Walk {
                query: Query {
                    from: Some("e/".to_owned()),
                    to: Some("e0".to_owned()),
                    ..Query::partition(row.pk.clone())
                },
                after: Position {
                    key: row,
                    index: None,
                },
            },
            Self::Time => Walk {
                query: Query {
                    from: Some(format!("t/{}", since.unwrap_or_default())),
                    to: Some(until.map_or_else(|| "t0".to_owned(), |until| format!("t/{until}"))),
                    ..Query::partition(row.pk)
                },
                after: Position {
                    key: keyspace::history_at(owner, place.at, place.seq),
                    index: None,
                },
            },
            Self::Item(item) => of_index(
                0,
                keyspace::history_of_item(owner, item, place.at, place.seq),
            ),
            Self::Actor(actor) => of_index(
                1,
                keyspace::history_of_actor(owner, actor, place.at, place.seq),
            ),
        };
        Query {
            descending: true,
            after: after.map(|_| walk.after),
            ..walk.query
        }
    }
}

struct Walk {
    query: Query,
    after: Position,
}

impl App {
    /// A page of at most `limit` (1 to 1,000) of an owner's entries that `filter` lets through. Lists
    /// by item and by actor may miss for a moment what has just happened.
    pub async fn search_history(
        &self,
        owner: &str,
        filter: &Filter,
        limit: usize,
        after: Option<Place>,
    ) -> Result<Found, StoreError> {
        let list = filter.list();
        let mut entries = Vec::new();
        let mut next = after;
        let mut examined = 0;
        loop {
            let mut query = list.query(owner, filter, next);
            // Just what is wanted, until it shows that much of it is not.
            query.limit = if examined == 0 { limit } else { 100 };
            let page = self.table.query(query).await?;
            let more = page.next.is_some();
            let listed = self.listed_entries(owner, &list, page).await?;
            let mut left = listed.len();
            for (place, entry) in listed {
                examined += 1;
                left -= 1;
                next = Some(place);
                entries.extend(entry.filter(|entry| filter.matches(entry)));
                if entries.len() == limit {
                    let next = next.filter(|_| more || left > 0);
                    return Ok(Found { entries, next });
                }
            }
            if !more || examined >= MAX_EXAMINED {
                let next = next.filter(|_| more);
                return Ok(Found { entries, next });
            }
        }
    }

    async fn listed_entries(
        &self,
        owner: &str,
        list: &List,
        page: Page,
    ) -> Result<Vec<(Place, Option<Entry>)>, StoreError> {
        if !matches!(list, List::Time) {
            let mut listed = Vec::with_capacity(page.rows.len());
            for row in &page.rows {
                let entry: Entry = parse_doc(&row.doc)?;
                let place = Place {
                    seq: entry.seq,
                    at: entry.at,
                };
                listed.push((place, Some(entry)));
            }
            return Ok(listed);
        }
        let mut places = Vec::with_capacity(page.rows.len());
        for row in &page.rows {
            places.push(place_of(&row.key.sk).ok_or_else(|| {
                StoreError::Unavailable("a key of the history is not one of ours".to_owned())
            })?);
        }
        let mut listed = Vec::with_capacity(places.len());
        for some in places.chunks(MAX_GETS) {
            let keys: Vec<Key> = some
                .iter()
                .map(|place| keyspace::history_entry(owner, place.seq))
                .collect();
            let rows = self.table.get_many(&keys).await?;
            for (place, row) in some.iter().zip(rows) {
                let entry = row.map(|row| parse_doc(&row.doc)).transpose()?;
                listed.push((*place, entry));
            }
        }
        Ok(listed)
    }

    /// A page of an owner's history by number, newest first.
    pub async fn history(
        &self,
        owner: &str,
        limit: usize,
        after: Option<Place>,
    ) -> Result<(Vec<Entry>, Option<Place>), StoreError> {
        let found = self
            .search_history(owner, &Filter::default(), limit, after)
            .await?;
        Ok((found.entries, found.next))
    }

    /// The same, of what came before entry `before`; and whether there is more.
    pub async fn history_before(
        &self,
        owner: &str,
        limit: usize,
        before: Option<u64>,
    ) -> Result<(Vec<Entry>, bool), StoreError> {
        let after = before.map(|seq| Place {
            seq,
            at: Timestamp::UNIX_EPOCH,
        });
        let (entries, next) = self.history(owner, limit, after).await?;
        Ok((entries, next.is_some()))
    }
}

/// The place that a key of the list by time names: `t/{milliseconds}/{seq}`.
fn place_of(sort: &str) -> Option<Place> {
    let (at, seq) = sort.strip_prefix("t/")?.split_once('/')?;
    Some(Place {
        seq: seq.parse().ok()?,
        at: Timestamp::from_millisecond(at.parse().ok()?).ok()?,
    })
}
