//! `POST /v1/history/{seq}/redaction`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

use crate::{
    erasure::{RedactionBody, redact_entry},
    owner,
};

/// Erase the personal values of an entry of the change history of the platform
///
/// Names, mail addresses and numbers in it are gone for good; the entry stays, with commitments in their
/// place, and the chain stays valid. The erasure itself is on record. Of an entry that holds none, or
/// none any more, `entries` is empty. Needs the scope `admin`.
#[utoipa::path(
    post,
    path = "/v1/history/{seq}/redaction",
    operation_id = "redactPlatformHistoryEntry",
    tag = "history",
    params(
        ("seq" = u64, Path, description = "The entry's number"),
    ),
    responses(
        (status = 200, description = "The entries that were redacted", body = RedactionBody, example = json!({"entries": [17], "more": false})),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "The key is not the operator's, or no such entry", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(seq): Path<String>,
) -> Result<Json<RedactionBody>, Problem> {
    let owner = owner::platform(&app, &caller, Scope::Admin)?;
    redact_entry(&app, &owner, &caller, &seq).await
}
