//! `POST /v1/accounts/{account}/ingest/asterisk`

use axum::extract::{Path, Request, State};
use ringfence_domain::{access::Scope, event::source::Platform};
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

use super::{accept, read};
use crate::answer::IngestAnswer;

/// Post Asterisk call detail records
///
/// CDRs as JSON (one object, an array or NDJSON), or lines of `Master.csv` as `text/csv`. Times without
/// a zone are read in the zone of the query parameter `tz` (an IANA name; UTC unless given). Needs the
/// scope `events:write`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/ingest/asterisk",
    tag = "ingest",
    params(("account" = String, Path, description = "The account's id"), ("tz" = Option<String>, Query, description = "The zone of times that name none", example = "America/New_York")),
    request_body(content = serde_json::Value, description = "As the platform sends it"),
    responses(
        (status = 202, description = "A result per event", body = IngestAnswer),
        (status = 400, description = "It cannot be read", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 413, description = "More than 1,000 records or 5 MiB", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 415, description = "Not a media type of this platform", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
    request: Request,
) -> Result<IngestAnswer, Problem> {
    let config = app.account(&caller, Scope::EventsWrite, &account).await?;
    let (parts, body) = read(request).await?;
    accept(&app, &config, Platform::Asterisk, &parts, &body).await
}
