//! JSON as strictly as RFC 8259 lets one be: a key stands once in an object, no lone surrogate, no
//! bottomless nesting. Two readers of one document must never see two different events.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::error::{ErrorCode, EventError};

/// How deep objects and arrays may nest. A `FreeSWITCH` CDR nests 8 deep.
pub const MAX_DEPTH: usize = 32;

/// What a platform sent that has no place in our terms, as it sent it: a JSON object, at most
/// [`MAX_DEPTH`] deep. Key order is not kept. `Debug` prints nothing of it.
#[derive(Clone, PartialEq, Default, Serialize)]
#[serde(transparent)]
pub struct Source(pub Map<String, Value>);

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source(..)")
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut trace = Trace::default();
        deserializer
            .deserialize_map(Object {
                depth: 2,
                trace: &mut trace,
            })
            .map(Source)
    }
}

/// For `#[serde(deserialize_with)]` on a struct: an object only. What serde derives would take an
/// array too, field by field in the order of their declaration.
pub fn fields<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    deserializer.deserialize_map(Fields(PhantomData))
}

/// [`fields`], for a struct that may be absent or null.
pub fn optional_fields<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    deserializer.deserialize_option(OptionalFields(PhantomData))
}

struct Fields<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

struct OptionalFields<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OptionalFields<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object or null")
    }

    fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Self::Value, D::Error> {
        fields(inner).map(Some)
    }
}

/// Reads one document.
///
/// # Errors
/// Where and why it is refused.
pub fn parse(text: &str) -> Result<Value, EventError> {
    parse_within(text, 0, &[])
}

/// Reads one document that is to stand `depth` levels deep in another, so that the whole is not
/// deeper than [`MAX_DEPTH`]. The keys in `repeatable` may stand more than once in its outermost
/// object: their values then become one list.
///
/// # Errors
/// Where and why it is refused.
pub fn parse_within(
    text: &str,
    depth: usize,
    repeatable: &'static [&'static str],
) -> Result<Value, EventError> {
    let mut trace = Trace {
        outermost: depth,
        repeatable,
        ..Trace::default()
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let parsed = Any {
        depth,
        trace: &mut trace,
    }
    .deserialize(&mut deserializer)
    .and_then(|value| deserializer.end().map(|()| value));
    parsed.map_err(|error| {
        let field = trace.path();
        let (code, reason) = match trace.fault {
            Some(Fault::Duplicate) => (
                ErrorCode::DuplicateKey,
                "stands more than once in the same object".into(),
            ),
            Some(Fault::Depth) => (
                ErrorCode::TooLarge,
                format!("nests more than {MAX_DEPTH} levels deep").into(),
            ),
            // serde_json's text may hold a piece of the input; its position does not.
            None => (
                ErrorCode::Malformed,
                format!(
                    "is not well-formed JSON (line {}, column {})",
                    error.line(),
                    error.column()
                )
                .into(),
            ),
        };
        EventError {
            field,
            code,
            reason,
        }
    })
}

#[derive(Clone, Copy)]
enum Fault {
    Duplicate,
    Depth,
}

/// Filled only on the way out of a failure, innermost step first, so that success pays nothing.
#[derive(Default)]
struct Trace {
    outermost: usize,
    repeatable: &'static [&'static str],
    fault: Option<Fault>,
    steps: Vec<Step>,
}

enum Step {
    Key(String),
    Index(usize),
}

impl Trace {
    fn path(&self) -> Option<String> {
        let mut path = String::new();
        for step in self.steps.iter().rev() {
            match step {
                Step::Key(key) => push_key(&mut path, key),
                Step::Index(index) => push_index(&mut path, *index),
            }
        }
        (!path.is_empty()).then_some(path)
    }
}

/// Appends a key to a dotted path. A key that is no plain name comes from outside and may hold
/// anything, a number too: it is shown as `?`.
pub fn push_key(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    let plain = !key.is_empty()
        && key.len() <= 64
        && digits < 4
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    path.push_str(if plain { key } else { "?" });
}

/// Appends an array index to a dotted path.
pub fn push_index(path: &mut String, index: usize) {
    use fmt::Write;
    // Writing to a String cannot fail.
    let _ = write!(path, "[{index}]");
}

struct Any<'t> {
    depth: usize,
    trace: &'t mut Trace,
}

impl<'de> DeserializeSeed<'de> for Any<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let depth = deeper(self.depth, self.trace)?;
        let mut items = Vec::new();
        loop {
            match seq.next_element_seed(Any {
                depth,
                trace: self.trace,
            }) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => return Ok(Value::Array(items)),
                Err(error) => {
                    self.trace.steps.push(Step::Index(items.len()));
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        Object {
            depth: self.depth,
            trace: self.trace,
        }
        .visit_map(map)
        .map(Value::Object)
    }
}

struct Object<'t> {
    depth: usize,
    trace: &'t mut Trace,
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let depth = deeper(self.depth, self.trace)?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let repeated = map.contains_key(&key);
            if repeated
                && !(self.depth == self.trace.outermost
                    && self.trace.repeatable.contains(&key.as_str()))
            {
                self.trace.fault = Some(Fault::Duplicate);
                self.trace.steps.push(Step::Key(key));
                return Err(de::Error::custom("duplicate key"));
            }
            match entries.next_value_seed(Any {
                depth,
                trace: self.trace,
            }) {
                Ok(value) if repeated => match map.get_mut(&key) {
                    Some(Value::Array(list)) => list.push(value),
                    Some(first) => *first = Value::Array(vec![first.take(), value]),
                    None => {}
                },
                Ok(value) => {
                    map.insert(key, value);
                }
                Err(error) => {
                    self.trace.steps.push(Step::Key(key));
                    return Err(error);
                }
            }
        }
        Ok(map)
    }
}

fn deeper<E: de::Error>(depth: usize, trace: &mut Trace) -> Result<usize, E> {
    if depth >= MAX_DEPTH {
        trace.fault = Some(Fault::Depth);
        return Err(E::custom("nested too deep"));
    }
    Ok(depth + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> (Option<String>, ErrorCode) {
        let error = parse(text).expect_err(text);
        (error.field, error.code)
    }

    #[test]
    fn a_key_stands_once_at_every_level() {
        assert_eq!(
            refused(r#"{"a":1,"a":1}"#),
            (Some("a".into()), ErrorCode::DuplicateKey)
        );
        assert_eq!(
            refused(r#"{"a":[1,{"b":{"c":1,"\u0063":2}}]}"#),
            (Some("a[1].b.c".into()), ErrorCode::DuplicateKey)
        );
        assert!(parse(r#"{"a":{"a":1},"b":{"a":1}}"#).is_ok());
    }

    #[test]
    fn lone_surrogates_and_broken_syntax_are_malformed() {
        for text in [
            r#"{"a":"\ud800"}"#,
            r#"{"\udc00":1}"#,
            r#"{"a":"\ud83dx"}"#,
            "",
            "{",
            r#"{"a":1} {}"#,
            r#"{"a":01}"#,
            r#"{"a":1e999}"#,
            "{\"a\":\"\u{1}\"}",
            r"{'a':1}",
            r#"{"a":NaN}"#,
            r#"{"a":1,}"#,
        ] {
            assert_eq!(refused(text).1, ErrorCode::Malformed, "{text}");
        }
        assert!(parse(r#"{"a":"\ud83d\ude00"}"#).is_ok());
    }

    #[test]
    fn nesting_has_a_bottom() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(refused(&nested(MAX_DEPTH + 1)).1, ErrorCode::TooLarge);
        assert_eq!(refused(&nested(100_000)).1, ErrorCode::TooLarge);
    }

    #[test]
    fn a_path_never_shows_a_number_that_stands_as_a_key() {
        let error = parse(r#"{"+14155550123":{"x":1,"x":2}}"#).expect_err("duplicate");
        assert_eq!(error.field.as_deref(), Some("?.x"));
    }
}
