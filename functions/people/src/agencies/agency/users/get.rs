//! `GET /v1/agencies/{agency}/users`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::{access::Scope, id, settings::Listed};
use ringfence_http::{
    AppState, Authenticated, Problem, StrictQuery,
    answer::{Page, PageBody},
    problem::ProblemBody,
};

use crate::users::{Search, UserBody, shown_all};

/// List the users of an agency
///
/// The people of the agency and of all of its accounts, in the order of their coming, with when each last logged in.
/// Those who were removed only with `status=removed`. A page may hold fewer than `limit` although there
/// is a `next_cursor`. Needs the scope `people:read`.
#[utoipa::path(
    get,
    path = "/v1/agencies/{agency}/users",
    operation_id = "listAgencyUsers",
    tag = "people",
    params(
        ("agency" = String, Path, description = "The agency's id"),
        ("status" = Option<String>, Query, description = "invited, active, suspended or removed"),
        ("limit" = Option<u16>, Query, description = "1 to 100, 50 unless given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = PageBody<UserBody>, example = json!({"items": [{"id": "usr_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "email": "ada@example.com", "name": "Ada Quist", "profile": {}, "status": "active", "grants": [{"on": "agy_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "role": "agency_billing_manager", "teams": []}], "two_factor": {"app": false, "sms": false, "recovery_left": 0}, "notifications": {"billing": true}, "last_login_at": "2026-01-31T05:15:04Z", "last_login": "3 hours ago", "created_at": "2026-01-31T08:15:04Z"}], "next_cursor": null})),
        (status = 400, description = "A parameter is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The scope is missing, or the role is not above", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such agency", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(agency): Path<String>,
    search: Result<StrictQuery<Search>, Problem>,
) -> Result<Response, Problem> {
    let desk = app
        .people_of_agency(&caller, Scope::PeopleRead, &agency)
        .await?;
    let (status, name, query) = search?.0.read()?;
    let page = Page::read(
        &query,
        id::Kind::User,
        &[desk.owner.as_str(), "users", name],
    )?;
    let found = app
        .list_people(&desk, status, page.limit, page.after.as_deref())
        .await?;
    let items = shown_all(&app, found.items).await?;
    Ok(page.answer(Listed {
        items,
        next: found.next,
    }))
}
