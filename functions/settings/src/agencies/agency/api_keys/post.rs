//! `POST /v1/agencies/{agency}/api-keys`

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
/// The key reaches this agency and its accounts. It is in this answer under `key` and never shown
/// again. One can only grant what one holds: no scope beyond those of the key that asks, and no
/// life beyond its own. Needs the scope `admin`.
#[utoipa::path(
    post,
    path = "/v1/agencies/{agency}/api-keys",
    operation_id = "createAgencyApiKey",
    tag = "settings",
    params(
        ("agency" = String, Path, description = "The agency's id"),
    ),
    request_body(content = KeyRequest, example = json!({"name": "Reporting", "scopes": ["settings:read"]})),
    responses(
        (status = 201, description = "The key, this once", body = NewKeyBody, example = json!({"id": "key_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "owner": "agy_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "name": "Reporting", "scopes": ["settings:read"], "hint": "rfk_9vXq", "created_at": "2026-01-31T08:15:04Z", "key": "rfk_9vXqIhD2b3mT5yC0pLw8sNfKzR1uEaGj7oQtVxYdMcA"})),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such agency", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(agency): Path<String>,
    body: Result<StrictJson<Value>, Problem>,
) -> Result<Response, Problem> {
    let tenant = app.agency_tenant(&caller, Scope::Admin, &agency).await?;
    let (key, secret) = app.grant_api_key(&tenant, body?.0, &caller).await?;
    Ok(answer::unstored(
        StatusCode::CREATED,
        &NewKeyBody::new(key, &secret),
    ))
}
