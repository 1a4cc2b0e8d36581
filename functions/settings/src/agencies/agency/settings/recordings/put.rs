//! `PUT /v1/agencies/{agency}/settings/recordings`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::{access::Scope, settings::Edit};
use ringfence_http::{AppState, Authenticated, IfMatch, Problem, StrictJson, problem::ProblemBody};
use serde_json::Value;

use crate::{answer, documents::RecordingsDocument};

/// Replace the recording settings of an agency
///
/// The whole document: what it leaves out is not set. `***` keeps the PIN. Fewer days end links that
/// were made before; more days bring none back. Needs the scope `settings:write`.
#[utoipa::path(
    put,
    path = "/v1/agencies/{agency}/settings/recordings",
    operation_id = "replaceAgencyRecordings",
    tag = "settings",
    params(
        ("agency" = String, Path, description = "The agency's id"),
        ("If-Match" = String, Header, description = "The ETag that the change is meant for"),
    ),
    request_body(content = RecordingsDocument, example = json!({"link_days": 14, "access": "pin", "pin": "402817"})),
    responses(
        (status = 200, description = "The document, with its new ETag", body = RecordingsDocument, example = json!({"link_days": 14, "access": "pin", "pin": "***"})),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such agency", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 412, description = "Somebody else changed it first", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn put(
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
    let edit = Edit::Put(body?.0);
    let saved = app
        .save_recordings(&tenant, version, edit, &caller.actor())
        .await?;
    Ok(answer::document(saved.version, &saved.value))
}
