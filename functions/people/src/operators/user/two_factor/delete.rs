//! `DELETE /v1/operators/{user}/two-factor`

use axum::extract::{Path, State};
use http::StatusCode;
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

/// Reset the second factor of one of the operator's team
///
/// For somebody who has lost it: app, number and recovery codes are gone, and all sessions end at once.
/// The password stays; where a second factor is required, a new one is set up at the next login. The
/// person is told by mail. Needs the scope `people:write` and a role strictly above; who is logged in
/// must have given its own second factor again (`POST /v1/session/confirm`) within ten minutes. Without
/// anything to reset, nothing changes.
#[utoipa::path(
    delete,
    path = "/v1/operators/{user}/two-factor",
    operation_id = "resetOperatorTwoFactor",
    tag = "people",
    params(
        ("user" = String, Path, description = "The user's id, `usr_…`"),
    ),
    responses(
        (status = 204, description = "Reset"),
        (status = 403, description = "The scope is missing, the role is not above, or your own second factor must be given again", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such resource or user", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "The present state does not allow it; detail says why", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(user): Path<String>,
) -> Result<StatusCode, Problem> {
    let desk = app.people_of_platform(&caller, Scope::PeopleWrite)?;
    app.reset_two_factor(&desk, &user, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
