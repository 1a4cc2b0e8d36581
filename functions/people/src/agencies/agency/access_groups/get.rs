//! `GET /v1/agencies/{agency}/access-groups`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::access::Scope;
use ringfence_http::{
    AppState, Authenticated, Problem,
    answer::{self, PageBody},
    problem::ProblemBody,
};

use crate::groups::GroupBody;

/// List the access control groups of an agency
///
/// All of them, at most 100, oldest first. Needs the scope `people:read`.
#[utoipa::path(
    get,
    path = "/v1/agencies/{agency}/access-groups",
    operation_id = "listAccessGroups",
    tag = "people",
    params(
        ("agency" = String, Path, description = "The agency's id"),
    ),
    responses(
        (status = 200, description = "The groups", body = PageBody<GroupBody>, example = json!({"items": [{"id": "grp_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "name": "Sales only", "numbers": ["+4943112345"], "sources": [], "statuses": [], "tags": ["sales"], "columns": ["from", "started_at", "duration"], "roles": []}], "next_cursor": null})),
        (status = 403, description = "The scope is missing, or the role is not above", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such agency", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(agency): Path<String>,
) -> Result<Response, Problem> {
    let desk = app
        .people_of_agency(&caller, Scope::PeopleRead, &agency)
        .await?;
    let groups = app
        .access_groups(desk.owner.as_str())
        .await?
        .into_iter()
        .map(|group| group.value);
    Ok(answer::plain(&PageBody {
        items: groups.collect::<Vec<_>>(),
        next_cursor: None,
    }))
}
