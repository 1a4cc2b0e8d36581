//! The port's limits, checked alike by every adapter before it does anything.

use std::{collections::HashSet, time::Duration};

use crate::{
    BlobError, BlobMeta, Key, MAX_BLOB_BYTES, MAX_BLOB_KEY_BYTES, MAX_DELAY, MAX_DOC_BYTES,
    MAX_KMS_KEY_BYTES, MAX_LINK_TTL, MAX_MESSAGE_BYTES, MAX_OPS, MAX_UPLOAD_BYTES, Message, Op,
    Query, Source, StoreError, Unit,
};

/// The most units of one [`Table::write`](crate::Table::write).
pub const MAX_UNITS: usize = 1000;

/// The most keys of one [`Table::get_many`](crate::Table::get_many) (`DynamoDB`'s `BatchGetItem` limit).
pub const MAX_GETS: usize = 100;

/// The most rows of one page.
pub const MAX_PAGE: usize = 1000;

/// The most bytes of either part of a [`Key`] (`DynamoDB`'s limit for sort keys), and of a message's group.
pub const MAX_KEY_BYTES: usize = 1024;

impl Key {
    /// Refuses a part that is empty or longer than [`MAX_KEY_BYTES`].
    pub fn validate(&self) -> Result<(), StoreError> {
        if is_part(&self.pk) && is_part(&self.sk) {
            Ok(())
        } else {
            Err(StoreError::Invalid(
                "both parts of a key have 1 to 1,024 bytes",
            ))
        }
    }
}

impl Op {
    /// The row that it judges or writes.
    pub fn key(&self) -> &Key {
        match self {
            Self::Put(put) => &put.key,
            Self::Delete(key, _) | Self::Check(key, _) => key,
        }
    }
}

impl Message {
    /// Refuses a body over [`MAX_MESSAGE_BYTES`], a delay over [`MAX_DELAY`] and a group that is
    /// empty or over [`MAX_KEY_BYTES`].
    pub fn validate(&self) -> Result<(), StoreError> {
        if self.body.len() > MAX_MESSAGE_BYTES {
            return Err(StoreError::TooLarge {
                limit: MAX_MESSAGE_BYTES,
            });
        }
        if self.delay > MAX_DELAY {
            return Err(StoreError::Invalid(
                "a message is delayed by at most 15 minutes",
            ));
        }
        if !is_part(&self.group) {
            return Err(StoreError::Invalid(
                "a message's group has 1 to 1,024 bytes",
            ));
        }
        Ok(())
    }
}

impl Unit {
    /// Refuses more than [`MAX_OPS`] operations, two on one key, and any key, document or message
    /// outside of its own limits.
    pub fn validate(&self) -> Result<(), StoreError> {
        if self.ops.len() > MAX_OPS {
            return Err(StoreError::Invalid("a unit has at most 100 operations"));
        }
        for op in &self.ops {
            op.key().validate()?;
            if let Op::Put(put) = op {
                if put.doc.len() > MAX_DOC_BYTES {
                    return Err(StoreError::TooLarge {
                        limit: MAX_DOC_BYTES,
                    });
                }
                for key in put.index.iter().flatten() {
                    key.validate()?;
                }
            }
        }
        if !distinct(&self.ops) {
            return Err(StoreError::Invalid("a unit names each key once"));
        }
        self.sends.iter().try_for_each(Message::validate)
    }
}

impl Query {
    /// Refuses a limit outside of 1 to [`MAX_PAGE`], an unknown index, a partition that cannot be,
    /// and a position that is not one of this source.
    pub fn validate(&self) -> Result<(), StoreError> {
        if self.limit == 0 || self.limit > MAX_PAGE {
            return Err(StoreError::Invalid("a page has 1 to 1,000 rows"));
        }
        if !is_part(&self.pk) {
            return Err(StoreError::Invalid("a partition has 1 to 1,024 bytes"));
        }
        let of_index = match self.source {
            Source::Main => false,
            Source::Index(0 | 1) => true,
            Source::Index(_) => return Err(StoreError::Invalid("there are two indexes, 0 and 1")),
        };
        let fits = self
            .after
            .as_ref()
            .is_none_or(|after| match (&after.index, of_index) {
                (None, false) => after.key.pk == self.pk,
                (Some(index), true) => index.pk == self.pk,
                _ => false,
            });
        if fits {
            Ok(())
        } else {
            Err(StoreError::Invalid("the position is of another query"))
        }
    }
}

/// Refuses a key that is empty, over [`MAX_BLOB_KEY_BYTES`], that a URL or a path would change (an empty
/// segment, `.` or `..`), or that XML cannot carry (a control character, U+FFFE, U+FFFF).
pub fn validate_blob_key(key: &str) -> Result<(), BlobError> {
    if key.is_empty() || key.len() > MAX_BLOB_KEY_BYTES {
        return Err(BlobError::Invalid("a key has 1 to 1,024 bytes"));
    }
    if key
        .chars()
        .any(|c| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'))
    {
        return Err(BlobError::Invalid("a key has no control characters"));
    }
    if key
        .split('/')
        .any(|segment| matches!(segment, "" | "." | ".."))
    {
        return Err(BlobError::Invalid("a key has no empty, . or .. segment"));
    }
    Ok(())
}

/// Refuses a link's life that is nothing, not of whole seconds or over [`MAX_LINK_TTL`].
pub fn validate_link_ttl(ttl: Duration) -> Result<(), BlobError> {
    if ttl.is_zero() || ttl.subsec_nanos() != 0 || ttl > MAX_LINK_TTL {
        return Err(BlobError::Invalid("a link lives 1 to 60 whole seconds"));
    }
    Ok(())
}

/// Refuses what is no media type for a header.
pub(crate) fn validate_content_type(kind: &str) -> Result<(), BlobError> {
    // Visible ASCII and the spaces between parameters.
    let fits = (1..=255).contains(&kind.len())
        && kind.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        && kind.trim() == kind;
    if fits {
        Ok(())
    } else {
        Err(BlobError::Invalid(
            "a media type has 1 to 255 ASCII characters",
        ))
    }
}

impl BlobMeta {
    /// Refuses what is no media type for a header, a length over [`MAX_BLOB_BYTES`], and what cannot be the
    /// name of a key.
    pub fn validate(&self) -> Result<(), BlobError> {
        validate_content_type(&self.content_type)?;
        if self.length.is_some_and(|length| length > MAX_BLOB_BYTES) {
            return Err(BlobError::Invalid("an object has at most 64 GiB"));
        }
        let is_name = |key: &String| {
            (1..=MAX_KMS_KEY_BYTES).contains(&key.len())
                && key.bytes().all(|b| b.is_ascii_graphic())
        };
        if !self.kms_key.as_ref().is_none_or(is_name) {
            return Err(BlobError::Invalid(
                "a key of the provider has 1 to 2,048 visible ASCII characters",
            ));
        }
        Ok(())
    }

    /// The same for an upload link, which also must know its length; answers with that.
    pub fn validate_upload(&self) -> Result<u64, BlobError> {
        self.validate()?;
        match self.length {
            Some(length) if length <= MAX_UPLOAD_BYTES => Ok(length),
            Some(_) => Err(BlobError::Invalid("an upload link takes at most 5 GiB")),
            None => Err(BlobError::Invalid("an upload link needs the length")),
        }
    }
}

fn is_part(part: &str) -> bool {
    (1..=MAX_KEY_BYTES).contains(&part.len())
}

/// Most units have one to three operations, for which comparing is cheaper than hashing.
fn distinct(ops: &[Op]) -> bool {
    if ops.len() > 8 {
        let mut seen = HashSet::with_capacity(ops.len());
        return ops.iter().all(|op| seen.insert(op.key()));
    }
    ops.iter()
        .enumerate()
        .all(|(i, op)| ops.iter().take(i).all(|earlier| earlier.key() != op.key()))
}
