//! `PATCH /v1/accounts/{account}/teams/{team}`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::access::Scope;
use ringfence_http::{
    AppState, Authenticated, IfMatch, Problem, StrictJson, answer, problem::ProblemBody,
};
use serde_json::Value;

use crate::teams::{TeamBody, TeamRequest};

/// Change a team
///
/// A JSON Merge Patch (RFC 7396). Takes effect with the next request of its members. Needs the scope `people:write`.
#[utoipa::path(
    patch,
    path = "/v1/accounts/{account}/teams/{team}",
    operation_id = "updateTeam",
    tag = "people",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("team" = String, Path, description = "The team's id, `tea_…`"),
        ("If-Match" = String, Header, description = "The ETag that the change is meant for"),
    ),
    request_body(content = TeamRequest, content_type = "application/merge-patch+json", example = json!({"recording_access_settings": {"voicemail_only": true}})),
    responses(
        (status = 200, description = "The team, with its new ETag", body = TeamBody, example = json!({"id": "tea_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "name": "Sales", "label": "sales", "recording_access_settings": {"status": "enabled", "voicemail_only": false, "password_protected": false}, "live_listening": "enabled"})),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The scope is missing, or the role is not above", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account or team", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 412, description = "Somebody else changed it first", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn patch(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, team)): Path<(String, String)>,
    if_match: Result<IfMatch, Problem>,
    body: Result<StrictJson<Value>, Problem>,
) -> Result<Response, Problem> {
    let tenant = app
        .reach_account(&caller, Scope::PeopleWrite, &account)
        .await?;
    let account = &tenant.value;
    let team = app.team(&account.id, &team).await?;
    let IfMatch(version) = if_match?;
    let team = app
        .update_team(account, team, version, body?.0, &caller.actor())
        .await?;
    Ok(answer::document(team.version, &team.value))
}
