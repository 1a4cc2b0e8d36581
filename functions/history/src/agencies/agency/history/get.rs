//! `GET /v1/agencies/{agency}/history`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, StrictQuery, problem::ProblemBody};

use crate::{
    owner,
    page::{HistoryPage, HistoryQuery, page_of},
};

/// Read the change history of an agency
///
/// Every change of the agency itself, its settings, signing secrets, API keys and people, newest first. Each entry says in `changes` which fields changed, and has the hash
/// of the one before. Secrets and header values stand there as commitments: they tell that a value
/// changed, and nothing of the value. So do personal values, with the value beside the commitment, or
/// `redacted` where it was erased. Filters are AND-ed; a page may be shorter than `limit` before there
/// is no more, and what happened in this second may be missing from filtered ones. Needs the scope
/// `history:read`.
#[utoipa::path(
    get,
    path = "/v1/agencies/{agency}/history",
    operation_id = "listAgencyHistory",
    tag = "history",
    params(
        ("agency" = String, Path, description = "The agency's id"),
        ("item" = Option<String>, Query, description = "Only this item and what is below it, such as `settings/callbacks`, `users/usr_…`, `recordings/rec_…`"),
        ("actor" = Option<String>, Query, description = "Only what this actor did: the id of a person or key, or `system`"),
        ("since" = Option<String>, Query, description = "Only at this time (RFC 3339) or later"),
        ("until" = Option<String>, Query, description = "Only before this time"),
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
            "changes": [{"field": "/phone_number_masking/console", "before": null, "after": true}],
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
    query: Result<StrictQuery<HistoryQuery>, Problem>,
) -> Result<Response, Problem> {
    let owner = owner::agency(&app, &caller, Scope::HistoryRead, &agency).await?;
    page_of(&app, &owner, query?.0).await
}
