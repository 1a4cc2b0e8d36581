use axum::{
    body::HttpBody as _,
    extract::{FromRequest, OptionalFromRequest, Request},
};
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Code, FieldError, MAX_OPEN_BYTES, Problem, read_limited, read_open};

/// The largest body of a settings request, in bytes.
pub const MAX_SETTINGS_BYTES: usize = 64 * 1024;

/// A JSON body of at most [`MAX_SETTINGS_BYTES`], parsed strictly: `application/json` (or a
/// `+json` type), no unknown field where `T` denies them, no key twice.
#[derive(Debug)]
pub struct StrictJson<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for StrictJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        require_json(request.headers())?;
        let body = read_limited(request, MAX_SETTINGS_BYTES).await?;
        strict_value(&body).and_then(from_value).map(Self)
    }
}

/// The same of a caller who is not known yet, at most [`MAX_OPEN_BYTES`]: for endpoints that ask for
/// neither a key nor a session.
#[derive(Debug)]
pub struct OpenJson<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for OpenJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        require_json(request.headers())?;
        let body = read_open(request, MAX_OPEN_BYTES).await?;
        strict_value(&body).and_then(from_value).map(Self)
    }
}

/// `None`: there is no body. Whatever its media type would be: many clients name one with every request.
impl<S: Send + Sync, T: DeserializeOwned> OptionalFromRequest<S> for StrictJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Problem> {
        if request.body().is_end_stream() {
            return Ok(None);
        }
        <Self as FromRequest<S>>::from_request(request, state)
            .await
            .map(Some)
    }
}

fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    if is_json(headers) {
        Ok(())
    } else {
        Err(Problem::new(Code::UnsupportedMediaType)
            .detail("This endpoint takes application/json."))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let essence = value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Parses JSON in which no object, at any depth, has a key twice.
pub fn strict_value(body: &[u8]) -> Result<Value, Problem> {
    serde_json::from_slice::<Unique>(body)
        .map(|unique| unique.0)
        .map_err(|error| {
            let what = if error.to_string().starts_with(DUPLICATE) {
                "a key stands twice in one object"
            } else {
                "the body is not valid JSON"
            };
            Problem::new(Code::MalformedBody).detail(format!(
                "In line {}, column {}: {what}.",
                error.line(),
                error.column()
            ))
        })
}

fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let reason = public_reason(&error.into_inner().to_string());
        Problem::new(Code::InvalidFields).errors(vec![FieldError {
            index: None,
            field: (path != ".").then_some(path),
            code: "invalid".to_owned(),
            reason,
        }])
    })
}

/// serde's message without the value that it may quote: the value could be a secret.
fn public_reason(message: &str) -> String {
    if let Some(rest) = message
        .strip_prefix("invalid type: ")
        .or(message.strip_prefix("invalid value: "))
        && let Some(at) = rest.rfind("expected ")
    {
        return rest[at..].to_owned();
    }
    if let Some(rest) = message.strip_prefix("unknown variant")
        && let Some(at) = rest.rfind("expected ")
    {
        return rest[at..].to_owned();
    }
    if message.starts_with("unknown field") {
        return match message.rfind("expected ") {
            Some(at) => format!("there is no such field; {}", &message[at..]),
            None => "there is no such field".to_owned(),
        };
    }
    if message.starts_with("missing field") {
        return message.to_owned();
    }
    // Messages of our own `Deserialize` implementations hold no values.
    message.to_owned()
}

const DUPLICATE: &str = "duplicate key";

/// A JSON value that refuses duplicate keys (`serde_json::Value` keeps the last).
struct Unique(Value);

impl<'de> serde::Deserialize<'de> for Unique {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> serde::de::Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Unique(value)) = seq.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(serde::de::Error::custom(DUPLICATE));
            }
            let Unique(value) = access.next_value()?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}
