//! `GET /v1/accounts/{account}/settings/sources`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

use crate::{answer, documents::SourcesDocument};

/// Read the source settings of an account
///
/// What the account shares with the platforms that post events to it. Secrets are shown as `***`.
/// Needs the scope `settings:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/settings/sources",
    operation_id = "getAccountSources",
    tag = "settings",
    params(
        ("account" = String, Path, description = "The account's id"),
    ),
    responses(
        (status = 200, description = "The document, with its ETag", body = SourcesDocument, example = json!({"twilio": {"auth_token": "***"}})),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
) -> Result<Response, Problem> {
    let tenant = app
        .account_tenant(&caller, Scope::SettingsRead, &account)
        .await?;
    let document = app.sources_document(&tenant).await?;
    Ok(answer::document(document.version, &document.value))
}
