//! `GET /v1/accounts/{account}/history/checkpoint`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};
use serde_json::Value;

use crate::{owner, proof};

/// Get a signed checkpoint of the change history of an account
///
/// How far the history goes and the hash of its last entry, checked against the checkpoint before and
/// signed with Ed25519. Keep it elsewhere: with it, nobody can take back anything before it unnoticed.
/// The public key is at `/v1/history/keys`. Needs the scope `history:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/history/checkpoint",
    operation_id = "getAccountHistoryCheckpoint",
    tag = "history",
    params(
        ("account" = String, Path, description = "The account's id"),
    ),
    responses(
        (status = 200, description = "The checkpoint", body = Value, example = json!({
            "owner": "acc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "first": 1, "seq": 42,
            "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "at": "2026-01-31T08:15:04Z", "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            "signature": "5F0vYkQ1lZ3x8m2gCqTt7rEuHcAoS4pWnJdLbKiXyVfRzGhU6eMw9aPjNsQvB0DkC1ItOyZrLxFmEgHuTqWnAg",
        })),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account, or no entry yet", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "The history does not verify; detail names the first bad entry", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
) -> Result<Json<Value>, Problem> {
    let owner = owner::account(&app, &caller, Scope::HistoryRead, &account).await?;
    proof::checkpoint_of(&app, &owner).await
}
