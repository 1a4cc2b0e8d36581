//! `POST /v1/accounts/{account}/callbacks/{callback}/pause`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::settings::EndpointState;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

use crate::problem::callback;

/// Pause a callback
///
/// What arrives meanwhile is held, not lost. Pausing a paused callback changes nothing. Needs the scope
/// `settings:write`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/callbacks/{callback}/pause",
    tag = "callbacks",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("callback" = String, Path, description = "cdr, call_status, predictive_task or operational"),
    ),
    responses(
        (status = 200, description = "Its state", body = serde_json::Value, example = json!({"paused_at": "2026-01-31T08:15:04Z"})),
        (status = 404, description = "No such account or callback", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "The callback has no URL", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, name)): Path<(String, String)>,
) -> Result<Json<EndpointState>, Problem> {
    let config = app.account_to_pause(&caller, &account).await?;
    Ok(Json(
        app.pause(&config, callback(&name)?, &caller.actor())
            .await?,
    ))
}
