//! `PATCH /v1/accounts/{account}/users/{user}`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::access::Scope;
use ringfence_http::{
    AppState, Authenticated, IfMatch, Problem, StrictJson, answer, problem::ProblemBody,
};
use serde_json::Value;

use crate::users::{AccountUserPatch, UserBody, shown};

/// Change a user of an account
///
/// A JSON Merge Patch (RFC 7396). Its role here, its access control group, teams and agent take effect with its
/// next request. Name and profile only of somebody who holds no role elsewhere.
/// Needs the scope `people:write`.
#[utoipa::path(
    patch,
    path = "/v1/accounts/{account}/users/{user}",
    operation_id = "updateAccountUser",
    tag = "people",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("user" = String, Path, description = "The user's id, `usr_…`"),
        ("If-Match" = String, Header, description = "The ETag that the change is meant for"),
    ),
    request_body(content = AccountUserPatch, content_type = "application/merge-patch+json", example = json!({"role": "report_manager"})),
    responses(
        (status = 200, description = "The user, with its new ETag", body = UserBody, example = json!({"id": "usr_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "email": "ada@example.com", "name": "Ada Quist", "profile": {}, "status": "active", "grants": [{"on": "acc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "role": "call_manager", "teams": []}], "two_factor": {"app": false, "sms": false, "recovery_left": 0}, "notifications": {"billing": true}, "last_login_at": "2026-01-31T05:15:04Z", "last_login": "3 hours ago", "created_at": "2026-01-31T08:15:04Z"})),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The scope is missing, or the role is not above", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account or user", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "The present state does not allow it; detail says why", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 412, description = "Somebody else changed it first", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn patch(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, user)): Path<(String, String)>,
    if_match: Result<IfMatch, Problem>,
    body: Result<StrictJson<Value>, Problem>,
) -> Result<Response, Problem> {
    let desk = app
        .people_of_account(&caller, Scope::PeopleWrite, &account)
        .await?;
    app.read_person(&desk, &user).await?;
    let IfMatch(version) = if_match?;
    let user = app
        .update_person(&desk, &user, version, body?.0, &caller)
        .await?;
    let shown = shown(&app, user.value).await?;
    Ok(answer::document(user.version, &shown))
}
