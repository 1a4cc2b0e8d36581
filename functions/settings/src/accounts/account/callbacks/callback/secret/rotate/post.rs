//! `POST /v1/accounts/{account}/callbacks/{callback}/secret/rotate`

use axum::{
    extract::{Path, State},
    response::Response,
};
use http::StatusCode;
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, StrictJson, problem::ProblemBody};

use crate::{
    answer,
    secrets::{self, NewSecretBody, RotateRequest},
};

/// Rotate a signing secret
///
/// Makes a new signing secret for a callback of an account. It signs from now on; those before sign
/// beside it until the overlap is over (24 hours unless said), so that receivers can change over.
/// The new `whsec_` is in this answer and never shown again. Of an `ed25519` key only the public
/// `whpk_` is shown: receivers verify with it, and the private key never leaves. Needs the scope
/// `settings:write`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/callbacks/{callback}/secret/rotate",
    operation_id = "rotateAccountSecret",
    tag = "settings",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("callback" = String, Path, description = "cdr, call_status, predictive_task or operational"),
    ),
    request_body(content = RotateRequest, example = json!({"type": "hmac", "overlap_seconds": 86400})),
    responses(
        (status = 201, description = "The new secret, this once", body = NewSecretBody, example = json!({"id": "sec_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "type": "hmac", "created_at": "2026-01-31T08:15:04Z", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account or callback", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "The present state does not allow it", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, callback)): Path<(String, String)>,
    body: Result<StrictJson<RotateRequest>, Problem>,
) -> Result<Response, Problem> {
    let tenant = app
        .account_tenant(&caller, Scope::SettingsWrite, &account)
        .await?;
    let kind = secrets::callback(&callback)?;
    let StrictJson(request) = body?;
    let new = app
        .rotate_secret(
            &tenant,
            kind,
            request.secret_type.into(),
            request.overlap_seconds,
            &caller.actor(),
        )
        .await?;
    Ok(answer::unstored(
        StatusCode::CREATED,
        &NewSecretBody::from(&new),
    ))
}
