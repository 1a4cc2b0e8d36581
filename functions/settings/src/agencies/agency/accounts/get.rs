//! `GET /v1/agencies/{agency}/accounts`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::{access::Scope, id};
use ringfence_http::{AppState, Authenticated, PageQuery, Problem, problem::ProblemBody};

use crate::{
    answer::{Page, PageBody},
    tenants::AccountBody,
};

/// List the accounts of an agency
///
/// In the order of their making. Needs the scope `settings:read`.
#[utoipa::path(
    get,
    path = "/v1/agencies/{agency}/accounts",
    operation_id = "listAccounts",
    tag = "settings",
    params(
        ("agency" = String, Path, description = "The agency's id"),
        ("limit" = Option<u16>, Query, description = "1 to 100, 50 unless given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = PageBody<AccountBody>, example = json!({"items": [{"id": "acc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "agency": "agy_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "name": "Harbour Taxis", "created_at": "2026-01-31T08:15:04Z"}], "next_cursor": null})),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such agency", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(agency): Path<String>,
    page: Result<PageQuery, Problem>,
) -> Result<Response, Problem> {
    let agency = app
        .reach_agency(&caller, Scope::SettingsRead, &agency)
        .await?
        .value;
    let page = Page::read(&page?, id::Kind::Account, &[&agency.id, "accounts"])?;
    let listed = app
        .accounts_of(&agency.id, page.limit, page.after.as_deref())
        .await?;
    Ok(page.answer(listed))
}
