//! `DELETE /v1/operators/{user}`

use axum::extract::{Path, State};
use http::StatusCode;
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

/// Remove one of the operator's team
///
/// It cannot log in any more, and its address is free again. The last operator cannot leave.
/// Needs the scope `people:write`.
#[utoipa::path(
    delete,
    path = "/v1/operators/{user}",
    operation_id = "removeOperator",
    tag = "people",
    params(
        ("user" = String, Path, description = "The user's id, `usr_…`"),
    ),
    responses(
        (status = 204, description = "Removed"),
        (status = 403, description = "The scope is missing, or the role is not above", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such resource or user", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "It is the last administrator", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(user): Path<String>,
) -> Result<StatusCode, Problem> {
    let desk = app.people_of_platform(&caller, Scope::PeopleWrite)?;
    app.remove_person(&desk, &user, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
