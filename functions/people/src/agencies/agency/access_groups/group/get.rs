//! `GET /v1/agencies/{agency}/access-groups/{group}`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, answer, problem::ProblemBody};

use crate::groups::GroupBody;

/// Read an access control group
///
/// With its `ETag`. Needs the scope `people:read`.
#[utoipa::path(
    get,
    path = "/v1/agencies/{agency}/access-groups/{group}",
    operation_id = "readAccessGroup",
    tag = "people",
    params(
        ("agency" = String, Path, description = "The agency's id"),
        ("group" = String, Path, description = "The group's id, `grp_…`"),
    ),
    responses(
        (status = 200, description = "The group, with its ETag", body = GroupBody, example = json!({"id": "grp_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "name": "Sales only", "numbers": ["+4943112345"], "sources": [], "statuses": [], "tags": ["sales"], "columns": ["from", "started_at", "duration"], "roles": []})),
        (status = 403, description = "The scope is missing, or the role is not above", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such agency or group", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((agency, group)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let desk = app
        .people_of_agency(&caller, Scope::PeopleRead, &agency)
        .await?;
    let group = app.access_group(desk.owner.as_str(), &group).await?;
    Ok(answer::document(group.version, &group.value))
}
