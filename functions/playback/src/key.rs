//! `GET /r/{token}/key`

use axum::{extract::State, response::Response};
use http::request::Parts;
use ringfence_http::{AppState, problem::ProblemBody, sealed_key};

use crate::{
    audio::CSP,
    door::{self, Entry, Token, Visitor},
    pages,
};

/// Download what opens a recording that only the customer can open
///
/// The recording's data key, encrypted to the customer's own RSA key: of use only with their private key.
#[utoipa::path(
    get,
    path = "/r/{token}/key",
    tag = "playback",
    security(()),
    params(("token" = String, Path, description = "What the link ends with")),
    responses(
        (status = 200, description = "The key, as a file", body = serde_json::Value, example = json!({
            "format": "ringfence/sealing/1", "recording": "rec_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b",
            "context": "acc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b/recording/rec_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b",
            "wrapped_key": "QnJpbmdzIG5vYm9keSBhbnkgZnVydGhlci4", "public_key_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        })),
        (status = 403, description = "The PIN first", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such link, or nothing that a customer's key opens", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 410, description = "Expired, withdrawn, deleted or on hold", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Token(token): Token,
    parts: Parts,
) -> Response {
    let visitor = Visitor::of(&parts);
    let open = match door::open(&app, &visitor, &token).await {
        Ok(open) => open,
        Err(response) => return *response,
    };
    match door::entry(&app, &visitor, &open).await {
        Entry::Open(_) => match sealed_key(&open.recording) {
            Some(response) => pages::secured(response, CSP),
            None => pages::unknown(visitor.form),
        },
        Entry::Refused(response) => *response,
        Entry::Pin => pages::pin_required(visitor.form),
    }
}
