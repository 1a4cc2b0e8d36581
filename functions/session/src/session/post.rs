//! `POST /v1/session`

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode};
use ringfence_domain::session::LoggedIn;
use ringfence_http::{
    AppState, OpenJson, Problem,
    problem::ProblemBody,
    session::{From, of, refuse_foreign_origin},
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::answer::{self, AttemptBody, SessionBody};

/// Who wants to log in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginRequest {
    /// The mail address.
    email: String,
    /// The password.
    #[schema(format = Password)]
    password: String,
}

/// Log in
///
/// With mail address and password. The answer is a session, with its cookie, or asks for the second
/// factor. Five failures lock an address for five minutes, five more for an hour, except on devices on
/// which its owner has logged in before. An address that nobody has is treated the same.
#[utoipa::path(
    post,
    path = "/v1/session",
    operation_id = "logIn",
    tag = "session",
    security(()),
    request_body(content = LoginRequest, example = json!({"email": "ada@example.com", "password": "correct horse battery staple"})),
    responses(
        (status = 201, description = "Logged in: the session's cookie", body = SessionBody, example = json!({
            "state": "logged_in", "user": {"id": "usr_019bff2a5c1c7345a2d4c25c51bb42ed", "email": "ada@example.com", "name": "Ada Lovelace", "two_factor": {"app": false, "sms": false, "recovery_left": 0}},
            "id": "ses_019bff2a5c1c7345a2d4c25c51bb42ee", "created_at": "2026-01-31T08:00:00Z", "ends_at": "2026-01-31T20:00:00Z", "idle_until": "2026-01-31T08:30:00Z",
            "seconds_left": 1800, "csrf_token": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "second_factor_required": false,
        })),
        (status = 202, description = "The password is right: now the second factor", body = AttemptBody, example = json!({
            "state": "second_factor_required", "attempt": "usr_019bff2a5c1c7345a2d4c25c51bb42ed.…", "methods": ["app", "recovery_code"], "ends_at": "2026-01-31T08:15:00Z",
        })),
        (status = 400, description = "A field is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 401, description = "The address or the password is wrong, or it cannot log in", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "Another site's page sent this", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 429, description = "Too many failures: come back after Retry-After", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    headers: HeaderMap,
    From(visitor): From,
    body: Result<OpenJson<LoginRequest>, Problem>,
) -> Result<Response, Problem> {
    refuse_foreign_origin(&app, &headers)?;
    let LoginRequest { email, password } = body?.0;
    let password = answer::password("password", &password)?;
    match app
        .log_in(&email, password, &visitor)
        .await
        .map_err(|error| of(&app, error))?
    {
        LoggedIn::Session(new) => answer::begun(&app, &headers, &new).await,
        LoggedIn::SecondFactor(attempt) => {
            Ok((StatusCode::ACCEPTED, Json(AttemptBody::new(&attempt))).into_response())
        }
    }
}
