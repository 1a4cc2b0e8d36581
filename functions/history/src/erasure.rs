//! Erasure of personal values.

use axum::Json;
use ringfence_domain::{App, access::Caller, history::Redaction};
use ringfence_http::Problem;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest id of a person, in bytes.
const MAX_ID_BYTES: usize = 64;

/// Who is to be erased.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersonRequest {
    /// The person's id, `usr_…`.
    person: String,
}

/// What was erased.
#[derive(Serialize, ToSchema)]
pub(crate) struct RedactionBody {
    /// The numbers of the entries that lost their personal values with this request.
    entries: Vec<u64>,
    /// There are more: ask again.
    more: bool,
}

impl From<Redaction> for RedactionBody {
    fn from(redaction: Redaction) -> Self {
        Self {
            entries: redaction.entries,
            more: redaction.more,
        }
    }
}

/// Erases the personal values of an entry.
pub(crate) async fn redact_entry(
    app: &App,
    owner: &str,
    caller: &Caller,
    seq: &str,
) -> Result<Json<RedactionBody>, Problem> {
    let seq = seq.parse().map_err(|_| Problem::not_found("entry"))?;
    let done = app.redact_entry(owner, seq, &caller.actor()).await?;
    Ok(Json(done.into()))
}

/// Erases a person's values.
pub(crate) async fn redact_person(
    app: &App,
    owner: &str,
    caller: &Caller,
    request: PersonRequest,
) -> Result<Json<RedactionBody>, Problem> {
    let is_id = (1..=MAX_ID_BYTES).contains(&request.person.len())
        && request
            .person
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_id {
        return Err(Problem::field(
            "person",
            "invalid_value",
            "must be the id of a person, such as usr_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b",
        ));
    }
    let done = app
        .redact_person(owner, &request.person, &caller.actor())
        .await?;
    Ok(Json(done.into()))
}
