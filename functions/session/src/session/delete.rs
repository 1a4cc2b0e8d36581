//! `DELETE /v1/session`

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode};
use ringfence_http::{
    AppState, Problem, cookies,
    problem::ProblemBody,
    session::{SESSION_COOKIE, Unmoved},
};

/// Log out
///
/// Ends the session; the device stays known.
#[utoipa::path(
    delete,
    path = "/v1/session",
    operation_id = "logOut",
    tag = "session",
    security(("session" = [])),
    params(("Ringfence-Csrf" = String, Header, description = "The session's csrf_token")),
    responses(
        (status = 204, description = "It is over"),
        (status = 401, description = "There is none, or it is over", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The token or the Origin is missing or wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete(
    State(app): State<AppState>,
    headers: HeaderMap,
    Unmoved(found): Unmoved,
) -> Result<Response, Problem> {
    app.log_out(&found.user.value.id, &found.session).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    let gone = cookies::clear(&app, &headers, SESSION_COOKIE);
    cookies::append(response.headers_mut(), [gone]);
    Ok(response)
}
