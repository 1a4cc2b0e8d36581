//! `PUT /v1/session/password`

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode};
use ringfence_http::{
    AppState, Problem, StrictJson, cookies,
    problem::ProblemBody,
    session::{From, SESSION_COOKIE, Session, of},
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::answer;

/// A change of password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    /// The one in force.
    #[schema(format = Password)]
    password: String,
    /// The one from now on: 15 characters or more; 8, where the agency requires a second factor.
    #[schema(format = Password)]
    new_password: String,
}

/// Change your password
///
/// All your other sessions end; this one goes on under a new cookie.
#[utoipa::path(
    put,
    path = "/v1/session/password",
    operation_id = "changePassword",
    tag = "session",
    security(("session" = [])),
    params(("Ringfence-Csrf" = String, Header, description = "The session's csrf_token")),
    request_body(content = PasswordChange, example = json!({"password": "correct horse battery staple", "new_password": "several quite different words"})),
    responses(
        (status = 204, description = "Changed: the session's new cookie"),
        (status = 400, description = "The new one is too short or too common", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 401, description = "The password is wrong, or the session is over", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The token or the Origin is missing or wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 429, description = "Too many failures: come back after Retry-After", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn put(
    State(app): State<AppState>,
    headers: HeaderMap,
    From(visitor): From,
    Session { user, session }: Session,
    body: Result<StrictJson<PasswordChange>, Problem>,
) -> Result<Response, Problem> {
    let body = body?.0;
    let present = answer::password("password", &body.password)?;
    let new = answer::password("new_password", &body.new_password)?;
    let ticket = app
        .change_password(&user, &session, present, new, &visitor)
        .await
        .map_err(|error| of(&app, error))?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    let cookie = cookies::set(&app, &headers, SESSION_COOKIE, &ticket.reveal(), None);
    cookies::append(response.headers_mut(), [cookie]);
    Ok(response)
}
