//! `POST /v1/session/heartbeat`

use axum::{Json, extract::State};
use ringfence_http::{
    AppState, Problem, StrictJson,
    problem::ProblemBody,
    session::{Session, Unmoved},
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::answer::SessionBody;

/// What a softphone says of its agent.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Softphone {
    /// Takes calls: the session goes on.
    Available,
    /// Does not: the session goes on as if nothing had been said.
    Away,
}

/// A softphone's heartbeat.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Heartbeat {
    softphone: Softphone,
}

/// Keep the session going while a softphone is available
///
/// `available` counts as something that the agent asked for; `away` does not.
#[utoipa::path(
    post,
    path = "/v1/session/heartbeat",
    operation_id = "sendHeartbeat",
    tag = "session",
    security(("session" = [])),
    params(("Ringfence-Csrf" = String, Header, description = "The session's csrf_token")),
    request_body(content = Heartbeat, example = json!({"softphone": "available"})),
    responses(
        (status = 200, description = "The session", body = SessionBody),
        (status = 400, description = "A field is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 401, description = "There is none, or it is over", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The token or the Origin is missing or wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Unmoved(found): Unmoved,
    body: Result<StrictJson<Heartbeat>, Problem>,
) -> Result<Json<SessionBody>, Problem> {
    let Session { user, mut session } = found;
    if matches!(body?.0.softphone, Softphone::Available) {
        app.keep_going(&user.value.id, &mut session).await;
    }
    Ok(Json(SessionBody::new(&app, &user.value, &session).await?))
}
