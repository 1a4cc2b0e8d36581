//! `GET /v1/accounts/{account}/jobs/{job}`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::{access::Scope, callback::replay::Job};
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};
use serde_json::{Value, json};

/// A job as it is shown.
pub(crate) fn shown(job: &Job) -> Value {
    json!({
        "id": job.id,
        "type": "replay",
        "callback": job.range.kind,
        "since": job.range.since,
        "until": job.range.until,
        "status": job.range.statuses,
        "dry_run": job.dry_run,
        "state": job.state,
        "matched": job.matched,
        "queued": job.queued,
        "created_at": job.created_at,
        "finished_at": job.finished_at,
    })
}

/// Read a job
///
/// Its state and its counts so far. Needs the scope `deliveries:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/jobs/{job}",
    tag = "callbacks",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("job" = String, Path, description = "The job's id"),
    ),
    responses(
        (status = 200, description = "The job", body = serde_json::Value, example = json!({
            "id": "job_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "type": "replay", "callback": "cdr",
            "state": "done", "dry_run": false, "matched": 12, "queued": 12,
        })),
        (status = 404, description = "No such account or job", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, job)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let config = app
        .account(&caller, Scope::DeliveriesRead, &account)
        .await?;
    Ok(Json(shown(&app.job(&config.account.id, &job).await?)))
}
