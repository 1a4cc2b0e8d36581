//! `POST /v1/accounts/{account}/teams`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, StrictJson, answer, problem::ProblemBody};
use serde_json::Value;

use crate::teams::{TeamBody, TeamRequest};

/// Make a team
///
/// A person in teams hears recordings of these teams only: those registered with the id or the label of one. Needs
/// the scope `people:write`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/teams",
    operation_id = "createTeam",
    tag = "people",
    params(
        ("account" = String, Path, description = "The account's id"),
    ),
    request_body(content = TeamRequest, example = json!({"name": "Sales", "label": "sales"})),
    responses(
        (status = 201, description = "The team", body = TeamBody, example = json!({"id": "tea_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "name": "Sales", "label": "sales", "recording_access_settings": {"status": "enabled", "voicemail_only": false, "password_protected": false}, "live_listening": "enabled"})),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The scope is missing, or the role is not above", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
    body: Result<StrictJson<Value>, Problem>,
) -> Result<Response, Problem> {
    let tenant = app
        .reach_account(&caller, Scope::PeopleWrite, &account)
        .await?;
    let team = app
        .create_team(&tenant.value, body?.0, &caller.actor())
        .await?;
    let location = format!("/v1/accounts/{account}/teams/{}", team.value.id);
    Ok(answer::created(&location, team.version, &team.value))
}
