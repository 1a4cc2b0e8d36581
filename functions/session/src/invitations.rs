//! `POST /v1/invitations/accept`

use axum::{extract::State, response::Response};
use http::HeaderMap;
use ringfence_domain::session::{SessionError, Ticket};
use ringfence_http::{
    AppState, OpenJson, Problem,
    problem::ProblemBody,
    session::{From, of, refuse_foreign_origin},
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::answer::{self, SessionBody};

/// Somebody who was invited.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acceptance {
    /// What the link in the mail ends with.
    token: String,
    /// What people call you, unless it is right already.
    name: Option<String>,
    /// 15 characters or more; 8, where the agency requires a second factor.
    #[schema(format = Password)]
    password: String,
}

/// Accept an invitation
///
/// By the link that was mailed, which works once, for 72 hours: sets the password, and logs in.
#[utoipa::path(
    post,
    path = "/v1/invitations/accept",
    operation_id = "acceptInvitation",
    tag = "session",
    security(()),
    request_body(content = Acceptance, example = json!({"token": "usr_019bff2a5c1c7345a2d4c25c51bb42ed.…", "name": "Ada Lovelace", "password": "correct horse battery staple"})),
    responses(
        (status = 201, description = "Logged in: the session's cookie", body = SessionBody),
        (status = 400, description = "A field is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "Another site's page sent this", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 410, description = "The link was used, or its time is over", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn accept(
    State(app): State<AppState>,
    headers: HeaderMap,
    From(visitor): From,
    body: Result<OpenJson<Acceptance>, Problem>,
) -> Result<Response, Problem> {
    refuse_foreign_origin(&app, &headers)?;
    let Acceptance {
        token,
        name,
        password,
    } = body?.0;
    let password = answer::password("password", &password)?;
    let ticket = Ticket::parse(&token).ok_or_else(|| of(&app, SessionError::LinkOver))?;
    let new = app
        .accept_invitation(&ticket, name.as_deref(), password, &visitor)
        .await
        .map_err(|error| of(&app, error))?;
    answer::begun(&app, &headers, &new).await
}
