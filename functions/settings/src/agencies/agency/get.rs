//! `GET /v1/agencies/{agency}`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

use crate::{answer, tenants::AgencyBody};

/// Read an agency
///
/// Its `ETag` is what a change must name. Needs the scope `settings:read`.
#[utoipa::path(
    get,
    path = "/v1/agencies/{agency}",
    operation_id = "getAgency",
    tag = "settings",
    params(
        ("agency" = String, Path, description = "The agency's id"),
    ),
    responses(
        (status = 200, description = "The agency, with its ETag", body = AgencyBody, example = json!({"id": "agy_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "name": "Northern Call Centres", "created_at": "2026-01-31T08:15:04Z"})),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such agency", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(agency): Path<String>,
) -> Result<Response, Problem> {
    let agency = app
        .reach_agency(&caller, Scope::SettingsRead, &agency)
        .await?;
    Ok(answer::document(agency.version, &agency.value))
}
