//! `PATCH /v1/me`

use axum::{extract::State, response::Response};
use ringfence_http::{
    AppState, Authenticated, IfMatch, Problem, StrictJson, answer, problem::ProblemBody,
};
use serde_json::Value;

use super::{MeBody, itself};
use crate::users::MePatch;

/// Change one's own profile
///
/// A JSON Merge Patch (RFC 7396) of name, contact data and what one wants to hear. Only an agency administrator can opt
/// out of billing notices.
#[utoipa::path(
    patch,
    path = "/v1/me",
    operation_id = "updateMe",
    tag = "people",
    params(
        ("If-Match" = String, Header, description = "The ETag that the change is meant for"),
    ),
    request_body(content = MePatch, content_type = "application/merge-patch+json", example = json!({"profile": {"phone": "+4943112345", "time_zone": "Europe/Berlin"}})),
    responses(
        (status = 200, description = "Oneself, with the new ETag", body = MeBody, example = json!({"id": "usr_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "email": "ada@example.com", "name": "Ada Quist", "profile": {}, "status": "active", "grants": [{"on": "acc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "role": "call_manager", "teams": []}], "two_factor": {"app": false, "sms": false, "recovery_left": 0}, "notifications": {"billing": true}, "last_login_at": "2026-01-31T05:15:04Z", "last_login": "3 hours ago", "created_at": "2026-01-31T08:15:04Z", "reach": [{"on": "acc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "name": "Harbour Taxis", "role": "call_manager", "scopes": ["calls:read", "recordings:read"]}]})),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "An API key asks", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 412, description = "Somebody else changed it first", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn patch(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    if_match: Result<IfMatch, Problem>,
    body: Result<StrictJson<Value>, Problem>,
) -> Result<Response, Problem> {
    let person = itself(&caller)?;
    let IfMatch(version) = if_match?;
    let user = app.update_me(person, version, body?.0, &caller).await?;
    let me = MeBody::of(&app, user.value).await?;
    Ok(answer::document(user.version, &me))
}
