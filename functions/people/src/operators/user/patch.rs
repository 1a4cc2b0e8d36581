//! `PATCH /v1/operators/{user}`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::access::Scope;
use ringfence_http::{
    AppState, Authenticated, IfMatch, Problem, StrictJson, answer, problem::ProblemBody,
};
use serde_json::Value;

use crate::users::{OperatorPatch, UserBody, shown};

/// Change one of the operator's team
///
/// A JSON Merge Patch (RFC 7396).
/// Needs the scope `people:write`.
#[utoipa::path(
    patch,
    path = "/v1/operators/{user}",
    operation_id = "updateOperator",
    tag = "people",
    params(
        ("user" = String, Path, description = "The user's id, `usr_…`"),
        ("If-Match" = String, Header, description = "The ETag that the change is meant for"),
    ),
    request_body(content = OperatorPatch, content_type = "application/merge-patch+json", example = json!({"name": "Ada Quist"})),
    responses(
        (status = 200, description = "The user, with its new ETag", body = UserBody, example = json!({"id": "usr_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "email": "ada@example.com", "name": "Ada Quist", "profile": {}, "status": "active", "grants": [{"on": "platform", "role": "operator", "teams": []}], "two_factor": {"app": false, "sms": false, "recovery_left": 0}, "notifications": {"billing": true}, "last_login_at": "2026-01-31T05:15:04Z", "last_login": "3 hours ago", "created_at": "2026-01-31T08:15:04Z"})),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The scope is missing, or the role is not above", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such resource or user", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "The present state does not allow it; detail says why", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 412, description = "Somebody else changed it first", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn patch(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(user): Path<String>,
    if_match: Result<IfMatch, Problem>,
    body: Result<StrictJson<Value>, Problem>,
) -> Result<Response, Problem> {
    let desk = app.people_of_platform(&caller, Scope::PeopleWrite)?;
    app.read_person(&desk, &user).await?;
    let IfMatch(version) = if_match?;
    let user = app
        .update_person(&desk, &user, version, body?.0, &caller)
        .await?;
    let shown = shown(&app, user.value).await?;
    Ok(answer::document(user.version, &shown))
}
