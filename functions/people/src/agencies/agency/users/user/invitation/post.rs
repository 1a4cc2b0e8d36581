//! `POST /v1/agencies/{agency}/users/{user}/invitation`

use axum::extract::{Path, State};
use http::StatusCode;
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

/// Invite a user of an agency again
///
/// Sends a new link; the one before no longer works. Needs the scope `people:write`.
#[utoipa::path(
    post,
    path = "/v1/agencies/{agency}/users/{user}/invitation",
    operation_id = "reinviteAgencyUser",
    tag = "people",
    params(
        ("agency" = String, Path, description = "The agency's id"),
        ("user" = String, Path, description = "The user's id, `usr_…`"),
    ),
    responses(
        (status = 204, description = "It is on its way"),
        (status = 403, description = "The scope is missing, or the role is not above", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such agency or user", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "The invitation was followed already", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((agency, user)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let desk = app
        .people_of_agency(&caller, Scope::PeopleWrite, &agency)
        .await?;
    app.invite_again(&desk, &user, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
