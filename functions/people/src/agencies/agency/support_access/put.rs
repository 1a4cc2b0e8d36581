//! `PUT /v1/agencies/{agency}/support-access`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, StrictJson, answer, problem::ProblemBody};

use crate::support::{SupportBody, SupportRequest};

/// Open support access
///
/// Lets the operator's team into the agency and its accounts for so many hours from now on: to read, and to test,
/// pause, resume, resend and replay callbacks. It changes no settings, secrets, recordings or people and makes no keys or links.
/// Each use stands in the agency's history. Only for the agency's own administrators and keys: the operator does not let itself in. Needs the
/// scope `people:write`.
#[utoipa::path(
    put,
    path = "/v1/agencies/{agency}/support-access",
    operation_id = "openSupportAccess",
    tag = "people",
    params(
        ("agency" = String, Path, description = "The agency's id"),
    ),
    request_body(content = SupportRequest, example = json!({"hours": 4, "reason": "Callbacks do not arrive"})),
    responses(
        (status = 200, description = "It is open", body = SupportBody, example = json!({"open": true, "opened_by": "usr_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "opened_at": "2026-01-31T08:15:04Z", "ends_at": "2026-01-31T12:15:04Z", "reason": "Callbacks do not arrive"})),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The scope is missing, or the role is not above", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such agency", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn put(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(agency): Path<String>,
    body: Result<StrictJson<SupportRequest>, Problem>,
) -> Result<Response, Problem> {
    let desk = app
        .people_of_agency(&caller, Scope::PeopleWrite, &agency)
        .await?;
    let SupportRequest { hours, reason } = body?.0;
    let support = app
        .open_support(&caller, desk.owner.as_str(), hours, reason)
        .await?;
    Ok(answer::plain(&SupportBody::from(Some(support))))
}
