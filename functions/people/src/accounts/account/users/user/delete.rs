//! `DELETE /v1/accounts/{account}/users/{user}`

use axum::extract::{Path, State};
use http::StatusCode;
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

/// Remove a user of an account
///
/// Takes its role on this account away. Who then holds none anywhere is removed: it cannot log in, and its
/// address is free again. The last administrator cannot leave.
/// Needs the scope `people:write`.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{account}/users/{user}",
    operation_id = "removeAccountUser",
    tag = "people",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("user" = String, Path, description = "The user's id, `usr_…`"),
    ),
    responses(
        (status = 204, description = "Removed"),
        (status = 403, description = "The scope is missing, or the role is not above", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account or user", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "It is the last administrator", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, user)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let desk = app
        .people_of_account(&caller, Scope::PeopleWrite, &account)
        .await?;
    app.remove_person(&desk, &user, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
