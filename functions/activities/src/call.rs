//! `GET /v1/accounts/{account}/calls/{call}`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::access::{Scope, VisibleCall};
use ringfence_http::{AppState, Authenticated, Problem};

/// Read a call
///
/// The record that all events of the call give together: each field from the most authoritative event
/// that has it. Events that arrive late fill in what is missing and never move the state back. Numbers
/// are masked when masking of the console is on. An agent reads its own calls; an access control group lets through
/// what matches its rules, without the columns that it hides. Needs the scope `calls:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/calls/{call}",
    tag = "calls",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("call" = String, Path, description = "The platform's id of the call, percent-encoded"),
    ),
    responses(
        (status = 200, description = "The call", body = serde_json::Value, example = json!({
            "call_id": "call-1042",
            "account_id": "acc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b",
            "state": "answered",
            "updated_at": "2026-01-31T08:15:04Z",
            "data": {"call_id": "call-1042", "direction": "inbound", "from": "+141****0132"},
        })),
        (status = 409, description = "The call has more events than a record is put together of: 10,000, or 16 MiB", body = inline(ringfence_http::problem::ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account or call", body = inline(ringfence_http::problem::ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, call)): Path<(String, String)>,
) -> Result<Json<VisibleCall>, Problem> {
    let (config, reach) = app
        .account_data(&caller, Scope::CallsRead, &account)
        .await?;
    let call = app
        .call(&config, &reach, &call)
        .await?
        .ok_or_else(|| Problem::not_found("call"))?;
    Ok(Json(call))
}
