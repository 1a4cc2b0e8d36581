//! `GET /v1/accounts/{account}`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

use crate::{answer, tenants::AccountBody};

/// Read an account
///
/// Its `ETag` is what a change must name. Needs the scope `settings:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}",
    operation_id = "getAccount",
    tag = "settings",
    params(
        ("account" = String, Path, description = "The account's id"),
    ),
    responses(
        (status = 200, description = "The account, with its ETag", body = AccountBody, example = json!({"id": "acc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "agency": "agy_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "name": "Harbour Taxis", "created_at": "2026-01-31T08:15:04Z"})),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
) -> Result<Response, Problem> {
    let account = app
        .reach_account(&caller, Scope::SettingsRead, &account)
        .await?;
    Ok(answer::document(account.version, &account.value))
}
