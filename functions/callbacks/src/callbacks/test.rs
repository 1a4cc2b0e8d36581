//! `POST /v1/accounts/{account}/callbacks/{callback}/test`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::callback;

/// What came back from a test.
#[derive(Serialize, ToSchema)]
pub(crate) struct TestAnswer {
    /// Whether it counts as delivered.
    ok: bool,
    /// The `webhook-id` that was sent.
    webhook_id: String,
    /// What happened, in plain words.
    explanation: String,
    /// The status that came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// How long it took, in milliseconds.
    latency_ms: u64,
    /// The start of the response body, where it failed.
    #[serde(skip_serializing_if = "String::is_empty")]
    response: String,
}

/// Send a test event
///
/// Sends a signed event of the callback's own type at once, with made-up numbers and the tag `test`,
/// and answers with what came back. Works on a paused or disabled callback too. Needs the scope
/// `deliveries:write`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/callbacks/{callback}/test",
    tag = "callbacks",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("callback" = String, Path, description = "cdr, call_status, predictive_task or operational"),
    ),
    responses(
        (status = 200, description = "What came back, also when that is a failure", body = TestAnswer, example = json!({
            "ok": false, "webhook_id": "dlv_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b",
            "explanation": "The receiver refused the connection: nothing listens at this URL.", "latency_ms": 1,
        })),
        (status = 404, description = "No such account or callback", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "The callback has no URL", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, name)): Path<(String, String)>,
) -> Result<Json<TestAnswer>, Problem> {
    let config = app
        .account(&caller, Scope::DeliveriesWrite, &account)
        .await?;
    let (webhook_id, tried) = app
        .test_callback(&config, callback(&name)?, &caller.actor())
        .await?;
    Ok(Json(TestAnswer {
        ok: tried.attempt.ok,
        webhook_id,
        explanation: tried.attempt.explanation,
        status: tried.attempt.status,
        latency_ms: tried.attempt.latency_ms,
        response: tried.attempt.response,
    }))
}
