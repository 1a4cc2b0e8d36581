//! `GET /v1/accounts/{account}/deletions`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, PageQuery, Problem, cursor, problem::ProblemBody};
use serde_json::{Value, json};

use super::shown;

/// List deletions
///
/// Newest first: those that somebody asked for, and those of retention. Dry runs are listed for 30 days.
/// Needs the scope `deletion:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/deletions",
    tag = "deletion",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("limit" = Option<u16>, Query, description = "1 to 100, 50 unless given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = serde_json::Value, example = json!({"items": [{
            "id": "job_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "account_id": "acc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b",
            "state": "running", "phase": "delete", "dry_run": false,
            "selection": {"time_zone": "America/New_York", "from_date": "2026-01-01", "to_date": "2026-02-01",
                "since": "2026-01-01T05:00:00Z", "until": "2026-02-01T05:00:00Z", "team": "sales"},
            "reason": "end of contract", "requested_by": "key_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b",
            "created_at": "2026-03-01T09:00:00Z", "planned": {"recordings": 5200, "bytes": 6_240_228_800_u64},
            "progress": {"done": 2000, "left": 3200, "per_second": 812.5},
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
    let config = app.account(&caller, Scope::DeletionRead, &account).await?;
    let query = query?;
    let scope = [config.account.id.as_str(), "deletions"];
    let after = query
        .cursor
        .as_deref()
        .map(|cursor| cursor::decode(&scope, cursor))
        .transpose()?;
    let (jobs, next) = app
        .deletions(&config.account.id, query.limit, after)
        .await?;
    let mut items = Vec::with_capacity(jobs.len());
    for job in jobs {
        items.push(shown(&app, &config, job).await?);
    }
    let next = next.map(|next| cursor::encode(&scope, &next));
    Ok(Json(json!({ "items": items, "next_cursor": next })))
}
