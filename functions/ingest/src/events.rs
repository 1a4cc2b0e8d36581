//! `POST /v1/accounts/{account}/events`

use axum::extract::{Path, Request, State};
use http::header;
use ringfence_domain::{
    access::Scope,
    event::{ContentKind, native},
};
use ringfence_http::{AppState, Authenticated, Code, Problem, problem::ProblemBody, read_limited};

use crate::{
    MAX_BODY_BYTES,
    answer::{IngestAnswer, batch_problem},
};

/// Post call events
///
/// One event, a JSON array, or NDJSON (`application/x-ndjson`): at most 1,000 events and 5 MiB. See
/// `/v1/event-types` for the types and their JSON Schemas. A 202 means that every event counted as
/// `accepted` is durable and queued for the callback that wants it. An event is accepted once: posting
/// it again with the same id is answered with `duplicate` and delivers nothing new. A bad event is
/// refused alone, with its index, field and reason. Needs the scope `events:write`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/events",
    tag = "ingest",
    params(("account" = String, Path, description = "The account's id")),
    request_body(
        content = serde_json::Value,
        example = json!({
            "type": "call.ringing", "id": "evt-1042-r", "timestamp": "2026-01-31T08:14:55Z",
            "data": {"call_id": "call-1042", "direction": "inbound", "from": "+14155550132", "to": "+14155550199"},
        }),
    ),
    responses(
        (status = 202, description = "A result per event", body = IngestAnswer, example = json!({
            "accepted": 1, "duplicates": 0, "rejected": 0,
            "results": [{"index": 0, "status": "accepted", "id": "evt-1042-r",
                         "delivery": "dlv_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b"}],
        })),
        (status = 400, description = "The body cannot be read, or no event of it is right", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 413, description = "More than 1,000 events or 5 MiB", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 415, description = "Neither JSON nor NDJSON", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 503, description = "Nothing was lost: send it again", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
    request: Request,
) -> Result<IngestAnswer, Problem> {
    let config = app.account(&caller, Scope::EventsWrite, &account).await?;
    let kind = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(ContentKind::of)
        .ok_or_else(|| {
            Problem::new(Code::UnsupportedMediaType)
                .detail("This endpoint takes application/json and application/x-ndjson.")
        })?;
    let body = read_limited(request, MAX_BODY_BYTES).await?;
    let events = native::parse(kind, &body, &config.account.id, app.clock.now())
        .map_err(|error| batch_problem(&error))?;
    Ok(IngestAnswer::new(app.accept(&config, events).await?))
}
