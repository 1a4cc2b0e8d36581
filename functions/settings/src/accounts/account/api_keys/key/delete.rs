//! `DELETE /v1/accounts/{account}/api-keys/{key}`

use axum::extract::{Path, State};
use http::StatusCode;
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

/// Revoke an API key
///
/// It is refused from now on: at once here, within three seconds everywhere. Needs the scope
/// `admin`.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{account}/api-keys/{key}",
    operation_id = "revokeAccountApiKey",
    tag = "settings",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("key" = String, Path, description = "The key's id, `key_…`"),
    ),
    responses(
        (status = 204, description = "Revoked"),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account or API key", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, key)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let tenant = app.account_tenant(&caller, Scope::Admin, &account).await?;
    if app
        .revoke_api_key(&tenant.owner(), &key, &caller.actor())
        .await?
    {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("API key"))
    }
}
