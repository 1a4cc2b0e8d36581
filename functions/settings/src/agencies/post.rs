//! `POST /v1/agencies`

use axum::{extract::State, response::Response};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, StrictJson, problem::ProblemBody};

use crate::{
    answer,
    tenants::{AgencyBody, NameRequest},
};

/// Make an agency
///
/// An agency owns accounts and sets their defaults. Only for the platform's operator, with the
/// scope `admin`.
#[utoipa::path(
    post,
    path = "/v1/agencies",
    operation_id = "createAgency",
    tag = "settings",
    params(
    ),
    request_body(content = NameRequest, example = json!({"name": "Northern Call Centres"})),
    responses(
        (status = 201, description = "The agency", body = AgencyBody, example = json!({"id": "agy_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "name": "Northern Call Centres", "created_at": "2026-01-31T08:15:04Z"})),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such resource", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    body: Result<StrictJson<NameRequest>, Problem>,
) -> Result<Response, Problem> {
    app.platform(&caller, Scope::Admin)?;
    let StrictJson(request) = body?;
    let agency = app.create_agency(&request.name, &caller.actor()).await?;
    Ok(answer::created(
        &format!("/v1/agencies/{}", agency.value.id),
        agency.version,
        &agency.value,
    ))
}
