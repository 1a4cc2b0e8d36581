//! `POST /v1/accounts/{account}/callbacks/{callback}/replay`

use axum::{
    Json,
    extract::{Path, State},
};
use http::StatusCode;
use jiff::Timestamp;
use ringfence_domain::{
    access::Scope,
    callback::{delivery::Status, replay::Range},
};
use ringfence_http::{AppState, Authenticated, Problem, StrictJson, problem::ProblemBody};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::problem::callback;

/// What to replay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayRequest {
    /// Events accepted at this instant or later; from the beginning unless given.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Events accepted before this instant; now unless given.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// Deliveries in one of these statuses: `failed`, `held`, `delivered`, `retrying`, `waiting`.
    /// `failed` and `held` unless given.
    #[schema(value_type = Option<Vec<String>>)]
    status: Option<Vec<Status>>,
    /// Only count what would be sent.
    #[serde(default)]
    dry_run: bool,
}

/// Replay a range of time
///
/// Sends again, in a job, what matches: with the same `webhook-id` and a fresh retry schedule. With
/// `dry_run` the job only counts. Needs the scope `deliveries:write`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/callbacks/{callback}/replay",
    tag = "callbacks",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("callback" = String, Path, description = "cdr, call_status, predictive_task or operational"),
    ),
    request_body(content = ReplayRequest, example = json!({
        "since": "2026-01-30T00:00:00Z", "until": "2026-01-31T00:00:00Z", "status": ["failed"], "dry_run": true,
    })),
    responses(
        (status = 202, description = "The job", body = serde_json::Value),
        (status = 400, description = "A field is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account or callback", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "The callback has no URL", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, name)): Path<(String, String)>,
    StrictJson(request): StrictJson<ReplayRequest>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let config = app
        .account(&caller, Scope::DeliveriesWrite, &account)
        .await?;
    let kind = callback(&name)?;
    let until = request.until.unwrap_or_else(|| app.clock.now());
    if request.since.is_some_and(|since| since >= until) {
        return Err(Problem::field(
            "since",
            "invalid_value",
            "must lie before until",
        ));
    }
    let mut statuses = request
        .status
        .unwrap_or_else(|| vec![Status::Failed, Status::Held]);
    statuses.dedup();
    if statuses.is_empty() || statuses.contains(&Status::Queued) {
        return Err(Problem::field(
            "status",
            "invalid_value",
            "must name at least one of failed, held, delivered, retrying and waiting",
        ));
    }
    let range = Range {
        kind,
        since: request.since,
        until,
        statuses,
    };
    let job = app
        .replay(&config, range, request.dry_run, &caller.actor())
        .await?;
    Ok((StatusCode::ACCEPTED, Json(crate::job::shown(&job))))
}
