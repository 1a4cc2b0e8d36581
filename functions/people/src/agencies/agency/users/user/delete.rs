//! `DELETE /v1/agencies/{agency}/users/{user}`

use axum::extract::{Path, State};
use http::StatusCode;
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

/// Remove a user of an agency
///
/// It holds no role any more, cannot log in, and its address is free again. The last administrator cannot leave.
/// Needs the scope `people:write`.
#[utoipa::path(
    delete,
    path = "/v1/agencies/{agency}/users/{user}",
    operation_id = "removeAgencyUser",
    tag = "people",
    params(
        ("agency" = String, Path, description = "The agency's id"),
        ("user" = String, Path, description = "The user's id, `usr_…`"),
    ),
    responses(
        (status = 204, description = "Removed"),
        (status = 403, description = "The scope is missing, or the role is not above", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such agency or user", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "It is the last administrator", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((agency, user)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let desk = app
        .people_of_agency(&caller, Scope::PeopleWrite, &agency)
        .await?;
    app.remove_person(&desk, &user, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
