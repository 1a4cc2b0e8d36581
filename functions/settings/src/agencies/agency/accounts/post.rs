//! `POST /v1/agencies/{agency}/accounts`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, StrictJson, problem::ProblemBody};

use crate::{
    answer,
    tenants::{AccountBody, NameRequest},
};

/// Make an account
///
/// An account is a call centre: what events, callbacks and settings belong to. Needs the scope
/// `admin`.
#[utoipa::path(
    post,
    path = "/v1/agencies/{agency}/accounts",
    operation_id = "createAccount",
    tag = "settings",
    params(
        ("agency" = String, Path, description = "The agency's id"),
    ),
    request_body(content = NameRequest, example = json!({"name": "Harbour Taxis"})),
    responses(
        (status = 201, description = "The account", body = AccountBody, example = json!({"id": "acc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "agency": "agy_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "name": "Harbour Taxis", "created_at": "2026-01-31T08:15:04Z"})),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such agency", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(agency): Path<String>,
    body: Result<StrictJson<NameRequest>, Problem>,
) -> Result<Response, Problem> {
    let agency = app
        .reach_agency(&caller, Scope::Admin, &agency)
        .await?
        .value;
    let StrictJson(request) = body?;
    let account = app
        .create_account(&agency.id, &request.name, &caller.actor())
        .await?;
    let location = format!("/v1/accounts/{}", account.value.id);
    Ok(answer::created(&location, account.version, &account.value))
}
