//! `GET /v1/accounts/{account}/callbacks/{callback}/secrets`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

use crate::{
    answer,
    secrets::{self, SecretsBody},
};

/// List the signing secrets of a callback
///
/// Those in force, newest first, and until when the older ones sign. Never a secret itself. Needs
/// the scope `settings:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/callbacks/{callback}/secrets",
    operation_id = "listAccountSecrets",
    tag = "settings",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("callback" = String, Path, description = "cdr, call_status, predictive_task or operational"),
    ),
    responses(
        (status = 200, description = "The secrets in force", body = SecretsBody, example = json!({"items": [{"id": "sec_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "type": "hmac", "created_at": "2026-01-31T08:15:04Z"}]})),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account or callback", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, callback)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let tenant = app
        .account_tenant(&caller, Scope::SettingsRead, &account)
        .await?;
    let kind = secrets::callback(&callback)?;
    let found = app.signing_secrets(&tenant, kind).await?;
    Ok(answer::plain(&SecretsBody::from(found)))
}
