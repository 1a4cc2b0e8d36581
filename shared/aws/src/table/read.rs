use std::collections::HashMap;

use aws_sdk_dynamodb::types::KeysAndAttributes;
use ringfence_ports::{Key, MAX_GETS, Page, Position, Query, Row, Source, StoreError};

use crate::Store;
use crate::item::{
    Item, PK, SK, Undecodable, index_of, key_item, number, position, row, start_key, text,
};
use crate::retry::{Patience, Trouble, trouble};

/// At about so many bytes of documents a page ends.
const PAGE_BYTES: usize = 1024 * 1024;

impl Store {
    /// One row, consistently read.
    pub(super) async fn read(&self, key: &Key) -> Result<Option<Row>, StoreError> {
        let mut patience = Patience::new();
        loop {
            let sent = self
                .dynamo
                .get_item()
                .table_name(&self.options.table)
                .set_key(Some(key_item(key)))
                .consistent_read(true)
                .set_return_consumed_capacity(self.capacity())
                .send()
                .await;
            match sent {
                Ok(got) => {
                    let Some(item) = got.item else {
                        return Ok(None);
                    };
                    return Ok(row(item, self.now())?);
                }
                Err(error) => patience.outlast(trouble(&error), &*self.random).await?,
            }
        }
    }

    pub(super) async fn read_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        if keys.len() > MAX_GETS {
            return Err(StoreError::Invalid("at most 100 rows are read at once"));
        }
        keys.iter().try_for_each(Key::validate)?;
        match keys {
            [] => return Ok(Vec::new()),
            [key] => return Ok(vec![self.read(key).await?]),
            _ => {}
        }
        // Each key once, as DynamoDB demands; in the order asked for, at all its places.
        let mut places: HashMap<&Key, Vec<usize>> = HashMap::with_capacity(keys.len());
        for (at, key) in keys.iter().enumerate() {
            places.entry(key).or_default().push(at);
        }
        let mut rows = vec![None; keys.len()];
        let mut wanted: Vec<Item> = places.keys().map(|key| key_item(key)).collect();
        let mut patience = Patience::new();
        while !wanted.is_empty() {
            let asked = KeysAndAttributes::builder()
                .set_keys(Some(wanted.clone()))
                .consistent_read(true)
                .build()
                .map_err(|_| StoreError::Invalid("a read names no key"))?;
            let sent = self
                .dynamo
                .batch_get_item()
                .request_items(&self.options.table, asked)
                .set_return_consumed_capacity(self.capacity())
                .send()
                .await;
            let got = match sent {
                Ok(got) => got,
                Err(error) => {
                    patience.outlast(trouble(&error), &*self.random).await?;
                    continue;
                }
            };
            let now = self.now();
            let mut some = false;
            for item in got
                .responses
                .into_iter()
                .flatten()
                .flat_map(|(_, items)| items)
            {
                some = true;
                let Some(row) = row(item, now)? else { continue };
                for at in places.get(&row.key).into_iter().flatten() {
                    if let Some(place) = rows.get_mut(*at) {
                        *place = Some(row.clone());
                    }
                }
            }
            wanted = got
                .unprocessed_keys
                .into_iter()
                .flatten()
                .flat_map(|(_, left)| left.keys)
                .collect();
            // An answer of 16 MB ends early and is simply continued; one of nothing was throttled.
            if !wanted.is_empty() && !some {
                patience.outlast(Trouble::Busy, &*self.random).await?;
            }
        }
        Ok(rows)
    }

    /// A page. The filter of what has expired applies after `DynamoDB`'s own limit, so it asks until
    /// the page is full or the partition ends.
    pub(super) async fn walk(&self, query: &Query) -> Result<Page, StoreError> {
        let mut rows: Vec<Row> = Vec::new();
        let mut next = query.after.clone();
        let empty = match (&query.from, &query.to) {
            (Some(from), Some(to)) => from >= to,
            (None, Some(to)) => to.is_empty(),
            _ => false,
        };
        if empty {
            return Ok(Page { rows, next: None });
        }
        let mut bytes = 0;
        let mut patience = Patience::new();
        loop {
            let room = query.limit - rows.len();
            let (items, last) = match self.walk_some(query, next.as_ref(), room).await {
                Ok(some) => some,
                Err(trouble) => {
                    patience.outlast(trouble, &*self.random).await?;
                    continue;
                }
            };
            patience = Patience::new();
            let now = self.now();
            for item in items {
                let Some(row) = row(item, now)? else { continue };
                if query
                    .to
                    .as_deref()
                    .is_some_and(|to| sort_key(&row, query.source) == Some(to))
                {
                    if query.descending {
                        continue;
                    }
                    return Ok(Page { rows, next: None });
                }
                bytes += row.doc.len();
                rows.push(row);
            }
            next = last.map(|last| position(last, query.source)).transpose()?;
            if next.is_none() || rows.len() >= query.limit || bytes >= PAGE_BYTES {
                return Ok(Page { rows, next });
            }
        }
    }

    async fn walk_some(
        &self,
        query: &Query,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<(Vec<Item>, Option<Item>), Trouble> {
        let index = index_of(query.source);
        let (pk, sk) = index.map_or((PK, SK), |index| (index.pk, index.sk));
        let mut values = Item::from([
            (":pk".to_owned(), text(&query.pk)),
            (":now".to_owned(), number(self.now())),
        ]);
        if let Some(from) = query.from.as_deref().filter(|from| !from.is_empty()) {
            values.insert(":from".to_owned(), text(from));
        }
        if let Some(to) = &query.to {
            values.insert(":to".to_owned(), text(to));
        }
        // Only one condition on a sort key, and BETWEEN includes its end: `walk` drops it.
        let range = match (values.contains_key(":from"), values.contains_key(":to")) {
            (true, true) => format!("{pk} = :pk AND {sk} BETWEEN :from AND :to"),
            (true, false) => format!("{pk} = :pk AND {sk} >= :from"),
            (false, true) => format!("{pk} = :pk AND {sk} < :to"),
            (false, false) => format!("{pk} = :pk"),
        };
        let page = self
            .dynamo
            .query()
            .table_name(&self.options.table)
            .set_index_name(index.map(|index| index.name.to_owned()))
            .key_condition_expression(range)
            .filter_expression("attribute_not_exists(x) OR x > :now")
            .set_expression_attribute_values(Some(values))
            .scan_index_forward(!query.descending)
            .set_consistent_read(index.is_none().then_some(true))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(after.map(|after| start_key(after, query.source)))
            .set_return_consumed_capacity(self.capacity())
            .send()
            .await
            .map_err(|error| trouble(&error))?;
        Ok((page.items.unwrap_or_default(), page.last_evaluated_key))
    }
}

fn sort_key(row: &Row, source: Source) -> Option<&str> {
    match source {
        Source::Main => Some(&row.key.sk),
        Source::Index(which) => row
            .index
            .get(usize::from(which))?
            .as_ref()
            .map(|key| key.sk.as_str()),
    }
}

impl From<Undecodable> for Trouble {
    fn from(_: Undecodable) -> Self {
        Self::Refused("a stored item does not decode".to_owned())
    }
}
