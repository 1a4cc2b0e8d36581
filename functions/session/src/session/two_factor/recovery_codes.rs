//! `POST /v1/session/two-factor/recovery-codes`

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::StatusCode;
use ringfence_http::{
    AppState, Problem,
    problem::ProblemBody,
    session::{From, Session, of},
};

use super::RecoveryCodesBody;

/// Make new recovery codes
///
/// Ten, shown this once; those before open no more. Needs that you confirmed who you are within ten
/// minutes.
#[utoipa::path(
    post,
    path = "/v1/session/two-factor/recovery-codes",
    operation_id = "renewRecoveryCodes",
    tag = "session",
    security(("session" = [])),
    params(("Ringfence-Csrf" = String, Header, description = "The session's csrf_token")),
    responses(
        (status = 201, description = "The codes", body = RecoveryCodesBody, example = json!({"recovery_codes": ["7K3QX-ABCDE"]})),
        (status = 401, description = "There is no session, or it is over", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "Confirm first; or the token or the Origin is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "You have no second factor", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    From(visitor): From,
    Session { user, session }: Session,
) -> Result<Response, Problem> {
    let recovery_codes = app
        .renew_recovery_codes(&user, &session, &visitor)
        .await
        .map_err(|error| of(&app, error))?;
    Ok((
        StatusCode::CREATED,
        Json(RecoveryCodesBody { recovery_codes }),
    )
        .into_response())
}
