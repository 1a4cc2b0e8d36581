//! `GET /v1/session/two-factor`

use axum::Json;
use ringfence_http::{problem::ProblemBody, session::Session};

use crate::answer::TwoFactorBody;

/// Read your second factor
#[utoipa::path(
    get,
    path = "/v1/session/two-factor",
    operation_id = "getTwoFactor",
    tag = "session",
    security(("session" = [])),
    responses(
        (status = 200, description = "What is set up", body = TwoFactorBody, example = json!({"app": true, "sms": false, "recovery_left": 10})),
        (status = 401, description = "There is no session, or it is over", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(Session { user, .. }: Session) -> Json<TwoFactorBody> {
    Json((&user.value).into())
}
