//! `GET /v1/accounts/{account}/teams`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::{access::Scope, id};
use ringfence_http::{
    AppState, Authenticated, PageQuery, Problem,
    answer::{Page, PageBody},
    problem::ProblemBody,
};

use crate::teams::TeamBody;

/// List the teams of an account
///
/// Oldest first. Needs the scope `people:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/teams",
    operation_id = "listTeams",
    tag = "people",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("limit" = Option<u16>, Query, description = "1 to 100, 50 unless given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = PageBody<TeamBody>, example = json!({"items": [{"id": "tea_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "name": "Sales", "label": "sales", "recording_access_settings": {"status": "enabled", "voicemail_only": false, "password_protected": false}, "live_listening": "enabled"}], "next_cursor": null})),
        (status = 400, description = "A parameter is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The scope is missing, or the role is not above", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
    page: Result<PageQuery, Problem>,
) -> Result<Response, Problem> {
    let tenant = app
        .reach_account(&caller, Scope::PeopleRead, &account)
        .await?;
    let account = &tenant.value.id;
    let page = Page::read(&page?, id::Kind::Team, &[account, "teams"])?;
    let found = app
        .teams(account, page.limit, page.after.as_deref())
        .await?;
    Ok(page.answer(found))
}
