//! `GET /v1/unsent-notices`

use axum::{Json, extract::State};
use ringfence_domain::access::{Owner, Scope};
use ringfence_http::{AppState, Authenticated, PageQuery, Problem, problem::ProblemBody};

use crate::unsent::{UnsentNoticesPage, page_of};

/// List notices to the operator's team that could not be sent
///
/// Mails and text messages to people of the operator's team that were given up in the last 90 days,
/// newest first: to whom and why, not what they said. Those to an agency's people it lists itself. Needs
/// the scope `people:read`.
#[utoipa::path(
    get,
    path = "/v1/unsent-notices",
    operation_id = "listUnsentNoticesOfOperators",
    tag = "notices",
    params(
        ("limit" = Option<u16>, Query, description = "1 to 100, 50 unless given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = UnsentNoticesPage, example = json!({"items": [{
            "id": "ntc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "kind": "invitation",
            "user": "usr_0193b3a0c5e87d3f8a4b6c7d8e9f0a1c", "attempts": 1,
            "reason": "the mail server answered 550",
            "created_at": "2026-01-31T08:15:04Z", "ended_at": "2026-01-31T08:15:05Z",
        }], "next_cursor": null})),
        (status = 400, description = "A parameter is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "The key is not the operator's", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    page: Result<PageQuery, Problem>,
) -> Result<Json<UnsentNoticesPage>, Problem> {
    app.platform(&caller, Scope::PeopleRead)?;
    page_of(&app, Owner::Platform, page?).await
}
