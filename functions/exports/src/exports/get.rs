//! `GET /v1/accounts/{account}/exports`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::{access::Scope, export::Viewer};
use ringfence_http::{AppState, Authenticated, PageQuery, Problem, cursor, problem::ProblemBody};
use serde_json::{Value, json};

use super::shown;

/// List exports
///
/// Newest first. Whoever does not see everything of the account sees its own. A page may hold fewer than
/// `limit` although there is a `next_cursor`: go on until that is null. Needs the scope `recordings:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/exports",
    tag = "exports",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("limit" = Option<u16>, Query, description = "1 to 100, 50 unless given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = serde_json::Value, example = json!({"items": [{
            "id": "exp_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "account_id": "acc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b",
            "kind": "recordings", "state": "done",
            "selection": {"time_zone": "America/New_York", "from_date": "2026-01-01", "to_date": "2026-02-01",
                "since": "2026-01-01T05:00:00Z", "until": "2026-02-01T05:00:00Z", "team": "sales"},
            "links": true, "requested_by": "key_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b",
            "created_at": "2026-03-01T09:00:00Z", "finished_at": "2026-03-01T09:00:04Z",
            "expires_at": "2026-03-08T09:00:00Z", "rows": 5200, "linked": 5198, "size": 1_581_221,
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
    let (config, reach) = app
        .account_data(&caller, Scope::RecordingsRead, &account)
        .await?;
    let query = query?;
    let scope = [config.account.id.as_str(), "exports"];
    let after = query
        .cursor
        .as_deref()
        .map(|cursor| cursor::decode(&scope, cursor))
        .transpose()?;
    let viewer = Viewer {
        id: caller.id(),
        reach: &reach,
    };
    let (exports, next) = app
        .exports(&config.account.id, viewer, query.limit, after)
        .await?;
    let items: Vec<_> = exports
        .into_iter()
        .map(|export| shown(&config, export))
        .collect();
    let next = next.map(|next| cursor::encode(&scope, &next));
    Ok(Json(json!({ "items": items, "next_cursor": next })))
}
