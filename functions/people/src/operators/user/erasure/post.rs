//! `POST /v1/operators/{user}/erasure`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::access::Scope;
use ringfence_http::{AppState, Authenticated, Problem, problem::ProblemBody};

use crate::users::ErasureBody;

/// Erase somebody who was removed from the operator's team
///
/// For somebody who was removed. Name, mail address and everything about its logins go, and so do its
/// personal values in every change history that holds any, of the agency, its accounts and the platform:
/// what was recorded of it, and from which addresses it acted. Entries stay, with commitments in place of
/// the values, and the chains stay valid. While `more` is true, ask again. The erasure itself is on
/// record; what was written within the last second may be missed, so ask again a minute later. Needs the
/// scope `admin`.
#[utoipa::path(
    post,
    path = "/v1/operators/{user}/erasure",
    operation_id = "eraseOperator",
    tag = "people",
    params(
        ("user" = String, Path, description = "The user's id, `usr_…`"),
    ),
    responses(
        (status = 200, description = "What was erased with this request", body = ErasureBody, example = json!({"entries": 12, "more": false})),
        (status = 403, description = "The scope is missing", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such resource or user", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "It was not removed", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(user): Path<String>,
) -> Result<Json<ErasureBody>, Problem> {
    let desk = app.people_of_platform(&caller, Scope::Admin)?;
    let done = app.erase_person(&desk, &user, &caller).await?;
    Ok(Json(done.into()))
}
