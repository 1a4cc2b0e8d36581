//! `GET /v1/accounts/{account}/teams/{team}`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, answer, problem::ProblemBody};

use crate::teams::TeamBody;

/// Read a team
///
/// With its `ETag`. Needs the scope `people:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/teams/{team}",
    operation_id = "readTeam",
    tag = "people",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("team" = String, Path, description = "The team's id, `tea_…`"),
    ),
    responses(
        (status = 200, description = "The team, with its ETag", body = TeamBody, example = json!({"id": "tea_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "name": "Sales", "label": "sales", "recording_access_settings": {"status": "enabled", "voicemail_only": false, "password_protected": false}, "live_listening": "enabled"})),
        (status = 403, description = "The scope is missing, or the role is not above", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account or team", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, team)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let tenant = app
        .reach_account(&caller, Scope::PeopleRead, &account)
        .await?;
    let team = app.team(&tenant.value.id, &team).await?;
    Ok(answer::document(team.version, &team.value))
}
