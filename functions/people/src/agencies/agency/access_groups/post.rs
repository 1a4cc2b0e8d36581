//! `POST /v1/agencies/{agency}/access-groups`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, StrictJson, answer, problem::ProblemBody};
use serde_json::Value;

use crate::groups::{GroupBody, GroupRequest};

/// Make an access control group
///
/// Its rules filter activities by tracking number, source, call status and label: AND-ed, and a blank rule lets
/// everything through. Every column is hidden unless `columns` names it. A group narrows call agents, call managers
/// and report managers only. Needs the scope `people:write`.
#[utoipa::path(
    post,
    path = "/v1/agencies/{agency}/access-groups",
    operation_id = "createAccessGroup",
    tag = "people",
    params(
        ("agency" = String, Path, description = "The agency's id"),
    ),
    request_body(content = GroupRequest, example = json!({"name": "Sales only", "numbers": ["+4943112345"], "tags": ["sales"], "columns": ["from", "started_at", "duration"]})),
    responses(
        (status = 201, description = "The group", body = GroupBody, example = json!({"id": "grp_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "name": "Sales only", "numbers": ["+4943112345"], "sources": [], "statuses": [], "tags": ["sales"], "columns": ["from", "started_at", "duration"], "roles": []})),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The scope is missing, or the role is not above", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such agency", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "There are 100 already", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(agency): Path<String>,
    body: Result<StrictJson<Value>, Problem>,
) -> Result<Response, Problem> {
    let desk = app
        .people_of_agency(&caller, Scope::PeopleWrite, &agency)
        .await?;
    let group = app
        .create_access_group(desk.owner.as_str(), body?.0, &caller.actor())
        .await?;
    let location = format!("/v1/agencies/{agency}/access-groups/{}", group.value.id);
    Ok(answer::created(&location, group.version, &group.value))
}
