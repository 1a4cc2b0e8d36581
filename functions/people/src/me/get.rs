//! `GET /v1/me`

use axum::{extract::State, response::Response};
use ringfence_http::{AppState, Authenticated, Code, Problem, answer, problem::ProblemBody};

use super::{MeBody, itself};

/// Read one's own profile
///
/// Who is logged in, which roles it holds where, and what they allow. For people: an API key has no profile.
#[utoipa::path(
    get,
    path = "/v1/me",
    operation_id = "readMe",
    tag = "people",
    responses(
        (status = 200, description = "Oneself, with the ETag", body = MeBody, example = json!({"id": "usr_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "email": "ada@example.com", "name": "Ada Quist", "profile": {}, "status": "active", "grants": [{"on": "acc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "role": "call_manager", "teams": []}], "two_factor": {"app": false, "sms": false, "recovery_left": 0}, "notifications": {"billing": true}, "last_login_at": "2026-01-31T05:15:04Z", "last_login": "3 hours ago", "created_at": "2026-01-31T08:15:04Z", "reach": [{"on": "acc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "name": "Harbour Taxis", "role": "call_manager", "scopes": ["calls:read", "recordings:read"]}]})),
        (status = 403, description = "An API key asks", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
) -> Result<Response, Problem> {
    let person = itself(&caller)?;
    let user = app
        .user(&person.user.id)
        .await?
        .ok_or(Problem::new(Code::Unauthenticated))?;
    let me = MeBody::of(&app, user.value).await?;
    Ok(answer::document(user.version, &me))
}
