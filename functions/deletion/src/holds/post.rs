//! `POST /v1/accounts/{account}/holds`

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use ringfence_domain::{access::Scope, deletion::Target, event::PhoneNumber};
use ringfence_http::{AppState, Authenticated, Problem, StrictJson, problem::ProblemBody};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{HoldBody, shown};

/// What a legal hold is to be on: exactly one of the four.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HoldRequest {
    recording_id: Option<String>,
    call_id: Option<String>,
    /// Compared by its last nine digits: rather more is kept than less.
    number: Option<String>,
    /// true: the whole account.
    #[serde(default)]
    account: bool,
    /// 1 to 256 characters.
    reason: String,
}

/// Place a legal hold
///
/// On a recording, a call, a number or the whole account: what is there and what is still to come. From
/// this answer on nothing deletes it, neither by API nor by retention, nor a deletion that is under way
/// already; and links to it do not open. Needs the scope `holds:write`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/holds",
    tag = "deletion",
    params(("account" = String, Path, description = "The account's id")),
    request_body(content = HoldRequest, example = json!({"call_id": "call-1042", "reason": "Case 26-1042"})),
    responses(
        (status = 201, description = "It holds", body = HoldBody),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account or recording", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "There are too many holds on this", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 410, description = "The recording was deleted", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
    body: Result<StrictJson<HoldRequest>, Problem>,
) -> Result<Response, Problem> {
    let config = app.account(&caller, Scope::HoldsWrite, &account).await?;
    let StrictJson(body) = body?;
    let targets = [
        body.recording_id.map(Target::Recording),
        body.call_id.map(Target::Call),
        body.number.map(PhoneNumber::new).map(Target::Number),
        body.account.then_some(Target::Account),
    ];
    let mut targets = targets.into_iter().flatten();
    let (Some(target), None) = (targets.next(), targets.next()) else {
        return Err(Problem::field(
            "",
            "invalid_value",
            "must have exactly one of recording_id, call_id, number and account",
        ));
    };
    let hold = app
        .place_hold(&config.account.id, target, &body.reason, &caller.actor())
        .await?;
    let location = format!("/v1/accounts/{}/holds/{}", hold.account, hold.id);
    let mut response = (StatusCode::CREATED, Json(shown(&config, hold))).into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}
