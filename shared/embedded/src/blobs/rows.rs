//! Objects in SQL.

use jiff::Timestamp;
use ringfence_ports::{BlobHead, ListPage};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{at_rest, listed};
use crate::FileKeys;

/// The most objects of one page (S3's).
const PAGE: usize = 1000;

/// An object: what is known of it, and the file that holds it.
pub(crate) struct BlobRow {
    pub(crate) file: String,
    /// The data key that opens the file, sealed; `None`: it lies in the clear.
    pub(crate) wrapped_key: Option<Vec<u8>>,
    /// The key of the caller's choice that it stands under besides.
    pub(crate) kms_key: Option<String>,
    pub(crate) head: BlobHead,
}

pub(crate) fn get(connection: &Connection, key: &str) -> rusqlite::Result<Option<BlobRow>> {
    connection
        .prepare_cached(
            "SELECT file, length, content_type, sha256, stored, wrapped_key, kms_key \
             FROM blobs WHERE key = ?1",
        )?
        .query_row([key], |row| {
            Ok(BlobRow {
                file: row.get(0)?,
                wrapped_key: row.get(5)?,
                kms_key: row.get(6)?,
                head: BlobHead {
                    length: row.get::<_, i64>(1)?.cast_unsigned(),
                    content_type: row.get(2)?,
                    sha256: Some(row.get(3)?),
                    stored_at: Timestamp::from_millisecond(row.get(4)?)
                        .unwrap_or(Timestamp::UNIX_EPOCH),
                    version: None,
                },
            })
        })
        .optional()
}

pub(crate) fn list(
    connection: &Connection,
    prefix: &str,
    after: Option<&str>,
) -> rusqlite::Result<ListPage> {
    // Keys have no control characters, so this is the first that can follow.
    let after = after.map(|after| format!("{after}\0"));
    let from = after
        .as_deref()
        .filter(|after| *after > prefix)
        .unwrap_or(prefix);
    let mut statement = connection
        .prepare_cached("SELECT key, length FROM blobs WHERE key >= ?1 ORDER BY key LIMIT ?2")?;
    let limit = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![from, limit])?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        let key: String = row.get(0)?;
        if !key.starts_with(prefix) {
            break;
        }
        items.push(listed(key, row.get::<_, i64>(1)?.cast_unsigned()));
    }
    let more = items.len() > PAGE;
    items.truncate(PAGE);
    let next = items.last().filter(|_| more).map(|last| last.key.clone());
    Ok(ListPage { items, next })
}

/// Names a file as an object; answers with the file that was it before.
pub(crate) fn put(
    connection: &Connection,
    key: &str,
    row: &BlobRow,
) -> rusqlite::Result<Option<String>> {
    let before = connection
        .prepare_cached("SELECT file FROM blobs WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO blobs \
             (key, file, length, content_type, sha256, stored, wrapped_key, kms_key) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            key,
            row.file,
            row.head.length.cast_signed(),
            row.head.content_type,
            row.head.sha256,
            row.head.stored_at.as_millisecond(),
            row.wrapped_key,
            row.kms_key,
        ])?;
    Ok(before)
}

/// Answers with the file that it was.
pub(crate) fn delete(connection: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached("DELETE FROM blobs WHERE key = ?1 RETURNING file")?
        .query_row([key], |row| row.get(0))
        .optional()
}

/// The files that objects have, of those whose names start with the two digits `fan`.
pub(crate) fn files(
    connection: &Connection,
    fan: &str,
) -> rusqlite::Result<std::collections::HashSet<String>> {
    connection
        .prepare_cached("SELECT file FROM blobs WHERE file >= ?1 AND file < ?1 || 'g'")?
        .query_map([fan], |row| row.get(0))?
        .collect()
}

/// A page of the objects behind `after` that have wrapped keys.
fn wrapped_keys(connection: &Connection, after: &str) -> rusqlite::Result<Vec<Wrapped>> {
    connection
        .prepare_cached(
            "SELECT key, kms_key, wrapped_key FROM blobs \
             WHERE key > ?1 AND wrapped_key IS NOT NULL ORDER BY key LIMIT 1000",
        )?
        .query_map([after], |row| {
            Ok(Wrapped {
                key: row.get(0)?,
                kms_key: row.get(1)?,
                sealed: row.get(2)?,
            })
        })?
        .collect()
}

struct Wrapped {
    key: String,
    kms_key: Option<String>,
    /// Its data key, wrapped.
    sealed: Vec<u8>,
}

/// Wraps the keys of all objects anew, a thousand in a commit. Answers how many these were, and how many do
/// not open and stay as they are.
pub(crate) fn rewrap(
    connection: &mut Connection,
    keys: &FileKeys,
) -> rusqlite::Result<(usize, usize)> {
    let (mut done, mut left) = (0, 0);
    let mut after = String::new();
    loop {
        let commit = connection.transaction()?;
        let page = wrapped_keys(&commit, &after)?;
        let Some(last) = page.last() else {
            return Ok((done, left));
        };
        after.clone_from(&last.key);
        for row in &page {
            let kms_key = row.kms_key.as_deref();
            match at_rest::rewrap(keys, &row.key, kms_key, &row.sealed) {
                Ok(wrapped) => {
                    commit
                        .prepare_cached("UPDATE blobs SET wrapped_key = ?2 WHERE key = ?1")?
                        .execute(params![row.key, wrapped])?;
                    done += 1;
                }
                Err(_) => left += 1,
            }
        }
        commit.commit()?;
    }
}
