//! `POST /v1/session/confirm` and `/v1/session/confirm/sms`

use axum::extract::State;
use http::StatusCode;
use ringfence_http::{
    AppState, Problem, StrictJson,
    problem::ProblemBody,
    session::{Session, of},
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::answer;

/// That it is you.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirmation {
    /// `app`, `sms` or `recovery_code`.
    method: Option<String>,
    /// The code.
    code: Option<String>,
    /// Without a second factor: the password.
    #[schema(format = Password)]
    password: Option<String>,
}

/// Confirm that it is you
///
/// Before a change of what you log in with, or of what somebody else does: the second factor again, or
/// the password if you have none. It is good for ten minutes.
#[utoipa::path(
    post,
    path = "/v1/session/confirm",
    operation_id = "confirmSession",
    tag = "session",
    security(("session" = [])),
    params(("Ringfence-Csrf" = String, Header, description = "The session's csrf_token")),
    request_body(content = Confirmation, example = json!({"method": "app", "code": "287082"})),
    responses(
        (status = 204, description = "Confirmed, for ten minutes"),
        (status = 400, description = "A field is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 401, description = "The password is wrong, or the session is over", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The code, the token or the Origin is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "You have a second factor: a password does not do", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 429, description = "Too many failures: come back after Retry-After", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Session { user, session }: Session,
    body: Result<StrictJson<Confirmation>, Problem>,
) -> Result<StatusCode, Problem> {
    let Confirmation {
        method,
        code,
        password,
    } = body?.0;
    match (method, code, password) {
        (Some(method), Some(code), None) => {
            let method = answer::method(&method)?;
            app.confirm(&user, &session, method, &code).await
        }
        (None, None, Some(password)) => {
            let password = answer::password("password", &password)?;
            app.confirm_password(&user, &session, password).await
        }
        _ => {
            return Err(Problem::field(
                "code",
                "required",
                "give method and code, or password",
            ));
        }
    }
    .map_err(|error| of(&app, error))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Send a code by SMS to confirm with
///
/// To the number that is set up. It works for ten minutes, in this session only.
#[utoipa::path(
    post,
    path = "/v1/session/confirm/sms",
    operation_id = "sendConfirmationCode",
    tag = "session",
    security(("session" = [])),
    params(("Ringfence-Csrf" = String, Header, description = "The session's csrf_token")),
    responses(
        (status = 202, description = "It is on its way"),
        (status = 401, description = "There is no session, or it is over", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The token or the Origin is missing or wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "No number is set up, or three codes were sent", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 429, description = "Too many codes in an hour", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn send(
    State(app): State<AppState>,
    Session { user, session }: Session,
) -> Result<StatusCode, Problem> {
    app.send_code_for_session(&user.value, &session)
        .await
        .map_err(|error| of(&app, error))?;
    Ok(StatusCode::ACCEPTED)
}
