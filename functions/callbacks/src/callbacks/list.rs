//! `GET /v1/accounts/{account}/callbacks`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::{access::Scope, settings::EndpointKind};
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};
use serde_json::{Value, json};

/// See how the callbacks are doing
///
/// Each callback with a URL: whether it is on, paused or disabled and why, and since when it has been
/// failing. Needs the scope `deliveries:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/callbacks",
    tag = "callbacks",
    params(("account" = String, Path, description = "The account's id")),
    responses(
        (status = 200, description = "The callbacks", body = serde_json::Value, example = json!({"items": [
            {"callback": "cdr", "state": "failing", "failing_since": "2026-01-31T08:15:04Z"},
        ]})),
        (status = 404, description = "No such account", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
) -> Result<Json<Value>, Problem> {
    let config = app
        .account(&caller, Scope::DeliveriesRead, &account)
        .await?;
    let items: Vec<Value> = EndpointKind::ALL
        .into_iter()
        .filter_map(|kind| config.endpoint(kind))
        .map(|endpoint| {
            let state = &endpoint.state;
            let name = if state.disabled_at.is_some() {
                "disabled"
            } else if state.paused_at.is_some() {
                "paused"
            } else if !endpoint.enabled {
                "off"
            } else if state.failing_since.is_some() {
                "failing"
            } else {
                "on"
            };
            let mut item = serde_json::to_value(state).unwrap_or_default();
            if let Some(item) = item.as_object_mut() {
                item.remove("failing_url");
            }
            item["callback"] = json!(endpoint.kind);
            item["state"] = json!(name);
            item
        })
        .collect();
    Ok(Json(json!({ "items": items })))
}
