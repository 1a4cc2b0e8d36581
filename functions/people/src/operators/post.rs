//! `POST /v1/operators`

use axum::{extract::State, response::Response};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, StrictJson, answer, problem::ProblemBody};
use serde_json::Value;

use crate::users::{OperatorInvitation, UserBody, shown};

/// Invite somebody to the operator's team
///
/// A link by which the person sets its password goes to its mail address. It reaches an agency's data only while
/// that agency's support access is open. Only with the key of the platform itself.
/// Needs the scope `people:write`.
#[utoipa::path(
    post,
    path = "/v1/operators",
    operation_id = "inviteOperator",
    tag = "people",
    request_body(content = OperatorInvitation, example = json!({"email": "ada@example.com", "name": "Ada Quist"})),
    responses(
        (status = 201, description = "The user", body = UserBody, example = json!({"id": "usr_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "email": "ada@example.com", "name": "Ada Quist", "profile": {}, "status": "invited", "grants": [{"on": "platform", "role": "operator", "teams": []}], "two_factor": {"app": false, "sms": false, "recovery_left": 0}, "notifications": {"billing": true}, "last_login_at": null, "last_login": "never", "created_at": "2026-01-31T08:15:04Z"})),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The scope is missing, or the role is not above", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such resource", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "Somebody has this address, or is here already", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    body: Result<StrictJson<Value>, Problem>,
) -> Result<Response, Problem> {
    let desk = app.people_of_platform(&caller, Scope::PeopleWrite)?;
    let user = app.invite_person(&desk, body?.0, &caller).await?;
    let shown = shown(&app, user.value).await?;
    let location = format!("/v1/operators/{}", shown.id);
    Ok(answer::created(&location, user.version, &shown))
}
