//! `PATCH /v1/accounts/{account}/settings/recordings`

use axum::{
    extract::{Path, State},
    response::Response,
};
use ringfence_domain::{access::Scope, settings::Edit};
use ringfence_http::{AppState, Authenticated, IfMatch, Problem, StrictJson, problem::ProblemBody};
use serde_json::Value;

use crate::{answer, documents::RecordingsDocument};

/// Change the recording settings of an account
///
/// A JSON Merge Patch (RFC 7396) of the document as it is shown: null removes. A PIN that is given,
/// even the same one, ends what the old one opened. Needs the scope `settings:write`.
#[utoipa::path(
    patch,
    path = "/v1/accounts/{account}/settings/recordings",
    operation_id = "updateAccountRecordings",
    tag = "settings",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("If-Match" = String, Header, description = "The ETag that the change is meant for"),
    ),
    request_body(content = RecordingsDocument, content_type = "application/merge-patch+json", example = json!({"link_days": 7})),
    responses(
        (status = 200, description = "The document, with its new ETag", body = RecordingsDocument, example = json!({"link_days": 14, "access": "pin", "pin": "***"})),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 412, description = "Somebody else changed it first", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn patch(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
    if_match: Result<IfMatch, Problem>,
    body: Result<StrictJson<Value>, Problem>,
) -> Result<Response, Problem> {
    let tenant = app
        .account_tenant(&caller, Scope::SettingsWrite, &account)
        .await?;
    let IfMatch(version) = if_match?;
    let edit = Edit::Patch(body?.0);
    let saved = app
        .save_recordings(&tenant, version, edit, &caller.actor())
        .await?;
    Ok(answer::document(saved.version, &saved.value))
}
