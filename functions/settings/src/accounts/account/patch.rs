//! `PATCH /v1/accounts/{account}`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, IfMatch, Problem, StrictJson, problem::ProblemBody};
use serde_json::Value;

use crate::{
    answer,
    tenants::{AccountBody, AccountPatch},
};

/// Change an account
///
/// Its name, or the time zone that its days are in. A JSON Merge Patch (RFC 7396). Needs the scope
/// `settings:write`.
#[utoipa::path(
    patch,
    path = "/v1/accounts/{account}",
    operation_id = "updateAccount",
    tag = "settings",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("If-Match" = String, Header, description = "The ETag that the change is meant for"),
    ),
    request_body(content = AccountPatch, content_type = "application/merge-patch+json", example = json!({"name": "Harbour Taxis", "time_zone": "America/New_York"})),
    responses(
        (status = 200, description = "The account, with its new ETag", body = AccountBody, example = json!({"id": "acc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "agency": "agy_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "name": "Harbour Taxis", "time_zone": "America/New_York", "created_at": "2026-01-31T08:15:04Z"})),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 412, description = "Somebody else changed it first", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn patch(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
    if_match: Result<IfMatch, Problem>,
    body: Result<StrictJson<Value>, Problem>,
) -> Result<Response, Problem> {
    let account = app
        .reach_account(&caller, Scope::SettingsWrite, &account)
        .await?;
    let IfMatch(version) = if_match?;
    let account = app
        .update_account(account, version, body?.0, &caller.actor())
        .await?;
    Ok(answer::document(account.version, &account.value))
}
