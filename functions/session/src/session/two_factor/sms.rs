//! `POST`, `DELETE /v1/session/two-factor/sms` and `POST /v1/session/two-factor/sms/confirm`

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::StatusCode;
use ringfence_domain::session::two_factor::NumberStep;
use ringfence_http::{
    AppState, Problem, StrictJson,
    problem::ProblemBody,
    session::{From, Session, of},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::CodeBody;

/// A number for codes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NumberBody {
    /// With country code.
    phone: String,
}

/// How far a number has come.
#[derive(Serialize, ToSchema)]
#[schema(as = NumberProgress)]
pub(crate) struct ProgressBody {
    /// `confirm_old_number`, `confirm_new_number` or `set`.
    state: &'static str,
    /// When it is set and there was no second factor before: recovery codes, shown this once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    recovery_codes: Vec<String>,
}

impl std::convert::From<NumberStep> for ProgressBody {
    fn from(step: NumberStep) -> Self {
        let (state, codes) = match step {
            NumberStep::OldNumber => ("confirm_old_number", None),
            NumberStep::NewNumber => ("confirm_new_number", None),
            NumberStep::Set(codes) => ("set", codes),
        };
        Self {
            state,
            recovery_codes: codes.unwrap_or_default(),
        }
    }
}

/// Set up a number for codes by SMS
///
/// A code goes to the number; where another was set up, first to the old one. Needs that you confirmed
/// who you are within ten minutes.
#[utoipa::path(
    post,
    path = "/v1/session/two-factor/sms",
    operation_id = "startSmsNumber",
    tag = "session",
    security(("session" = [])),
    params(("Ringfence-Csrf" = String, Header, description = "The session's csrf_token")),
    request_body(content = NumberBody, example = json!({"phone": "+14155550132"})),
    responses(
        (status = 202, description = "A code is on its way", body = ProgressBody, example = json!({"state": "confirm_new_number"})),
        (status = 400, description = "It is no number", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 401, description = "There is no session, or it is over", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "Confirm first; or the token or the Origin is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 429, description = "Too many codes in an hour", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Session { user, session }: Session,
    body: Result<StrictJson<NumberBody>, Problem>,
) -> Result<Response, Problem> {
    let step = app
        .start_number(&user.value, &session, &body?.0.phone)
        .await
        .map_err(|error| of(&app, error))?;
    Ok((StatusCode::ACCEPTED, Json(ProgressBody::from(step))).into_response())
}

/// Give the code that a number was sent
///
/// The one that went to the old number brings another to the new one; that one completes it. Five are
/// looked at.
#[utoipa::path(
    post,
    path = "/v1/session/two-factor/sms/confirm",
    operation_id = "completeSmsNumber",
    tag = "session",
    security(("session" = [])),
    params(("Ringfence-Csrf" = String, Header, description = "The session's csrf_token")),
    request_body(content = CodeBody, example = json!({"code": "287082"})),
    responses(
        (status = 200, description = "How far it has come", body = ProgressBody, example = json!({"state": "set", "recovery_codes": ["7K3QX-ABCDE"]})),
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
) -> Result<Json<ProgressBody>, Problem> {
    let step = app
        .confirm_number(&user, &session, &body?.0.code, &visitor)
        .await
        .map_err(|error| of(&app, error))?;
    Ok(Json(step.into()))
}

/// Remove your number for codes by SMS
///
/// The last second factor cannot go where the agency requires one. Needs that you confirmed who you are
/// within ten minutes.
#[utoipa::path(
    delete,
    path = "/v1/session/two-factor/sms",
    operation_id = "removeSmsNumber",
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
    app.remove_number(&user, &session, &visitor)
        .await
        .map_err(|error| of(&app, error))?;
    Ok(StatusCode::NO_CONTENT)
}
