//! `DELETE /v1/agencies/{agency}/support-access`

use axum::extract::{Path, State};
use http::StatusCode;
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

/// Close support access
///
/// At once: the operator's team gets no further answer. Needs the scope `people:write`.
#[utoipa::path(
    delete,
    path = "/v1/agencies/{agency}/support-access",
    operation_id = "closeSupportAccess",
    tag = "people",
    params(
        ("agency" = String, Path, description = "The agency's id"),
    ),
    responses(
        (status = 204, description = "It is closed"),
        (status = 403, description = "The scope is missing, or the role is not above", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such agency", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(agency): Path<String>,
) -> Result<StatusCode, Problem> {
    let desk = app
        .people_of_agency(&caller, Scope::PeopleWrite, &agency)
        .await?;
    app.close_support(desk.owner.as_str(), &caller.actor())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
