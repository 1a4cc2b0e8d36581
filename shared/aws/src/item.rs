//! Rows as items. Attribute names are short: they count toward an item's size at every write.
//!
//! | attribute | type | holds |
//! | --- | --- | --- |
//! | `pk`, `sk` | S | the key |
//! | `v` | N | the row's version |
//! | `doc` or `z` | S, B | the document, or the document deflated |
//! | `x` | N | when it expires, in milliseconds; what conditions and reads judge |
//! | `exp` | N | the same in seconds, rounded up, for `DynamoDB`'s own clean-up |
//! | `i0pk`, `i0sk`, `i1pk`, `i1sk` | S | keys of the two indexes (`index0`, `index1`), if listed there |
//! | `w` | B | a random token of the write that made it, to know one's own after a lost answer |
//! | `c` | N | the value, in a counter's item, which has only key, `x` and `exp` beside it |

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use ringfence_ports::{Key, Position, Put, Row, Source};

use crate::document::{DEFLATED, DOC, Stored, inflated};

/// The attribute to name in the table's TTL setting. `DynamoDB` removes what expired within days;
/// until then the adapter hides it.
pub const TTL_ATTRIBUTE: &str = "exp";

pub(crate) const PK: &str = "pk";
pub(crate) const SK: &str = "sk";
pub(crate) const VERSION: &str = "v";
pub(crate) const EXPIRES: &str = "x";
pub(crate) const WRITE: &str = "w";
pub(crate) const COUNT: &str = "c";

pub(crate) type Item = HashMap<String, AttributeValue>;

/// The random token of one write.
pub(crate) type WriteToken = [u8; 8];

/// Key attributes and name of an index.
pub(crate) struct Index {
    pub(crate) name: &'static str,
    pub(crate) pk: &'static str,
    pub(crate) sk: &'static str,
}

pub(crate) const INDEXES: [Index; 2] = [
    Index {
        name: "index0",
        pk: "i0pk",
        sk: "i0sk",
    },
    Index {
        name: "index1",
        pk: "i1pk",
        sk: "i1sk",
    },
];

pub(crate) fn number(n: impl Copy + ToString) -> AttributeValue {
    AttributeValue::N(n.to_string())
}

pub(crate) fn text(s: &str) -> AttributeValue {
    AttributeValue::S(s.to_owned())
}

pub(crate) fn key_item(key: &Key) -> Item {
    Item::from([
        (PK.to_owned(), text(&key.pk)),
        (SK.to_owned(), text(&key.sk)),
    ])
}

/// Seconds for `DynamoDB`'s clean-up: never before the row's own last millisecond.
pub(crate) fn ttl_seconds(millis: i64) -> i64 {
    millis.div_euclid(1000) + i64::from(millis.rem_euclid(1000) != 0)
}

/// What a put sets beside its key and version, and what must not be there after it.
pub(crate) struct Attributes {
    pub(crate) set: Vec<(&'static str, AttributeValue)>,
    pub(crate) remove: Vec<&'static str>,
}

impl Attributes {
    pub(crate) fn of(put: &Put, token: WriteToken) -> Self {
        let mut set = vec![(WRITE, AttributeValue::B(Blob::new(token)))];
        let mut remove = Vec::new();
        for (index, key) in INDEXES.iter().zip(&put.index) {
            if let Some(key) = key {
                set.push((index.pk, text(&key.pk)));
                set.push((index.sk, text(&key.sk)));
            } else {
                remove.extend([index.pk, index.sk]);
            }
        }
        if let Some(at) = put.expires_at {
            let millis = at.as_millisecond();
            set.push((EXPIRES, number(millis)));
            set.push((TTL_ATTRIBUTE, number(ttl_seconds(millis))));
        } else {
            remove.extend([EXPIRES, TTL_ATTRIBUTE]);
        }
        let others = PK.len() + put.key.pk.len() + SK.len() + put.key.sk.len();
        // A version takes up to three bytes below a million.
        let others = others + VERSION.len() + 3 + set.iter().map(size).sum::<usize>();
        let (name, value, absent) = Stored::of(&put.doc, others).into_attribute();
        set.push((name, value));
        remove.push(absent);
        Self { set, remove }
    }
}

/// Bytes that an attribute counts for
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>).
fn size((name, value): &(&'static str, AttributeValue)) -> usize {
    name.len()
        + match value {
            AttributeValue::S(s) => s.len(),
            AttributeValue::N(n) => n.len().div_ceil(2) + 1,
            AttributeValue::B(b) => b.as_ref().len(),
            _ => 0,
        }
}

/// The whole item of a put that replaces whatever was there.
pub(crate) fn whole(put: &Put, version: u64, token: WriteToken) -> Item {
    let mut item = key_item(&put.key);
    item.insert(VERSION.to_owned(), number(version));
    for (name, value) in Attributes::of(put, token).set {
        item.insert(name.to_owned(), value);
    }
    item
}

/// An item that is none of ours. Its content is not told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Undecodable;

impl From<Undecodable> for ringfence_ports::StoreError {
    fn from(_: Undecodable) -> Self {
        Self::Unavailable("a stored item does not decode".to_owned())
    }
}

/// When an item expires, in milliseconds.
pub(crate) fn expiry(item: &Item) -> Result<Option<i64>, Undecodable> {
    integer(item, EXPIRES)
}

pub(crate) fn is_expired(item: &Item, now: i64) -> Result<bool, Undecodable> {
    Ok(expiry(item)?.is_some_and(|at| at <= now))
}

fn integer(item: &Item, name: &str) -> Result<Option<i64>, Undecodable> {
    match item.get(name) {
        None => Ok(None),
        Some(AttributeValue::N(n)) => n.parse().map(Some).map_err(|_| Undecodable),
        Some(_) => Err(Undecodable),
    }
}

pub(crate) fn is_written_by(item: &Item, token: WriteToken) -> bool {
    matches!(item.get(WRITE), Some(AttributeValue::B(b)) if b.as_ref() == token)
}

fn take_text(item: &mut Item, name: &str) -> Result<Option<String>, Undecodable> {
    match item.remove(name) {
        None => Ok(None),
        Some(AttributeValue::S(s)) => Ok(Some(s)),
        Some(_) => Err(Undecodable),
    }
}

fn take_key(item: &mut Item, pk: &str, sk: &str) -> Result<Option<Key>, Undecodable> {
    match (take_text(item, pk)?, take_text(item, sk)?) {
        (Some(pk), Some(sk)) => Ok(Some(Key { pk, sk })),
        (None, None) => Ok(None),
        _ => Err(Undecodable),
    }
}

/// The row in an item; `None`: it is expired, or a counter's.
pub(crate) fn row(mut item: Item, now: i64) -> Result<Option<Row>, Undecodable> {
    if item.contains_key(COUNT) {
        return Ok(None);
    }
    let expires = expiry(&item)?;
    if expires.is_some_and(|at| at <= now) {
        return Ok(None);
    }
    let expires_at = expires
        .map(Timestamp::from_millisecond)
        .transpose()
        .map_err(|_| Undecodable)?;
    let version = integer(&item, VERSION)?
        .and_then(|v| u64::try_from(v).ok())
        .ok_or(Undecodable)?;
    let key = take_key(&mut item, PK, SK)?.ok_or(Undecodable)?;
    let mut index = [None, None];
    for (slot, names) in index.iter_mut().zip(&INDEXES) {
        *slot = take_key(&mut item, names.pk, names.sk)?;
    }
    let doc = match (item.remove(DOC), item.remove(DEFLATED)) {
        (Some(AttributeValue::S(doc)), None) => doc,
        (None, Some(AttributeValue::B(bytes))) => inflated(bytes.as_ref()).ok_or(Undecodable)?,
        _ => return Err(Undecodable),
    };
    Ok(Some(Row {
        key,
        version,
        expires_at,
        index,
        doc,
    }))
}

/// Where a query goes on, from `DynamoDB`'s own key of the last item.
pub(crate) fn position(mut last: Item, source: Source) -> Result<Position, Undecodable> {
    let index = match index_of(source) {
        None => None,
        Some(names) => Some(take_key(&mut last, names.pk, names.sk)?.ok_or(Undecodable)?),
    };
    Ok(Position {
        key: take_key(&mut last, PK, SK)?.ok_or(Undecodable)?,
        index,
    })
}

/// The reverse of [`position`].
pub(crate) fn start_key(position: &Position, source: Source) -> Item {
    let mut start = key_item(&position.key);
    if let (Some(names), Some(key)) = (index_of(source), &position.index) {
        start.insert(names.pk.to_owned(), text(&key.pk));
        start.insert(names.sk.to_owned(), text(&key.sk));
    }
    start
}

/// The index that a query walks.
pub(crate) fn index_of(source: Source) -> Option<&'static Index> {
    match source {
        Source::Main => None,
        Source::Index(which) => INDEXES.get(usize::from(which)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringfence_ports::When;

    fn put(doc: &str) -> Put {
        let mut put = Put::new(Key::new("p", "s"), doc, When::Absent);
        put.index[1] = Some(Key::new("ip", "is"));
        put.expires_at = Some(Timestamp::from_millisecond(1_500).unwrap());
        put
    }

    #[test]
    fn a_row_comes_back_until_it_expires() {
        for doc in ["{}".to_owned(), format!("\"{}\"", "long ".repeat(1000))] {
            let item = whole(&put(&doc), 7, [1; 8]);
            let back = row(item.clone(), 1_499).unwrap().unwrap();
            assert_eq!(
                (back.key, back.version, back.doc),
                (Key::new("p", "s"), 7, doc)
            );
            assert_eq!(back.index, [None, Some(Key::new("ip", "is"))]);
            assert_eq!(back.expires_at, put("").expires_at);
            assert_eq!(row(item, 1_500), Ok(None));
        }
    }

    #[test]
    fn the_clean_up_never_comes_before_the_last_millisecond() {
        let item = whole(&put("{}"), 1, [1; 8]);
        assert_eq!(item.get(TTL_ATTRIBUTE), Some(&number(2)));
        assert_eq!(
            (ttl_seconds(2000), ttl_seconds(2001), ttl_seconds(-1)),
            (2, 3, 0)
        );
    }

    #[test]
    fn an_update_settles_each_attribute_and_none_twice() {
        let everything = ["doc", "exp", "i0pk", "i0sk", "i1pk", "i1sk", "w", "x", "z"];
        let mut bare = put("{}");
        (bare.index, bare.expires_at) = ([None, None], None);
        for put in [put("{}"), put(&"long ".repeat(1000)), bare] {
            let Attributes { set, remove } = Attributes::of(&put, [1; 8]);
            let mut named: Vec<&str> = set.iter().map(|(name, _)| *name).chain(remove).collect();
            named.sort_unstable();
            assert_eq!(named, everything);
        }
    }

    #[test]
    fn a_damaged_item_is_an_error_and_tells_nothing() {
        for name in [VERSION, DOC, PK, "i1sk"] {
            let mut item = whole(&put("{}"), 1, [1; 8]);
            item.remove(name);
            assert_eq!(row(item, 0), Err(Undecodable), "{name}");
        }
        let mut item = whole(&put("{}"), 1, [1; 8]);
        item.remove(DOC);
        item.insert(DEFLATED.to_owned(), AttributeValue::B(Blob::new(*b"junk")));
        assert_eq!(row(item, 0), Err(Undecodable));
    }
}
