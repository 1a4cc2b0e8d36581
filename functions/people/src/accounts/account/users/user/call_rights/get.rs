//! `GET /v1/accounts/{account}/users/{user}/call-rights`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::{
    access::Scope,
    people::{CallRights, PeopleError},
};
use ringfence_http::{AppState, Authenticated, Problem, StrictQuery, problem::ProblemBody};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::users::switch;

/// What is asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    transfer_to: Option<String>,
}

/// What a user may do with calls while they last.
#[derive(Serialize, ToSchema)]
#[schema(as = CallRights)]
pub(crate) struct CallRightsBody {
    /// enabled or disabled: whether it may listen to calls while they last.
    live_listening: &'static str,
    /// The teams to whose members it may transfer a call; null: to everybody.
    transfer_to: Option<Vec<String>>,
    /// Whether it may transfer a call to the user that was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    may_transfer: Option<bool>,
}

/// Ask what a user may do with a call
///
/// For the voice platform, before it lets somebody listen to a call or transfers one: what the user's
/// teams say together. In several teams it may what any of them allows; in none nothing limits it; who is
/// suspended may nothing. Ringfence itself is not in the way of calls: the platform asks, and acts on the
/// answer. Needs the scope `people:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/users/{user}/call-rights",
    operation_id = "readCallRights",
    tag = "people",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("user" = String, Path, description = "The user's id, `usr_…`"),
        ("transfer_to" = Option<String>, Query, description = "The id of another user of the account: whether a call may be transferred there"),
    ),
    responses(
        (status = 200, description = "What it may", body = CallRightsBody, example = json!({"live_listening": "disabled", "transfer_to": ["tea_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b"], "may_transfer": true})),
        (status = 400, description = "A parameter is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "The scope is missing", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account or user", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, user)): Path<(String, String)>,
    asked: Result<StrictQuery<Asked>, Problem>,
) -> Result<Json<CallRightsBody>, Problem> {
    let desk = app
        .people_of_account(&caller, Scope::PeopleRead, &account)
        .await?;
    let asked = asked?.0;
    let user = app.read_person(&desk, &user).await?.value;
    let teams = |user: &ringfence_domain::people::User| {
        user.grant_on(&desk.owner)
            .map(|grant| grant.teams.clone())
            .unwrap_or_default()
    };
    let rights = if user.is_active() {
        let found = app
            .teams_named(&account, &teams(&user))
            .await
            .map_err(PeopleError::from)?;
        CallRights::of(found.iter())
    } else {
        CallRights::none()
    };
    let may_transfer = match asked.transfer_to {
        Some(other) => {
            let other = app.read_person(&desk, &other).await?.value;
            Some(other.is_active() && rights.may_transfer_to(&teams(&other)))
        }
        None => None,
    };
    Ok(Json(CallRightsBody {
        live_listening: switch(rights.live_listening),
        transfer_to: rights.transfer_to,
        may_transfer,
    }))
}
