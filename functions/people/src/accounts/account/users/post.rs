//! `POST /v1/accounts/{account}/users`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, StrictJson, answer, problem::ProblemBody};
use serde_json::Value;

use crate::users::{AccountInvitation, UserBody, shown};

/// Invite a user to an account
///
/// A link by which the person sets its password goes to its mail address. Somebody of the same agency who logs
/// in with this address already gets the role besides; of such a person the account is told who it is, its status
/// and its role here, and nothing else. One can only grant roles below one's own; a key only roles
/// that may do no more than the key.
/// Needs the scope `people:write`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/users",
    operation_id = "inviteAccountUser",
    tag = "people",
    params(
        ("account" = String, Path, description = "The account's id"),
    ),
    request_body(content = AccountInvitation, example = json!({"email": "ada@example.com", "name": "Ada Quist", "role": "call_manager"})),
    responses(
        (status = 201, description = "The user", body = UserBody, example = json!({"id": "usr_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "email": "ada@example.com", "name": "Ada Quist", "profile": {}, "status": "invited", "grants": [{"on": "acc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "role": "call_manager", "teams": []}], "two_factor": {"app": false, "sms": false, "recovery_left": 0}, "notifications": {"billing": true}, "last_login_at": null, "last_login": "never", "created_at": "2026-01-31T08:15:04Z"})),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The scope is missing, or the role is not above", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "Somebody has this address, or is here already", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
    body: Result<StrictJson<Value>, Problem>,
) -> Result<Response, Problem> {
    let desk = app
        .people_of_account(&caller, Scope::PeopleWrite, &account)
        .await?;
    let user = app.invite_person(&desk, body?.0, &caller).await?;
    let shown = shown(&app, user.value).await?;
    let location = format!("/v1/accounts/{account}/users/{}", shown.id);
    Ok(answer::created(&location, user.version, &shown))
}
