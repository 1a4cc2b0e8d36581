//! `GET /v1/agencies/{agency}/unsent-notices`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::access::{Owner, Scope};
use ringfence_http::{AppState, Authenticated, PageQuery, Problem, problem::ProblemBody};

use crate::unsent::{UnsentNoticesPage, page_of};

/// List notices that could not be sent
///
/// Mails and text messages to people of the agency and its accounts that were given up in the last 90
/// days, newest first: to whom and why, not what they said. Needs the scope `people:read`.
#[utoipa::path(
    get,
    path = "/v1/agencies/{agency}/unsent-notices",
    tag = "notices",
    params(
        ("agency" = String, Path, description = "The agency's id"),
        ("limit" = Option<u16>, Query, description = "1 to 100, 50 unless given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = UnsentNoticesPage, example = json!({"items": [{
            "id": "ntc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "kind": "billing",
            "user": "usr_0193b3a0c5e87d3f8a4b6c7d8e9f0a1c", "attempts": 1,
            "reason": "the mail server answered 550",
            "created_at": "2026-01-31T08:15:04Z", "ended_at": "2026-01-31T08:15:05Z",
        }], "next_cursor": null})),
        (status = 400, description = "A parameter is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such agency", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(agency): Path<String>,
    page: Result<PageQuery, Problem>,
) -> Result<Json<UnsentNoticesPage>, Problem> {
    app.agency_tenant(&caller, Scope::PeopleRead, &agency)
        .await?;
    page_of(&app, Owner::Agency(agency), page?).await
}
