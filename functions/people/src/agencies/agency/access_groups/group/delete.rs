//! `DELETE /v1/agencies/{agency}/access-groups/{group}`

use axum::extract::{Path, State};
use http::StatusCode;
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

/// Remove an access control group
///
/// Whoever still has it by its own grant or its team sees no activity until that names another. Needs the scope
/// `people:write`.
#[utoipa::path(
    delete,
    path = "/v1/agencies/{agency}/access-groups/{group}",
    operation_id = "deleteAccessGroup",
    tag = "people",
    params(
        ("agency" = String, Path, description = "The agency's id"),
        ("group" = String, Path, description = "The group's id, `grp_…`"),
    ),
    responses(
        (status = 204, description = "Removed"),
        (status = 403, description = "The scope is missing, or the role is not above", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such agency or group", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((agency, group)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let desk = app
        .people_of_agency(&caller, Scope::PeopleWrite, &agency)
        .await?;
    let agency = desk.owner.as_str();
    let group = app.access_group(agency, &group).await?;
    app.delete_access_group(agency, group, &caller.actor())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
