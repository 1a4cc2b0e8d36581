//! `PUT /v1/agencies/{agency}/settings/callbacks`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::{access::Scope, settings::Edit};
use ringfence_http::{
    AppState, Authenticated, IfMatch, Problem, StrictJson, StrictQuery, problem::ProblemBody,
};
use serde_json::Value;

use crate::documents::{self, CallbacksDocument, SavedCallbacks, VerifyQuery};

/// Replace the callback settings of an agency
///
/// The whole document: what it leaves out is not set. Every new URL is checked. A callback that
/// gets its first URL gets a signing secret, which is in this answer under `secrets` and never
/// shown again. A header value of `***` keeps the stored one. A challenge (`verify`) is a signed
/// event of type `ringfence.challenge`; the receiver answers 2xx with a JSON object that has the
/// same `challenge` as `data`. Needs the scope `settings:write`.
#[utoipa::path(
    put,
    path = "/v1/agencies/{agency}/settings/callbacks",
    operation_id = "replaceAgencyCallbacks",
    tag = "settings",
    params(
        ("agency" = String, Path, description = "The agency's id"),
        ("verify" = Option<bool>, Query, description = "true: each URL that is new must answer a challenge first"),
        ("If-Match" = String, Header, description = "The ETag that the change is meant for"),
    ),
    request_body(content = CallbacksDocument, example = json!({"cdr": {"url": "https://hooks.example.com/cdr", "headers": {"authorization": "Bearer of-the-receiver"}, "events": ["cdr.created"], "timeout_seconds": 10}})),
    responses(
        (status = 200, description = "The document, with its new ETag", body = SavedCallbacks, example = json!({"cdr": {"url": "https://hooks.example.com/cdr", "headers": {"authorization": "***"}, "events": ["cdr.created"], "timeout_seconds": 10}, "secrets": {"cdr": {"id": "sec_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "type": "hmac", "created_at": "2026-01-31T08:15:04Z", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}})),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such agency", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 412, description = "Somebody else changed it first", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 422, description = "The endpoint did not answer the challenge", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn put(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(agency): Path<String>,
    query: Result<StrictQuery<VerifyQuery>, Problem>,
    if_match: Result<IfMatch, Problem>,
    body: Result<StrictJson<Value>, Problem>,
) -> Result<Response, Problem> {
    let tenant = app
        .agency_tenant(&caller, Scope::SettingsWrite, &agency)
        .await?;
    let StrictQuery(VerifyQuery { verify }) = query?;
    let IfMatch(version) = if_match?;
    let edit = Edit::Put(body?.0);
    let saved = app
        .save_callbacks(&tenant, version, edit, verify, &caller.actor())
        .await?;
    Ok(documents::saved_callbacks(saved))
}
