//! `POST /v1/operators/{user}/invitation`

use axum::extract::{Path, State};
use http::StatusCode;
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

/// Invite one of the operator's team again
///
/// Sends a new link; the one before no longer works. Needs the scope `people:write`.
#[utoipa::path(
    post,
    path = "/v1/operators/{user}/invitation",
    operation_id = "reinviteOperator",
    tag = "people",
    params(
        ("user" = String, Path, description = "The user's id, `usr_…`"),
    ),
    responses(
        (status = 204, description = "It is on its way"),
        (status = 403, description = "The scope is missing, or the role is not above", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such resource or user", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "The invitation was followed already", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(user): Path<String>,
) -> Result<StatusCode, Problem> {
    let desk = app.people_of_platform(&caller, Scope::PeopleWrite)?;
    app.invite_again(&desk, &user, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
