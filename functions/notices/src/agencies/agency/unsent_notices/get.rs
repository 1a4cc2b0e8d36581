//! `GET /v1/agencies/{agency}/unsent-notices`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::{
    access::{Owner, Scope},
    notification,
};
use ringfence_http::{AppState, Authenticated, PageQuery, Problem, cursor, problem::ProblemBody};
use serde::Serialize;
use utoipa::ToSchema;

/// A page, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct UnsentNoticesPage {
    /// The notices.
    #[schema(value_type = Vec<UnsentNoticeBody>)]
    items: Vec<notification::UnsentNotice>,
    /// The `cursor` of the next page; null: there is no more.
    next_cursor: Option<String>,
}

/// A notice that was given up.
#[derive(ToSchema)]
#[schema(as = UnsentNotice)]
#[expect(
    dead_code,
    reason = "describes ringfence_domain::notification::UnsentNotice, which is what is sent"
)]
pub(crate) struct UnsentNoticeBody {
    /// `ntc_…`
    id: String,
    /// Of what kind it was: invitation, `password_reset`, billing …
    kind: String,
    /// To whom: `usr_…`; null: to a phone.
    user: Option<String>,
    /// How often it was tried.
    attempts: u32,
    /// Why it was given up.
    reason: String,
    /// When it was ordered.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was given up.
    #[schema(format = DateTime)]
    ended_at: String,
}

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
    let page = page?;
    let scope = [agency.as_str(), "unsent-notices"];
    let after = page
        .cursor
        .as_deref()
        .map(|cursor| cursor::decode(&scope, cursor))
        .transpose()?;
    let home = Owner::Agency(agency.clone());
    let (items, next) = app.unsent_notices(&home, page.limit, after).await?;
    let next_cursor = next.map(|next| cursor::encode(&scope, &next));
    Ok(Json(UnsentNoticesPage { items, next_cursor }))
}
