//! `GET /v1/session`

use axum::{Json, extract::State};
use ringfence_http::{AppState, Problem, problem::ProblemBody, session::Session};

use crate::answer::SessionBody;

/// Read your session
///
/// Who you are, and how long the session lasts. A page that asks by itself, to warn in time, sends
/// `Ringfence-Timer: 1`, which does not keep the session going.
#[utoipa::path(
    get,
    path = "/v1/session",
    operation_id = "getSession",
    tag = "session",
    security(("session" = [])),
    params(("Ringfence-Timer" = Option<String>, Header, description = "1: no person asks for this")),
    responses(
        (status = 200, description = "The session", body = SessionBody),
        (status = 401, description = "There is none, or it is over", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Session { user, session }: Session,
) -> Result<Json<SessionBody>, Problem> {
    Ok(Json(SessionBody::new(&app, &user.value, &session).await?))
}
