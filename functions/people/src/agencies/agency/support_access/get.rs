//! `GET /v1/agencies/{agency}/support-access`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, answer, problem::ProblemBody};

use crate::support::SupportBody;

/// Read whether support access is open
///
/// Whether the operator's team may come in, and until when. Needs the scope `people:read`.
#[utoipa::path(
    get,
    path = "/v1/agencies/{agency}/support-access",
    operation_id = "readSupportAccess",
    tag = "people",
    params(
        ("agency" = String, Path, description = "The agency's id"),
    ),
    responses(
        (status = 200, description = "Open, or not", body = SupportBody, example = json!({"open": true, "opened_by": "usr_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "opened_at": "2026-01-31T08:15:04Z", "ends_at": "2026-01-31T12:15:04Z", "reason": "Callbacks do not arrive"})),
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
    let support = app.support_access(desk.owner.as_str()).await?;
    Ok(answer::plain(&SupportBody::from(support)))
}
