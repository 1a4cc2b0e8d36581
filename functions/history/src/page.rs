//! A page of a history.

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use ringfence_domain::{App, history::Entry};
use ringfence_http::{PageQuery, Problem, cursor};
use serde::Serialize;
use utoipa::ToSchema;

/// A page, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct HistoryPage {
    /// The entries.
    #[schema(value_type = Vec<EntryBody>)]
    items: Vec<Entry>,
    /// The `cursor` of the next page; null: there is no more.
    next_cursor: Option<String>,
}

/// One change.
#[derive(ToSchema)]
#[schema(as = HistoryEntry)]
#[expect(
    dead_code,
    reason = "describes ringfence_domain::history::Entry, which is what is sent"
)]
pub(crate) struct EntryBody {
    /// 1 for the first change, then contiguous.
    seq: u64,
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// Who: an API key's id, or `system`.
    actor: String,
    /// From which address, when known.
    address: Option<String>,
    /// What was changed: `settings/callbacks`, `callbacks/cdr/secret`, `api-keys/key_…`
    item: String,
    /// What was done: create, update, delete, rotate, pause, resume, disable.
    action: String,
    /// The item before; null when it did not exist.
    before: serde_json::Value,
    /// The item after; null when it no longer exists.
    after: serde_json::Value,
    /// `hash` of the entry before; 64 zeros for the first.
    previous: String,
    /// SHA-256, in hexadecimal, of this entry's JSON without `hash`.
    hash: String,
}

/// The page of an owner's history that is asked for.
pub(crate) async fn page_of(app: &App, owner: &str, query: PageQuery) -> Result<Response, Problem> {
    let scope = [owner, "history"];
    let before: Option<u64> = query
        .cursor
        .as_deref()
        .map(|cursor| cursor::decode(&scope, cursor))
        .transpose()?;
    let (items, more) = app.history_before(owner, query.limit, before).await?;
    let next_cursor = items
        .last()
        .filter(|_| more)
        .map(|last| cursor::encode(&scope, &last.seq));
    Ok(Json(HistoryPage { items, next_cursor }).into_response())
}
