//! `GET /v1/agencies`

use axum::{extract::State, response::Response};
use ringfence_domain::{access::Scope, id};
use ringfence_http::{AppState, Authenticated, PageQuery, Problem, problem::ProblemBody};

use crate::{
    answer::{Page, PageBody},
    tenants::AgencyBody,
};

/// List the agencies
///
/// In the order of their making. Only for the platform's operator, with the scope `settings:read`.
#[utoipa::path(
    get,
    path = "/v1/agencies",
    operation_id = "listAgencies",
    tag = "settings",
    params(
        ("limit" = Option<u16>, Query, description = "1 to 100, 50 unless given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = PageBody<AgencyBody>, example = json!({"items": [{"id": "agy_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "name": "Northern Call Centres", "created_at": "2026-01-31T08:15:04Z"}], "next_cursor": null})),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such resource", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    page: Result<PageQuery, Problem>,
) -> Result<Response, Problem> {
    app.platform(&caller, Scope::SettingsRead)?;
    let page = Page::read(&page?, id::Kind::Agency, &["agencies"])?;
    let listed = app.agencies(page.limit, page.after.as_deref()).await?;
    Ok(page.answer(listed))
}
