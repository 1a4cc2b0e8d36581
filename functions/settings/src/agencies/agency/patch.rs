//! `PATCH /v1/agencies/{agency}`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, IfMatch, Problem, StrictJson, problem::ProblemBody};
use serde_json::Value;

use crate::{
    answer,
    tenants::{AgencyBody, NameRequest},
};

/// Rename an agency
///
/// A JSON Merge Patch (RFC 7396). Needs the scope `settings:write`.
#[utoipa::path(
    patch,
    path = "/v1/agencies/{agency}",
    operation_id = "updateAgency",
    tag = "settings",
    params(
        ("agency" = String, Path, description = "The agency's id"),
        ("If-Match" = String, Header, description = "The ETag that the change is meant for"),
    ),
    request_body(content = NameRequest, content_type = "application/merge-patch+json", example = json!({"name": "Northern Call Centres"})),
    responses(
        (status = 200, description = "The agency, with its new ETag", body = AgencyBody, example = json!({"id": "agy_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "name": "Northern Call Centres", "created_at": "2026-01-31T08:15:04Z"})),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such agency", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 412, description = "Somebody else changed it first", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn patch(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(agency): Path<String>,
    if_match: Result<IfMatch, Problem>,
    body: Result<StrictJson<Value>, Problem>,
) -> Result<Response, Problem> {
    let agency = app
        .reach_agency(&caller, Scope::SettingsWrite, &agency)
        .await?;
    let IfMatch(version) = if_match?;
    let agency = app
        .update_agency(agency, version, body?.0, &caller.actor())
        .await?;
    Ok(answer::document(agency.version, &agency.value))
}
