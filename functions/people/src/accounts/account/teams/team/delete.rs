//! `DELETE /v1/accounts/{account}/teams/{team}`

use axum::extract::{Path, State};
use http::StatusCode;
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

/// Remove a team
///
/// Whoever is still in it hears none of its recordings any more. Needs the scope `people:write`.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{account}/teams/{team}",
    operation_id = "deleteTeam",
    tag = "people",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("team" = String, Path, description = "The team's id, `tea_…`"),
    ),
    responses(
        (status = 204, description = "Removed"),
        (status = 403, description = "The scope is missing, or the role is not above", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account or team", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, team)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let tenant = app
        .reach_account(&caller, Scope::PeopleWrite, &account)
        .await?;
    let account = &tenant.value.id;
    let team = app.team(account, &team).await?;
    app.delete_team(account, team, &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}
