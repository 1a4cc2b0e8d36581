//! `GET /v1/sessions` and `DELETE /v1/sessions/{session}`

use axum::{
    Json,
    extract::{Path, State},
};
use http::StatusCode;
use ringfence_http::{AppState, Problem, problem::ProblemBody, session::Session};
use serde::Serialize;
use utoipa::ToSchema;

/// Your open sessions.
#[derive(Serialize, ToSchema)]
pub(crate) struct Sessions {
    /// Newest first, up to a hundred.
    items: Vec<OpenSession>,
}

/// An open session.
#[derive(Serialize, ToSchema)]
pub(crate) struct OpenSession {
    /// `ses_…`
    id: String,
    /// When it began.
    #[schema(format = DateTime)]
    created_at: String,
    /// When you last asked for something in it.
    #[schema(format = DateTime)]
    active_at: String,
    /// From where it began.
    address: Option<String>,
    /// What the browser said that it is.
    user_agent: Option<String>,
    /// Whether it is this one.
    current: bool,
}

/// List your sessions
#[utoipa::path(
    get,
    path = "/v1/sessions",
    operation_id = "listSessions",
    tag = "session",
    security(("session" = [])),
    responses(
        (status = 200, description = "Those that are open", body = Sessions, example = json!({"items": [{
            "id": "ses_019bff2a5c1c7345a2d4c25c51bb42ee", "created_at": "2026-01-31T08:00:00Z", "active_at": "2026-01-31T08:10:00Z",
            "address": "203.0.113.7", "user_agent": "Mozilla/5.0", "current": true,
        }]})),
        (status = 401, description = "There is no session, or it is over", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Session { user, session }: Session,
) -> Result<Json<Sessions>, Problem> {
    let items = app.sessions_of(&user.value, &session).await?;
    let items = items.into_iter().map(|session| OpenSession {
        id: session.id,
        created_at: session.created_at.to_string(),
        active_at: session.active_at.to_string(),
        address: session.address.map(|address| address.to_string()),
        user_agent: session.agent,
        current: session.is_current,
    });
    Ok(Json(Sessions {
        items: items.collect(),
    }))
}

/// End one of your sessions
#[utoipa::path(
    delete,
    path = "/v1/sessions/{session}",
    operation_id = "endSession",
    tag = "session",
    security(("session" = [])),
    params(
        ("session" = String, Path, description = "The session's id"),
        ("Ringfence-Csrf" = String, Header, description = "The session's csrf_token"),
    ),
    responses(
        (status = 204, description = "It is over"),
        (status = 401, description = "There is no session, or it is over", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The token or the Origin is missing or wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "You have no such open session", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete(
    State(app): State<AppState>,
    Session { user, .. }: Session,
    Path(session): Path<String>,
) -> Result<StatusCode, Problem> {
    if app.end_session(&user.value, &session).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("session"))
    }
}
