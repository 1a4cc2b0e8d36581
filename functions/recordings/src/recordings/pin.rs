//! `PUT` and `DELETE /v1/accounts/{account}/recordings/{recording}/pin`

use axum::extract::{Path, State};
use http::StatusCode;
use ringfence_domain::{access::Scope, pin::Pin};
use ringfence_http::{AppState, Authenticated, Problem, StrictJson, problem::ProblemBody};
use serde::Deserialize;
use utoipa::ToSchema;

/// A PIN. Written and never read.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PinBody {
    /// 4 to 12 digits.
    #[schema(pattern = "^[0-9]{4,12}$")]
    pin: String,
}

/// Set a recording's own PIN
///
/// Its links then ask for this one, whatever the account's settings ask. Whoever was let in by an
/// earlier one is asked again. Needs the scope `recordings:write`.
#[utoipa::path(
    put,
    path = "/v1/accounts/{account}/recordings/{recording}/pin",
    tag = "recordings",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("recording" = String, Path, description = "The recording's id"),
    ),
    request_body(content = PinBody, example = json!({"pin": "402817"})),
    responses(
        (status = 204, description = "It is set"),
        (status = 400, description = "It is no PIN", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account or recording", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn put(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, recording)): Path<(String, String)>,
    body: Result<StrictJson<PinBody>, Problem>,
) -> Result<StatusCode, Problem> {
    let config = app
        .account(&caller, Scope::RecordingsWrite, &account)
        .await?;
    let pin = Pin::parse(&body?.0.pin).ok_or_else(|| {
        Problem::field("pin", "invalid_pin", "must be 4 to 12 digits, as a string")
    })?;
    app.set_recording_pin(&config.account.id, &recording, Some(pin), &caller.actor())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take a recording's own PIN away
///
/// Its links then ask what the account's settings ask. Needs the scope `recordings:write`.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{account}/recordings/{recording}/pin",
    tag = "recordings",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("recording" = String, Path, description = "The recording's id"),
    ),
    responses(
        (status = 204, description = "It has none"),
        (status = 404, description = "No such account or recording", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, recording)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let config = app
        .account(&caller, Scope::RecordingsWrite, &account)
        .await?;
    app.set_recording_pin(&config.account.id, &recording, None, &caller.actor())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
