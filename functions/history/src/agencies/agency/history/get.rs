//! `GET /v1/agencies/{agency}/history`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, PageQuery, Problem, problem::ProblemBody};

use crate::page::{HistoryPage, page_of};

/// Read the change history of an agency
///
/// Every change of the agency itself, its settings, signing secrets and API keys, newest first. Each
/// entry has the hash of the one before. Secrets and header values stand there as commitments: they
/// tell that a value changed, and nothing of the value. Needs the scope `history:read`.
#[utoipa::path(
    get,
    path = "/v1/agencies/{agency}/history",
    operation_id = "listAgencyHistory",
    tag = "history",
    params(
        ("agency" = String, Path, description = "The agency's id"),
        ("limit" = Option<u16>, Query, description = "1 to 100, 50 unless given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = HistoryPage, example = json!({"items": [{
            "seq": 1, "at": "2026-01-31T08:15:04Z", "actor": "key_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b",
            "item": "settings/security", "action": "create", "before": null,
            "after": {"phone_number_masking": {"console": true}},
            "previous": "0000000000000000000000000000000000000000000000000000000000000000",
            "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
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
) -> Result<Response, Problem> {
    let tenant = app
        .agency_tenant(&caller, Scope::HistoryRead, &agency)
        .await?;
    page_of(&app, tenant.id(), page?).await
}
