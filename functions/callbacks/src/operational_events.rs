//! `GET /v1/accounts/{account}/operational-events`

use axum::{
    Json,
    extract::{Path, Query, State},
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, cursor, problem::ProblemBody};
use serde::Deserialize;
use serde_json::{Value, json};

/// Which page.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    limit: Option<usize>,
    cursor: Option<String>,
}

/// List operational events
///
/// What Ringfence has to say about the account's callbacks: failing, recovered, disabled. Newest first.
/// The same events go to the `operational` callback. Needs the scope `deliveries:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/operational-events",
    tag = "callbacks",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("limit" = Option<u16>, Query, description = "1 to 100, 50 unless given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = serde_json::Value),
        (status = 400, description = "A parameter is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<Value>, Problem> {
    let config = app
        .account(&caller, Scope::DeliveriesRead, &account)
        .await?;
    let scope = [config.account.id.as_str(), "operational-events"];
    let after = page
        .cursor
        .as_deref()
        .map(|cursor| cursor::decode(&scope, cursor))
        .transpose()?;
    let limit = page.limit.unwrap_or(50).clamp(1, 100);
    let (items, next) = app
        .operational_events(&config.account.id, limit, after)
        .await?;
    let next = next.map(|next| cursor::encode(&scope, &next));
    Ok(Json(json!({ "items": items, "next_cursor": next })))
}
