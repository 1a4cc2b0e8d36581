//! `POST /v1/accounts/{account}/ingest/freeswitch`

use axum::extract::{Path, Request, State};
use ringfence_domain::{access::Scope, event::source::Platform};
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

use super::{accept, read};
use crate::answer::IngestAnswer;

/// Post a `FreeSWITCH` call detail record
///
/// What `mod_json_cdr` posts, with `encode` `true`, `false` or `base64`, and `callflow` an object (older
/// versions) or a list. Set `url` to this address and `cred` to `key:` followed by the API key. Fields
/// that have no place in our terms are kept under `data.source`. Needs the scope `events:write`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/ingest/freeswitch",
    tag = "ingest",
    params(("account" = String, Path, description = "The account's id"), ("uuid" = Option<String>, Query, description = "As mod_json_cdr adds it")),
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
    accept(&app, &config, Platform::FreeSwitch, &parts, &body).await
}
