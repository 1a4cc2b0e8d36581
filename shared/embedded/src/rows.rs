//! Rows in SQL.

use jiff::Timestamp;
use ringfence_ports::{Key, Op, Page, Position, Put, Query, Row, Source};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params};

/// A page ends here even before its limit of rows, as `DynamoDB`'s does.
const PAGE_BYTES: usize = 1024 * 1024;

const GET: &str = "SELECT version, expires, i0pk, i0sk, i1pk, i1sk, doc, pk, sk FROM rows \
    WHERE pk = ?1 AND sk = ?2 AND (expires IS NULL OR expires > ?3)";

/// One range of an index of the database, whatever the query: a bound below and one above.
macro_rules! walk {
    ($columns:literal, $partition:literal, $bounds:literal, $order:literal) => {
        concat!(
            "SELECT version, expires, i0pk, i0sk, i1pk, i1sk, doc, pk, sk FROM rows WHERE ",
            $partition,
            " = ?1 AND ",
            $columns,
            $bounds,
            " AND (expires IS NULL OR expires > ?2) ORDER BY ",
            $order,
            " LIMIT ?3"
        )
    };
}

const MAIN_UP: &str = walk!("sk", "pk", " >= ?4 AND sk < ?5", "sk");
const MAIN_DOWN: &str = walk!("sk", "pk", " >= ?4 AND sk < ?5", "sk DESC");
const INDEX_UP: [&str; 2] = [
    walk!(
        "(i0sk, pk, sk)",
        "i0pk",
        " > (?4, ?5, ?6) AND (i0sk, pk, sk) < (?7, ?8, ?9)",
        "i0sk, pk, sk"
    ),
    walk!(
        "(i1sk, pk, sk)",
        "i1pk",
        " > (?4, ?5, ?6) AND (i1sk, pk, sk) < (?7, ?8, ?9)",
        "i1sk, pk, sk"
    ),
];
const INDEX_DOWN: [&str; 2] = [
    walk!(
        "(i0sk, pk, sk)",
        "i0pk",
        " > (?4, ?5, ?6) AND (i0sk, pk, sk) < (?7, ?8, ?9)",
        "i0sk DESC, pk DESC, sk DESC"
    ),
    walk!(
        "(i1sk, pk, sk)",
        "i1pk",
        " > (?4, ?5, ?6) AND (i1sk, pk, sk) < (?7, ?8, ?9)",
        "i1sk DESC, pk DESC, sk DESC"
    ),
];

pub(crate) fn get(connection: &Connection, key: &Key, now: i64) -> rusqlite::Result<Option<Row>> {
    connection
        .prepare_cached(GET)?
        .query_row(params![key.pk, key.sk, now], |row| read(row, Some(key)))
        .optional()
}

/// All in one snapshot.
pub(crate) fn get_many(
    connection: &Connection,
    keys: &[Key],
    now: i64,
) -> rusqlite::Result<Vec<Option<Row>>> {
    let snapshot = connection.unchecked_transaction()?;
    let rows = keys.iter().map(|key| get(connection, key, now)).collect();
    snapshot.finish()?;
    rows
}

pub(crate) fn query(connection: &Connection, query: &Query, now: i64) -> rusqlite::Result<Page> {
    let wanted = query.limit;
    let limit = i64::try_from(wanted).unwrap_or(i64::MAX).saturating_add(1);
    let (low, high) = bounds(query);
    let mut rows = Vec::new();
    let mut bytes = 0;
    let mut more = false;
    let mut collect = |found: &mut rusqlite::Rows<'_>| -> rusqlite::Result<()> {
        while let Some(row) = found.next()? {
            if rows.len() == wanted || bytes >= PAGE_BYTES {
                more = true;
                break;
            }
            let row = read(row, None)?;
            bytes += row.doc.len();
            rows.push(row);
        }
        Ok(())
    };
    match (query.source, query.descending) {
        (Source::Main, descending) => {
            let sql = if descending { MAIN_DOWN } else { MAIN_UP };
            let mut statement = connection.prepare_cached(sql)?;
            let found = params![query.pk, now, limit, low.0, high.0];
            collect(&mut statement.query(found)?)?;
        }
        (Source::Index(which), descending) => {
            let sql = if descending { INDEX_DOWN } else { INDEX_UP };
            let [first, second] = sql;
            let mut statement =
                connection.prepare_cached(if which == 0 { first } else { second })?;
            let found = params![
                query.pk, now, limit, low.0, low.1, low.2, high.0, high.1, high.2
            ];
            collect(&mut statement.query(found)?)?;
        }
    }
    let next = rows.last().filter(|_| more).map(|last: &Row| Position {
        key: last.key.clone(),
        index: match query.source {
            Source::Main => None,
            Source::Index(which) => last.index.get(usize::from(which)).cloned().flatten(),
        },
    });
    Ok(Page { rows, next })
}

/// (sort key, pk, sk); the last two only matter in an index.
type Bound = (Value, String, String);

/// The ends of the range: both exclusive in an index, the lower one inclusive in the main order.
fn bounds(query: &Query) -> (Bound, Bound) {
    // No part of a key is empty, so `(sk, "", "")` lies just before the first row of an index at `sk`.
    let start = |sk: &String| (sk.clone(), String::new(), String::new());
    let after = query.after.as_ref().map(|position| match &position.index {
        Some(index) => (
            index.sk.clone(),
            position.key.pk.clone(),
            position.key.sk.clone(),
        ),
        // The first text after `sk` is `sk` with a zero byte.
        None if query.descending => start(&position.key.sk),
        None => (
            format!("{}\0", position.key.sk),
            String::new(),
            String::new(),
        ),
    });
    let from = query.from.as_ref().map(start);
    let to = query.to.as_ref().map(start);
    let (low, high) = if query.descending {
        (from, [to, after].into_iter().flatten().min())
    } else {
        (from.max(after), to)
    };
    let (sk, pk, key) = low.unwrap_or_default();
    let low = (Value::Text(sk), pk, key);
    // Every blob sorts after every text.
    let high = high.map_or(
        (Value::Blob(Vec::new()), String::new(), String::new()),
        |(sk, pk, key)| (Value::Text(sk), pk, key),
    );
    (low, high)
}

fn read(row: &rusqlite::Row<'_>, key: Option<&Key>) -> rusqlite::Result<Row> {
    let index = |pk: usize, sk: usize| -> rusqlite::Result<Option<Key>> {
        let (pk, sk): (Option<String>, Option<String>) = (row.get(pk)?, row.get(sk)?);
        Ok(pk.zip(sk).map(|(pk, sk)| Key { pk, sk }))
    };
    Ok(Row {
        key: match key {
            Some(key) => key.clone(),
            None => Key {
                pk: row.get(7)?,
                sk: row.get(8)?,
            },
        },
        version: row.get::<_, i64>(0)?.cast_unsigned(),
        expires_at: row
            .get::<_, Option<i64>>(1)?
            .and_then(|ms| Timestamp::from_millisecond(ms).ok()),
        index: [index(2, 3)?, index(4, 5)?],
        doc: row.get(6)?,
    })
}

/// What a condition needs to know of a stored row.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    pub(crate) id: i64,
    pub(crate) version: i64,
    pub(crate) expires: Option<i64>,
    /// A put leaves the indexes and the expiry as they are.
    same_place: bool,
}

pub(crate) fn look(connection: &Connection, op: &Op) -> rusqlite::Result<Option<Found>> {
    let key = op.key();
    connection
        .prepare_cached(
            "SELECT id, version, expires, i0pk, i0sk, i1pk, i1sk FROM rows WHERE pk = ?1 AND sk = ?2",
        )?
        .query_row([&key.pk, &key.sk], |row| {
            let expires = row.get(2)?;
            let mut same_place = false;
            if let Op::Put(put) = op {
                same_place = put.expires_at.map(jiff::Timestamp::as_millisecond) == expires;
                for (n, key) in put.index.iter().enumerate() {
                    let (pk, sk) = (row.get_ref(3 + 2 * n)?, row.get_ref(4 + 2 * n)?);
                    let stored = pk.as_str_or_null()?.zip(sk.as_str_or_null()?);
                    same_place &= stored == key.as_ref().map(|key| (key.pk.as_str(), key.sk.as_str()));
                }
            }
            Ok(Found { id: row.get(0)?, version: row.get(1)?, expires, same_place })
        })
        .optional()
}

/// `false`: there is a row, expired or not, and `if_absent` let it be.
pub(crate) fn insert(
    connection: &Connection,
    put: &Put,
    if_absent: bool,
) -> rusqlite::Result<bool> {
    let sql = if if_absent {
        "INSERT INTO rows (pk, sk, version, expires, i0pk, i0sk, i1pk, i1sk, doc) \
         VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (pk, sk) DO NOTHING"
    } else {
        "INSERT INTO rows (pk, sk, version, expires, i0pk, i0sk, i1pk, i1sk, doc) \
         VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7, ?8)"
    };
    let [first, second] = &put.index;
    let changed = connection.prepare_cached(sql)?.execute(params![
        put.key.pk,
        put.key.sk,
        put.expires_at.map(jiff::Timestamp::as_millisecond),
        first.as_ref().map(|key| &key.pk),
        first.as_ref().map(|key| &key.sk),
        second.as_ref().map(|key| &key.pk),
        second.as_ref().map(|key| &key.sk),
        put.doc,
    ])?;
    Ok(changed == 1)
}

pub(crate) fn update(
    connection: &Connection,
    put: &Put,
    found: &Found,
    now: i64,
) -> rusqlite::Result<()> {
    let expired = found.expires.is_some_and(|at| at <= now);
    let version = if expired {
        1
    } else {
        found.version.saturating_add(1)
    };
    if found.same_place {
        // `SQLite` rewrites the index entries of every column that is set, changed or not.
        connection
            .prepare_cached("UPDATE rows SET version = ?2, doc = ?3 WHERE id = ?1")?
            .execute(params![found.id, version, put.doc])?;
        return Ok(());
    }
    let [first, second] = &put.index;
    connection
        .prepare_cached(
            "UPDATE rows SET version = ?2, doc = ?3, expires = ?4, i0pk = ?5, i0sk = ?6, i1pk = ?7, \
             i1sk = ?8 WHERE id = ?1",
        )?
        .execute(params![
            found.id,
            version,
            put.doc,
            put.expires_at.map(jiff::Timestamp::as_millisecond),
            first.as_ref().map(|key| &key.pk),
            first.as_ref().map(|key| &key.sk),
            second.as_ref().map(|key| &key.pk),
            second.as_ref().map(|key| &key.sk),
        ])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cost per page stays flat however much is stored: each query walks one index, from its start
    /// to its limit, and sorts nothing.
    #[test]
    fn every_query_is_one_range_of_an_index() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(include_str!("schema.sql"))
            .unwrap();
        let [up_0, up_1] = INDEX_UP;
        let [down_0, down_1] = INDEX_DOWN;
        for (sql, plan) in [
            (MAIN_UP, "rows_key (pk=? AND sk>? AND sk<?)"),
            (MAIN_DOWN, "rows_key (pk=? AND sk>? AND sk<?)"),
            (
                up_0,
                "rows_index_0 (i0pk=? AND (i0sk,pk,sk)>(?,?,?) AND (i0sk,pk,sk)<(?,?,?))",
            ),
            (
                up_1,
                "rows_index_1 (i1pk=? AND (i1sk,pk,sk)>(?,?,?) AND (i1sk,pk,sk)<(?,?,?))",
            ),
            (
                down_0,
                "rows_index_0 (i0pk=? AND (i0sk,pk,sk)>(?,?,?) AND (i0sk,pk,sk)<(?,?,?))",
            ),
            (
                down_1,
                "rows_index_1 (i1pk=? AND (i1sk,pk,sk)>(?,?,?) AND (i1sk,pk,sk)<(?,?,?))",
            ),
        ] {
            let mut statement = connection
                .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
                .unwrap();
            let nulls = vec![rusqlite::types::Null; statement.parameter_count()];
            let steps: Vec<String> = statement
                .query_map(rusqlite::params_from_iter(nulls), |row| row.get(3))
                .unwrap()
                .collect::<rusqlite::Result<_>>()
                .unwrap();
            assert_eq!(steps, [format!("SEARCH rows USING INDEX {plan}")]);
        }
    }
}
