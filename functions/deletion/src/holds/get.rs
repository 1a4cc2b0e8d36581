//! `GET /v1/accounts/{account}/holds`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, PageQuery, Problem, cursor, problem::ProblemBody};
use serde_json::{Value, json};

use super::{HoldBody, shown};

/// List legal holds
///
/// Those in force, oldest first; the history has those that were released. Needs the scope `holds:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/holds",
    tag = "deletion",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("limit" = Option<u16>, Query, description = "1 to 100, 50 unless given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = serde_json::Value, example = json!({"items": [{
            "id": "hld_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "account_id": "acc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b",
            "on": "number", "number": "+141****0132", "reason": "Case 26-1042",
            "created_by": "key_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "created_at": "2026-01-31T09:00:00Z",
        }], "next_cursor": null})),
        (status = 404, description = "No such account", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
    query: Result<PageQuery, Problem>,
) -> Result<Json<Value>, Problem> {
    let config = app.account(&caller, Scope::HoldsRead, &account).await?;
    let query = query?;
    let scope = [config.account.id.as_str(), "holds"];
    let after = query
        .cursor
        .as_deref()
        .map(|cursor| cursor::decode(&scope, cursor))
        .transpose()?;
    let (holds, next) = app.holds(&config.account.id, query.limit, after).await?;
    let items: Vec<HoldBody> = holds.into_iter().map(|hold| shown(&config, hold)).collect();
    let next = next.map(|next| cursor::encode(&scope, &next));
    Ok(Json(json!({ "items": items, "next_cursor": next })))
}
