//! `POST /v1/accounts/{account}/api-keys`

use axum::{
    extract::{Path, State},
    response::Response,
};
use http::StatusCode;
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, StrictJson, problem::ProblemBody};
use serde_json::Value;

use crate::{
    answer,
    keys::{KeyRequest, NewKeyBody},
};

/// Make an API key
///
/// The key reaches this account. It is in this answer under `key` and never shown again. One can
/// only grant what one holds: no scope beyond those of the key that asks, and no life beyond its
/// own. Needs the scope `admin`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/api-keys",
    operation_id = "createAccountApiKey",
    tag = "settings",
    params(
        ("account" = String, Path, description = "The account's id"),
    ),
    request_body(content = KeyRequest, example = json!({"name": "PBX in Kiel", "scopes": ["events:write"]})),
    responses(
        (status = 201, description = "The key, this once", body = NewKeyBody, example = json!({"id": "key_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "owner": "acc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "name": "PBX in Kiel", "scopes": ["events:write"], "hint": "rfk_9vXq", "created_at": "2026-01-31T08:15:04Z", "key": "rfk_9vXqIhD2b3mT5yC0pLw8sNfKzR1uEaGj7oQtVxYdMcA"})),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
    body: Result<StrictJson<Value>, Problem>,
) -> Result<Response, Problem> {
    let tenant = app.account_tenant(&caller, Scope::Admin, &account).await?;
    let (key, secret) = app.grant_api_key(&tenant, body?.0, &caller).await?;
    Ok(answer::unstored(
        StatusCode::CREATED,
        &NewKeyBody::new(key, &secret),
    ))
}
