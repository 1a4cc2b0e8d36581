//! `POST /v1/password-resets` and `/v1/password-resets/complete`

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use ringfence_domain::session::{SessionError, Ticket};
use ringfence_http::{
    AppState, OpenJson, Problem,
    problem::ProblemBody,
    session::{From, of, refuse_foreign_origin},
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::answer;

/// Who wants a new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResetRequest {
    /// The mail address.
    email: String,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPassword {
    /// What the link in the mail ends with.
    token: String,
    /// 15 characters or more; 8, where the agency requires a second factor.
    #[schema(format = Password)]
    password: String,
}

/// Ask for a new password
///
/// Mails a link that works once, for an hour. The answer is the same whether anybody has the address.
#[utoipa::path(
    post,
    path = "/v1/password-resets",
    operation_id = "requestPasswordReset",
    tag = "session",
    security(()),
    request_body(content = ResetRequest, example = json!({"email": "ada@example.com"})),
    responses(
        (status = 202, description = "If somebody has this address, a mail is on its way"),
        (status = 403, description = "Another site's page sent this", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 429, description = "Too many from your network: come back after Retry-After", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    headers: HeaderMap,
    From(visitor): From,
    body: Result<OpenJson<ResetRequest>, Problem>,
) -> Result<StatusCode, Problem> {
    refuse_foreign_origin(&app, &headers)?;
    app.request_reset(&body?.0.email, &visitor)
        .await
        .map_err(|error| of(&app, error))?;
    Ok(StatusCode::ACCEPTED)
}

/// Set a new password
///
/// By the link that was mailed. All sessions end; log in with the new password.
#[utoipa::path(
    post,
    path = "/v1/password-resets/complete",
    operation_id = "completePasswordReset",
    tag = "session",
    security(()),
    request_body(content = NewPassword, example = json!({"token": "usr_019bff2a5c1c7345a2d4c25c51bb42ed.…", "password": "several quite different words"})),
    responses(
        (status = 204, description = "It is set"),
        (status = 400, description = "It is too short or too common", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "Another site's page sent this", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 410, description = "The link was used, or its time is over", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn complete(
    State(app): State<AppState>,
    headers: HeaderMap,
    From(visitor): From,
    body: Result<OpenJson<NewPassword>, Problem>,
) -> Result<StatusCode, Problem> {
    refuse_foreign_origin(&app, &headers)?;
    let NewPassword { token, password } = body?.0;
    let password = answer::password("password", &password)?;
    let ticket = Ticket::parse(&token).ok_or_else(|| of(&app, SessionError::LinkOver))?;
    app.reset_password(&ticket, password, &visitor)
        .await
        .map_err(|error| of(&app, error))?;
    Ok(StatusCode::NO_CONTENT)
}
