//! `PATCH /v1/agencies/{agency}/settings/security`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::{access::Scope, settings::Edit};
use ringfence_http::{AppState, Authenticated, IfMatch, Problem, StrictJson, problem::ProblemBody};
use serde_json::Value;

use crate::{answer, documents::SecurityDocument};

/// Change the security settings of an agency
///
/// A JSON Merge Patch (RFC 7396) of the document as it is shown: null removes.
/// `phone_number_masking` may be true or false: one switch for all four scopes. Needs the scope
/// `settings:write`.
#[utoipa::path(
    patch,
    path = "/v1/agencies/{agency}/settings/security",
    operation_id = "updateAgencySecurity",
    tag = "settings",
    params(
        ("agency" = String, Path, description = "The agency's id"),
        ("If-Match" = String, Header, description = "The ETag that the change is meant for"),
    ),
    request_body(content = SecurityDocument, content_type = "application/merge-patch+json", example = json!({"phone_number_masking": {"exports": false}})),
    responses(
        (status = 200, description = "The document, with its new ETag", body = SecurityDocument, example = json!({"phone_number_masking": {"console": true, "exports": true, "callbacks": true, "notifications": true}})),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such agency", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 412, description = "Somebody else changed it first", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn patch(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(agency): Path<String>,
    if_match: Result<IfMatch, Problem>,
    body: Result<StrictJson<Value>, Problem>,
) -> Result<Response, Problem> {
    let tenant = app
        .agency_tenant(&caller, Scope::SettingsWrite, &agency)
        .await?;
    let IfMatch(version) = if_match?;
    let edit = Edit::Patch(body?.0);
    let saved = app
        .save_security(&tenant, version, edit, &caller.actor())
        .await?;
    Ok(answer::document(saved.version, &saved.value))
}
