//! `POST /v1/accounts/{account}/callbacks/{callback}/resume`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};
use serde_json::{Value, json};

use crate::problem::callback;

/// Resume a paused or disabled callback
///
/// Starts a job that sends everything that was held, and answers with it: see
/// `/v1/accounts/{account}/jobs/{job}` for its progress. Needs the scope `settings:write`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/callbacks/{callback}/resume",
    tag = "callbacks",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("callback" = String, Path, description = "cdr, call_status, predictive_task or operational"),
    ),
    responses(
        (status = 200, description = "Its state, and the job", body = serde_json::Value),
        (status = 404, description = "No such account or callback", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "The callback has no URL", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, name)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let config = app.account_to_pause(&caller, &account).await?;
    let (state, job) = app
        .resume(&config, callback(&name)?, &caller.actor())
        .await?;
    Ok(Json(
        json!({ "state": state, "job": crate::job::shown(&job) }),
    ))
}
