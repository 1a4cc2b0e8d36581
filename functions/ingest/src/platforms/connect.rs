//! `POST /v1/accounts/{account}/ingest/connect`

use axum::{
    Json,
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
};
use ringfence_domain::{access::Scope, event::source::Platform};
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};
use serde_json::json;

use super::{accept, header_text, read};
use crate::answer::IngestAnswer;

/// Post Amazon Connect contact records and contact events
///
/// Contact records (one, an array or NDJSON), contact events in their `EventBridge` envelope, and either
/// of them in the requests of Amazon Data Firehose's HTTP endpoint delivery, whose access key is then
/// the API key, and which gets the answer that it expects. Needs the scope `events:write`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/ingest/connect",
    tag = "ingest",
    params(("account" = String, Path, description = "The account's id")),
    request_body(content = serde_json::Value, description = "As the platform sends it"),
    responses(
        (status = 202, description = "A result per event", body = IngestAnswer),
        (status = 200, description = "To Amazon Data Firehose: the request's id and the time"),
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
) -> Result<Response, Problem> {
    let config = app.account(&caller, Scope::EventsWrite, &account).await?;
    let (parts, body) = read(request).await?;
    let answer = accept(&app, &config, Platform::Connect, &parts, &body).await?;
    // Firehose repeats what is not answered with its own request id: a record that is refused would
    // come for hours, so it is logged with its reason and not sent back.
    let firehose = http::HeaderName::from_static("x-amz-firehose-request-id");
    match header_text(&parts, &firehose) {
        None => Ok(answer.into_response()),
        Some(request_id) => {
            if answer.rejected() > 0 {
                tracing::warn!(
                    account,
                    rejected = answer.rejected(),
                    "records from Firehose were refused"
                );
            }
            Ok(Json(json!({
                "requestId": request_id,
                "timestamp": app.clock.now().as_millisecond(),
            }))
            .into_response())
        }
    }
}
