//! `GET /v1/accounts/{account}/recordings/{recording}`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};
use serde_json::Value;

use super::{RecordingBody, seen};

/// Read a recording
///
/// What is known of it; one that was deleted says when and why. Needs the scope `recordings:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/recordings/{recording}",
    tag = "recordings",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("recording" = String, Path, description = "The recording's id"),
    ),
    responses(
        (status = 200, description = "The recording", body = RecordingBody),
        (status = 404, description = "No such account or recording", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, recording)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let (config, reach) = app
        .account_data(&caller, Scope::RecordingsRead, &account)
        .await?;
    let (stored, _) = app
        .recording_within(&reach, &config.account.id, &recording)
        .await?;
    Ok(Json(seen(&config, &reach, stored.recording)?))
}
