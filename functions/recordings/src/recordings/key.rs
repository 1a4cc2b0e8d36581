//! `GET /v1/accounts/{account}/recordings/{recording}/key`

use axum::{
    extract::{Path, State},
    response::Response,
};
use http::HeaderMap;
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody, sealed_key};

use super::audio::require_pin;

/// Read what opens a recording that only the customer can open
///
/// The recording's data key, encrypted to the customer's own RSA key, and what else is needed to open the
/// file that `audio` downloads. Of use only with the customer's private key. Of people of a team whose
/// recordings are protected by a PIN it is asked here too. Needs the scope `recordings:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/recordings/{recording}/key",
    tag = "recordings",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("recording" = String, Path, description = "The recording's id"),
        ("Ringfence-Pin" = Option<String>, Header, description = "The PIN, of people of a team that asks it"),
    ),
    responses(
        (status = 200, description = "The key, as a file", body = serde_json::Value, example = json!({
            "format": "ringfence/sealing/1", "recording": "rec_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b",
            "context": "acc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b/recording/rec_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b",
            "wrapped_key": "QnJpbmdzIG5vYm9keSBhbnkgZnVydGhlci4", "public_key_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        })),
        (status = 403, description = "The scope, or the PIN, is missing or wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account or recording, or one that is not encrypted to a customer's key", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "No audio has arrived yet", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 410, description = "It was deleted", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, recording)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (config, reach) = app
        .account_data(&caller, Scope::RecordingsRead, &account)
        .await?;
    let (stored, hearing) = app
        .recording_within(&reach, &config.account.id, &recording)
        .await?;
    stored.recording.playable()?;
    require_pin(&app, &caller, hearing, &stored.recording, &headers).await?;
    sealed_key(&stored.recording).ok_or_else(|| Problem::not_found("key"))
}
