//! `GET /v1/agencies/{agency}/api-keys`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::{access::Scope, id};
use ringfence_http::{AppState, Authenticated, PageQuery, Problem, problem::ProblemBody};

use crate::{
    answer::{Page, PageBody},
    keys::KeyBody,
};

/// List the API keys of an agency
///
/// In the order of their making. Never a key itself. Needs the scope `admin`.
#[utoipa::path(
    get,
    path = "/v1/agencies/{agency}/api-keys",
    operation_id = "listAgencyApiKeys",
    tag = "settings",
    params(
        ("agency" = String, Path, description = "The agency's id"),
        ("limit" = Option<u16>, Query, description = "1 to 100, 50 unless given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = PageBody<KeyBody>, example = json!({"items": [{"id": "key_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "owner": "agy_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "name": "Reporting", "scopes": ["settings:read"], "hint": "rfk_9vXq", "created_at": "2026-01-31T08:15:04Z"}], "next_cursor": null})),
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
    let tenant = app.agency_tenant(&caller, Scope::Admin, &agency).await?;
    let page = Page::read(&page?, id::Kind::ApiKey, &[tenant.id(), "api-keys"])?;
    let listed = app
        .list_api_keys(&tenant, page.limit, page.after.as_deref())
        .await?;
    Ok(page.answer(listed))
}
