//! `GET /v1/operators/{user}`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, answer, problem::ProblemBody};

use crate::users::{UserBody, shown};

/// Read one of the operator's team
///
/// With its `ETag`, and when it last logged in. Needs the scope `people:read`.
#[utoipa::path(
    get,
    path = "/v1/operators/{user}",
    operation_id = "readOperator",
    tag = "people",
    params(
        ("user" = String, Path, description = "The user's id, `usr_…`"),
    ),
    responses(
        (status = 200, description = "The user, with its ETag", body = UserBody, example = json!({"id": "usr_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "email": "ada@example.com", "name": "Ada Quist", "profile": {}, "status": "active", "grants": [{"on": "platform", "role": "operator", "teams": []}], "two_factor": {"app": false, "sms": false, "recovery_left": 0}, "notifications": {"billing": true}, "last_login_at": "2026-01-31T05:15:04Z", "last_login": "3 hours ago", "created_at": "2026-01-31T08:15:04Z"})),
        (status = 403, description = "The scope is missing, or the role is not above", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such resource or user", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(user): Path<String>,
) -> Result<Response, Problem> {
    let desk = app.people_of_platform(&caller, Scope::PeopleRead)?;
    let found = app.read_person(&desk, &user).await?;
    let shown = shown(&app, found.value).await?;
    Ok(answer::document(found.version, &shown))
}
