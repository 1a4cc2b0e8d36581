//! `POST /v1/accounts/{account}/history/verification`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, StrictJson, problem::ProblemBody};

use crate::{
    owner,
    proof::{VerificationBody, VerificationRequest, verification_of},
};

/// Verify the change history of an account
///
/// Checks that entry follows on entry, that each is as it was recorded, and that all fits the stored
/// checkpoints and, if one is sent along, the one that you kept. `first_bad` names the first entry that
/// does not fit. A request checks about 1,000 entries; while `status` is `incomplete`, send `next_cursor`
/// as `cursor`. Needs the scope `history:read`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/history/verification",
    operation_id = "verifyAccountHistory",
    tag = "history",
    params(
        ("account" = String, Path, description = "The account's id"),
    ),
    request_body(content = VerificationRequest, example = json!({})),
    responses(
        (status = 200, description = "What was found", body = VerificationBody, example = json!({
            "status": "broken", "entries": 42, "verified": 16, "signed": 0,
            "first_bad": {"seq": 17, "fault": "edited", "detail": "entry 17 was edited"}, "next_cursor": null,
        })),
        (status = 400, description = "The checkpoint is not one of ours, or the cursor of another verification", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
    body: Result<StrictJson<VerificationRequest>, Problem>,
) -> Result<Json<VerificationBody>, Problem> {
    let owner = owner::account(&app, &caller, Scope::HistoryRead, &account).await?;
    verification_of(&app, &owner, body?.0).await
}
