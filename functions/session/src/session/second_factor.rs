//! `POST /v1/session/second-factor` and `/v1/session/second-factor/sms`

use axum::{extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use ringfence_domain::session::Ticket;
use ringfence_http::{
    AppState, Code, OpenJson, Problem,
    problem::ProblemBody,
    session::{From, of, refuse_foreign_origin},
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::answer::{self, SessionBody};

/// The second factor of a login.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecondFactor {
    /// Of the answer to the password.
    attempt: String,
    /// `app`, `sms` or `recovery_code`.
    method: String,
    /// The code.
    code: String,
}

/// A login that a code is wanted for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodeRequest {
    /// Of the answer to the password.
    attempt: String,
}

fn ticket(attempt: &str) -> Result<Ticket, Problem> {
    Ticket::parse(attempt).ok_or(Problem::new(Code::LoginOver))
}

/// Finish a login with its second factor
///
/// A login takes five codes, right or wrong, whichever method; a code opens one session.
#[utoipa::path(
    post,
    path = "/v1/session/second-factor",
    operation_id = "giveSecondFactor",
    tag = "session",
    security(()),
    request_body(content = SecondFactor, example = json!({"attempt": "usr_019bff2a5c1c7345a2d4c25c51bb42ed.…", "method": "app", "code": "287082"})),
    responses(
        (status = 201, description = "Logged in: the session's cookie", body = SessionBody),
        (status = 400, description = "A field is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The code is wrong or was used, or another site's page sent this", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 410, description = "The login is over: start again", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 429, description = "Too many wrong codes: come back after Retry-After", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    headers: HeaderMap,
    From(visitor): From,
    body: Result<OpenJson<SecondFactor>, Problem>,
) -> Result<Response, Problem> {
    refuse_foreign_origin(&app, &headers)?;
    let body = body?.0;
    let method = answer::method(&body.method)?;
    let new = app
        .finish_login(&ticket(&body.attempt)?, method, &body.code, &visitor)
        .await
        .map_err(|error| of(&app, error))?;
    answer::begun(&app, &headers, &new).await
}

/// Send a code by SMS for a login
///
/// To the number that is set up. It works for ten minutes, for this login only; a login sends three at
/// most.
#[utoipa::path(
    post,
    path = "/v1/session/second-factor/sms",
    operation_id = "sendLoginCode",
    tag = "session",
    security(()),
    request_body(content = CodeRequest, example = json!({"attempt": "usr_019bff2a5c1c7345a2d4c25c51bb42ed.…"})),
    responses(
        (status = 202, description = "It is on its way"),
        (status = 403, description = "Another site's page sent this", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "No number is set up, or three codes were sent", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 410, description = "The login is over: start again", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 429, description = "Too many codes in an hour", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn send(
    State(app): State<AppState>,
    headers: HeaderMap,
    body: Result<OpenJson<CodeRequest>, Problem>,
) -> Result<StatusCode, Problem> {
    refuse_foreign_origin(&app, &headers)?;
    app.send_code_for_attempt(&ticket(&body?.0.attempt)?)
        .await
        .map_err(|error| of(&app, error))?;
    Ok(StatusCode::ACCEPTED)
}
