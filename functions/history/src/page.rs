//! A page of a history.

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use jiff::Timestamp;
use ringfence_domain::{
    App,
    history::{Filter, Place, Shown},
};
use ringfence_http::{Code, MAX_PAGE_ITEMS, Problem, cursor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest item or actor to ask for, in bytes.
const MAX_NAME_BYTES: usize = 200;

/// Which page of which entries.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryQuery {
    item: Option<String>,
    actor: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// A page, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct HistoryPage {
    /// The entries.
    #[schema(value_type = Vec<EntryBody>)]
    items: Vec<Shown>,
    /// The `cursor` of the next page; null: there is no more.
    next_cursor: Option<String>,
}

/// One change.
#[derive(ToSchema)]
#[schema(as = HistoryEntry)]
#[expect(
    dead_code,
    reason = "describes ringfence_domain::history::Shown, which is what is sent"
)]
pub(crate) struct EntryBody {
    /// 1 for the first change, then contiguous.
    seq: u64,
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// Who: the id of a person or an API key, or `system`.
    actor: String,
    /// From which address, when known.
    address: Option<String>,
    /// True where the address of a person was erased.
    address_redacted: Option<bool>,
    /// What was changed: `settings/callbacks`, `callbacks/cdr/secret`, `api-keys/key_…`
    item: String,
    /// What was done: create, update, delete, rotate, pause, resume, disable, replay, resend, test,
    /// redact, use.
    action: String,
    /// The item before; null when it did not exist. A personal value stands there as
    /// `{"commitment": …, "value": …}`, an erased one as `{"commitment": …, "redacted": true}`.
    before: serde_json::Value,
    /// The item after; null when it no longer exists.
    after: serde_json::Value,
    /// Where commitments to personal values stand in this entry, as JSON pointers: `/after/name`.
    personal: Option<Vec<String>>,
    /// `hash` of the entry before; 64 zeros for the first.
    previous: String,
    /// SHA-256, in hexadecimal, of the entry's JSON as in the export, without `hash`.
    hash: String,
    /// The fields whose values differ.
    changes: Vec<FieldBody>,
}

/// A field that changed.
#[derive(ToSchema)]
#[schema(as = HistoryFieldChange)]
#[expect(
    dead_code,
    reason = "describes ringfence_domain::history::FieldChange, which is what is sent"
)]
pub(crate) struct FieldBody {
    /// Which, as a JSON pointer.
    field: String,
    /// Its value before; null: it was not there.
    before: serde_json::Value,
    /// Its value after; null: it is no longer there.
    after: serde_json::Value,
}

/// The page of an owner's history that is asked for.
pub(crate) async fn page_of(
    app: &App,
    owner: &str,
    query: HistoryQuery,
) -> Result<Response, Problem> {
    let limit = query.limit.unwrap_or(50);
    if !(1..=MAX_PAGE_ITEMS).contains(&limit) {
        return Err(wrong(&format!("limit must be from 1 to {MAX_PAGE_ITEMS}.")));
    }
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let (item, actor) = (text(&query.item), text(&query.actor));
    let (since, until) = (text(&query.since), text(&query.until));
    let scope = [owner, "history", &item, &actor, &since, &until];
    let after: Option<Place> = query
        .cursor
        .as_deref()
        .map(|cursor| cursor::decode(&scope, cursor))
        .transpose()?;
    let filter = Filter {
        item: query.item.map(|item| name("item", item)).transpose()?,
        actor: query.actor.map(|actor| name("actor", actor)).transpose()?,
        since: instant("since", query.since.as_deref())?,
        until: instant("until", query.until.as_deref())?,
    };
    let found = app.search_history(owner, &filter, limit, after).await?;
    let next_cursor = found.next.map(|next| cursor::encode(&scope, &next));
    let items = app.show_history(owner, found.entries).await?;
    Ok(Json(HistoryPage { items, next_cursor }).into_response())
}

/// The instant that a parameter says.
pub(crate) fn instant(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    text.map(|text| {
        text.parse()
            .map_err(|_| wrong(&format!("{name} must be an instant in RFC 3339.")))
    })
    .transpose()
}

fn name(name: &str, text: String) -> Result<String, Problem> {
    let fits = (1..=MAX_NAME_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
    if fits {
        Ok(text)
    } else {
        Err(wrong(&format!(
            "{name} has 1 to {MAX_NAME_BYTES} characters."
        )))
    }
}

fn wrong(detail: &str) -> Problem {
    Problem::new(Code::InvalidQuery).detail(detail)
}
