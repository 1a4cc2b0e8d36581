//! `DELETE /v1/accounts/{account}/recordings/{recording}`

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use ringfence_domain::{access::Scope, deletion};
use ringfence_http::{AppState, Authenticated, Code, Problem, StrictJson, problem::ProblemBody};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::deletions::{DEFAULT_REASON, DeletionBody, shown};

/// Why a recording is deleted.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeleteRequest {
    /// The recording and its call say so afterwards. 1 to 256 characters.
    reason: Option<String>,
}

/// Delete a recording
///
/// Its audio, redacted copies, all versions, and the key that opens it; the call's record stays and says
/// when and why. Irreversible. A legal hold keeps it: 409. The answer has the receipt; 202 where the
/// store takes longer, and the deletion goes on by itself. Needs the scope `deletion:write`.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{account}/recordings/{recording}",
    tag = "deletion",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("recording" = String, Path, description = "The recording's id"),
    ),
    request_body(content = Option<DeleteRequest>, example = json!({"reason": "asked for by the customer"})),
    responses(
        (status = 200, description = "Deleted, with the receipt", body = DeletionBody),
        (status = 202, description = "Under way", body = DeletionBody),
        (status = 400, description = "A field is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account or recording", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "A legal hold keeps it", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 410, description = "It was deleted before", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, recording)): Path<(String, String)>,
    body: Result<Option<StrictJson<DeleteRequest>>, Problem>,
) -> Result<Response, Problem> {
    let config = app.account(&caller, Scope::DeletionWrite, &account).await?;
    let body = body?.map_or_else(DeleteRequest::default, |body| body.0);
    let reason = body.reason.unwrap_or_else(|| DEFAULT_REASON.to_owned());
    let job = app
        .delete_recording(&config.account.id, &recording, reason, &caller.actor())
        .await?;
    if job.state != deletion::State::Done {
        return Ok((StatusCode::ACCEPTED, Json(shown(&app, &config, job).await?)).into_response());
    }
    if job.counts.held > 0 {
        let holds: Vec<_> = job.counts.holds.keys().map(String::as_str).collect();
        return Err(Problem::new(Code::Conflict).detail(format!(
            "A legal hold keeps this recording ({}); deletion {} has the receipt.",
            holds.join(", "),
            job.id
        )));
    }
    Ok(Json(shown(&app, &config, job).await?).into_response())
}
