//! `POST /v1/agencies/{agency}/history/redactions`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, StrictJson, problem::ProblemBody};

use crate::{
    erasure::{PersonRequest, RedactionBody, redact_person},
    owner,
};

/// Erase a person from the change history of an agency
///
/// Erases that person's names, mail addresses and numbers, and the addresses from which it acted, from up
/// to 90 entries; while `more` is true, ask again. The entries stay, with commitments in place of the values, and the chain stays valid. The
/// erasure itself is on record. Needs the scope `admin`.
#[utoipa::path(
    post,
    path = "/v1/agencies/{agency}/history/redactions",
    operation_id = "redactPersonFromAgencyHistory",
    tag = "history",
    params(
        ("agency" = String, Path, description = "The agency's id"),
    ),
    request_body(content = PersonRequest, example = json!({"person": "usr_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b"})),
    responses(
        (status = 200, description = "The entries that were redacted", body = RedactionBody, example = json!({"entries": [17, 23], "more": false})),
        (status = 400, description = "A field is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such agency", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(agency): Path<String>,
    body: Result<StrictJson<PersonRequest>, Problem>,
) -> Result<Json<RedactionBody>, Problem> {
    let owner = owner::agency(&app, &caller, Scope::Admin, &agency).await?;
    redact_person(&app, &owner, &caller, body?.0).await
}
