//! `POST`, `DELETE /v1/session/two-factor/app` and `POST /v1/session/two-factor/app/confirm`

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::StatusCode;
use ringfence_http::{
    AppState, Problem, StrictJson,
    problem::ProblemBody,
    session::{From, Session, of},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{CodeBody, RecoveryCodesBody};
use crate::qr;

/// An authenticator app that is being set up.
#[derive(Serialize, ToSchema)]
#[schema(as = NewAuthenticatorApp)]
pub(crate) struct NewAppBody {
    /// To type into the app, where it has no camera: base32.
    secret: String,
    /// The same as a URI.
    uri: String,
    /// The URI as a QR code: an SVG.
    qr_svg: Option<String>,
    /// Until when its first code can be given.
    #[schema(format = DateTime)]
    until: String,
}

/// Set up an authenticator app
///
/// Shows the secret, once; the app's first code completes it within a quarter of an hour. An app that was
/// set up before stays until then. Needs that you confirmed who you are within ten minutes.
#[utoipa::path(
    post,
    path = "/v1/session/two-factor/app",
    operation_id = "startAuthenticatorApp",
    tag = "session",
    security(("session" = [])),
    params(("Ringfence-Csrf" = String, Header, description = "The session's csrf_token")),
    responses(
        (status = 201, description = "The secret, as text and as a picture", body = NewAppBody, example = json!({
            "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
            "uri": "otpauth://totp/Ringfence:ada%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Ringfence&algorithm=SHA1&digits=6&period=30",
            "qr_svg": "<svg …", "until": "2026-01-31T08:15:00Z",
        })),
        (status = 401, description = "There is no session, or it is over", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "Confirm first; or the token or the Origin is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Session { user, session }: Session,
) -> Result<Response, Problem> {
    let new = app
        .start_app(&user.value, &session)
        .await
        .map_err(|error| of(&app, error))?;
    let body = NewAppBody {
        secret: new.secret.text(),
        qr_svg: qr::svg(&new.uri, "QR code for the authenticator app"),
        uri: new.uri,
        until: new.until.to_string(),
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// Complete an authenticator app
///
/// With its first code; five are looked at. Whoever had no second factor gets recovery codes.
#[utoipa::path(
    post,
    path = "/v1/session/two-factor/app/confirm",
    operation_id = "completeAuthenticatorApp",
    tag = "session",
    security(("session" = [])),
    params(("Ringfence-Csrf" = String, Header, description = "The session's csrf_token")),
    request_body(content = CodeBody, example = json!({"code": "287082"})),
    responses(
        (status = 200, description = "It is set up", body = RecoveryCodesBody, example = json!({"recovery_codes": ["7K3QX-ABCDE"]})),
        (status = 401, description = "There is no session, or it is over", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The code is wrong; or confirm first; or the token or the Origin is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "Nothing is being set up", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 410, description = "Five codes were wrong: start again", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn confirm(
    State(app): State<AppState>,
    From(visitor): From,
    Session { user, session }: Session,
    body: Result<StrictJson<CodeBody>, Problem>,
) -> Result<Json<RecoveryCodesBody>, Problem> {
    let codes = app
        .confirm_app(&user, &session, &body?.0.code, &visitor)
        .await
        .map_err(|error| of(&app, error))?;
    Ok(Json(RecoveryCodesBody {
        recovery_codes: codes.unwrap_or_default(),
    }))
}

/// Remove your authenticator app
///
/// The last second factor cannot go where the agency requires one. Needs that you confirmed who you are
/// within ten minutes.
#[utoipa::path(
    delete,
    path = "/v1/session/two-factor/app",
    operation_id = "removeAuthenticatorApp",
    tag = "session",
    security(("session" = [])),
    params(("Ringfence-Csrf" = String, Header, description = "The session's csrf_token")),
    responses(
        (status = 204, description = "There is none any more"),
        (status = 401, description = "There is no session, or it is over", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "Confirm first; or the token or the Origin is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "The agency requires a second factor", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete(
    State(app): State<AppState>,
    From(visitor): From,
    Session { user, session }: Session,
) -> Result<StatusCode, Problem> {
    app.remove_app(&user, &session, &visitor)
        .await
        .map_err(|error| of(&app, error))?;
    Ok(StatusCode::NO_CONTENT)
}
