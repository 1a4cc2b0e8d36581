//! `PATCH /v1/agencies/{agency}/access-groups/{group}`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::access::Scope;
use ringfence_http::{
    AppState, Authenticated, IfMatch, Problem, StrictJson, answer, problem::ProblemBody,
};
use serde_json::Value;

use crate::groups::{GroupBody, GroupRequest};

/// Change an access control group
///
/// A JSON Merge Patch (RFC 7396); lists are replaced whole. Takes effect with the next request of whomever it narrows.
/// Needs the scope `people:write`.
#[utoipa::path(
    patch,
    path = "/v1/agencies/{agency}/access-groups/{group}",
    operation_id = "updateAccessGroup",
    tag = "people",
    params(
        ("agency" = String, Path, description = "The agency's id"),
        ("group" = String, Path, description = "The group's id, `grp_…`"),
        ("If-Match" = String, Header, description = "The ETag that the change is meant for"),
    ),
    request_body(content = GroupRequest, content_type = "application/merge-patch+json", example = json!({"columns": ["from", "to", "started_at"]})),
    responses(
        (status = 200, description = "The group, with its new ETag", body = GroupBody, example = json!({"id": "grp_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "name": "Sales only", "numbers": ["+4943112345"], "sources": [], "statuses": [], "tags": ["sales"], "columns": ["from", "started_at", "duration"], "roles": []})),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The scope is missing, or the role is not above", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such agency or group", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 412, description = "Somebody else changed it first", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn patch(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((agency, group)): Path<(String, String)>,
    if_match: Result<IfMatch, Problem>,
    body: Result<StrictJson<Value>, Problem>,
) -> Result<Response, Problem> {
    let desk = app
        .people_of_agency(&caller, Scope::PeopleWrite, &agency)
        .await?;
    let agency = desk.owner.as_str();
    let group = app.access_group(agency, &group).await?;
    let IfMatch(version) = if_match?;
    let group = app
        .update_access_group(agency, group, version, body?.0, &caller.actor())
        .await?;
    Ok(answer::document(group.version, &group.value))
}
