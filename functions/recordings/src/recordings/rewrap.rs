//! `POST /v1/accounts/{account}/recordings/rewrap`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::{access::Scope, id};
use ringfence_http::{
    AppState, Authenticated, Code, Problem, StrictJson, cursor, problem::ProblemBody,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How many recordings one request looks at: each costs two calls of the key service.
const AT_A_TIME: usize = 100;

/// Where to go on.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RewrapRequest {
    /// `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// How far it came.
#[derive(Serialize, ToSchema)]
pub(crate) struct RewrapBody {
    /// Data keys that were wrapped anew.
    rewrapped: usize,
    /// Send it to go on; null: all are done.
    next_cursor: Option<String>,
}

/// Wrap the recordings' keys anew
///
/// After the account's key was changed: the data keys of recordings that Ringfence encrypts are opened with
/// the old key and wrapped under the new one. The audio is not touched, and plays meanwhile. A request does a
/// hundred recordings, newest first: go on until `next_cursor` is null. Recordings that only the customer
/// opens stay as they are. Needs the scope `recordings:write`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/recordings/rewrap",
    tag = "recordings",
    params(("account" = String, Path, description = "The account's id")),
    request_body(content = RewrapRequest, example = json!({})),
    responses(
        (status = 200, description = "How far it came", body = RewrapBody, example = json!({"rewrapped": 42, "next_cursor": null})),
        (status = 400, description = "The cursor is of something else", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
    body: Result<Option<StrictJson<RewrapRequest>>, Problem>,
) -> Result<Json<RewrapBody>, Problem> {
    let config = app
        .account(&caller, Scope::RecordingsWrite, &account)
        .await?;
    let body = body?.map(|StrictJson(body)| body).unwrap_or_default();
    let scope = [config.account.id.as_str(), "rewrap"];
    let before: Option<String> = body
        .cursor
        .as_deref()
        .map(|cursor| cursor::decode(&scope, cursor))
        .transpose()?;
    if before
        .as_deref()
        .is_some_and(|before| !id::Kind::Recording.matches(before))
    {
        return Err(Problem::new(Code::InvalidCursor));
    }
    let done = app
        .rewrap_recordings(
            &config.account.id,
            AT_A_TIME,
            before.as_deref(),
            &caller.actor(),
        )
        .await?;
    Ok(Json(RewrapBody {
        rewrapped: done.count,
        next_cursor: done.next.map(|next| cursor::encode(&scope, &next)),
    }))
}
