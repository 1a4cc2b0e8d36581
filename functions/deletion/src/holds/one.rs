//! `/v1/accounts/{account}/holds/{hold}`

use axum::{
    Json,
    extract::{Path, State},
};
use http::StatusCode;
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

use super::{HoldBody, shown};

/// Read a legal hold
///
/// Needs the scope `holds:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/holds/{hold}",
    tag = "deletion",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("hold" = String, Path, description = "The hold's id"),
    ),
    responses(
        (status = 200, description = "The hold", body = HoldBody),
        (status = 404, description = "No such account or hold", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, hold)): Path<(String, String)>,
) -> Result<Json<HoldBody>, Problem> {
    let config = app.account(&caller, Scope::HoldsRead, &account).await?;
    let hold = app.hold(&config.account.id, &hold).await?;
    Ok(Json(shown(&config, hold)))
}

/// Release a legal hold
///
/// What it kept can be deleted again, by retention too, unless another hold keeps it. The history keeps
/// that there was one. Needs the scope `holds:write`.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{account}/holds/{hold}",
    tag = "deletion",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("hold" = String, Path, description = "The hold's id"),
    ),
    responses(
        (status = 204, description = "Released"),
        (status = 404, description = "No such account or hold", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, hold)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let config = app.account(&caller, Scope::HoldsWrite, &account).await?;
    app.release_hold(&config.account.id, &hold, &caller.actor())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
