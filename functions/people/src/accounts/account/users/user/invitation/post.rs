//! `POST /v1/accounts/{account}/users/{user}/invitation`

use axum::extract::{Path, State};
use http::StatusCode;
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

/// Invite a user of an account again
///
/// Sends a new link; the one before no longer works. Needs the scope `people:write`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/users/{user}/invitation",
    operation_id = "reinviteAccountUser",
    tag = "people",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("user" = String, Path, description = "The user's id, `usr_…`"),
    ),
    responses(
        (status = 204, description = "It is on its way"),
        (status = 403, description = "The scope is missing, or the role is not above", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account or user", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "The invitation was followed already", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, user)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let desk = app
        .people_of_account(&caller, Scope::PeopleWrite, &account)
        .await?;
    app.invite_again(&desk, &user, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
