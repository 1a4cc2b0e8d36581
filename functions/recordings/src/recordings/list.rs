//! `GET /v1/accounts/{account}/recordings`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::{
    access::Scope,
    id,
    recording::{Filter, Status},
};
use ringfence_http::{
    AppState, Authenticated, Code, MAX_PAGE_ITEMS, Problem, StrictQuery, cursor,
    problem::ProblemBody,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::seen;
use crate::query::{instant, parameter};

/// What is searched for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    since: Option<String>,
    until: Option<String>,
    call_id: Option<String>,
    agent_id: Option<String>,
    team: Option<String>,
    tag: Option<String>,
    status: Option<String>,
    shorter_than: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// Search recordings
///
/// Newest first, by when they began. All conditions hold together. A page may hold fewer than `limit`
/// although there is a `next_cursor`: go on until that is null. Needs the scope `recordings:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/recordings",
    tag = "recordings",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("since" = Option<String>, Query, description = "Begun at this instant or later (RFC 3339)"),
        ("until" = Option<String>, Query, description = "Begun before this instant (RFC 3339)"),
        ("call_id" = Option<String>, Query, description = "Of this call"),
        ("agent_id" = Option<String>, Query, description = "Of this agent"),
        ("team" = Option<String>, Query, description = "Of this team"),
        ("tag" = Option<String>, Query, description = "With this label"),
        ("status" = Option<String>, Query, description = "pending, available, refused or deleted"),
        ("shorter_than" = Option<u32>, Query, description = "Shorter than so many seconds"),
        ("limit" = Option<u16>, Query, description = "1 to 100, 50 unless given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = serde_json::Value, example = json!({"items": [{
            "id": "rec_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "account_id": "acc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b",
            "call_id": "call-1042", "status": "available", "started_at": "2026-01-31T08:15:09Z", "duration": 150,
            "content_type": "audio/wav", "size": 1_200_044, "agent_id": "ada", "team": "sales", "tags": ["inbound"],
            "has_pin": false, "encryption": "provider", "held": false, "redacted": false, "has_original": false,
            "created_at": "2026-01-31T08:18:01Z", "stored_at": "2026-01-31T08:18:02Z",
        }], "next_cursor": null})),
        (status = 400, description = "A parameter is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
    search: Result<StrictQuery<Search>, Problem>,
) -> Result<Json<Value>, Problem> {
    let (config, reach) = app
        .account_data(&caller, Scope::RecordingsRead, &account)
        .await?;
    let StrictQuery(search) = search?;
    let limit = search.limit.unwrap_or(50);
    if !(1..=MAX_PAGE_ITEMS).contains(&limit) {
        return Err(Problem::new(Code::InvalidQuery)
            .detail(format!("limit must be from 1 to {MAX_PAGE_ITEMS}.")));
    }
    let given = [
        &search.since,
        &search.until,
        &search.call_id,
        &search.agent_id,
        &search.team,
        &search.tag,
        &search.status,
        &search.shorter_than,
    ]
    .map(|given| {
        given
            .as_deref()
            .map_or_else(|| "-".to_owned(), |value| format!("={value}"))
    });
    let mut scope = vec![config.account.id.as_str(), "recordings"];
    scope.extend(given.iter().map(String::as_str));
    let before: Option<String> = search
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
    let filter = Filter {
        since: parameter("since", search.since.as_deref(), instant)?,
        until: parameter("until", search.until.as_deref(), instant)?,
        call: search.call_id.clone(),
        agent: search.agent_id.clone(),
        team: search.team.clone(),
        tag: search.tag.clone(),
        status: parameter("status", search.status.as_deref(), Status::parse)?,
        shorter_than: parameter("shorter_than", search.shorter_than.as_deref(), |n| {
            n.parse().ok()
        })?,
    };
    // An id that no recording can have: nothing, rather than a key that the store refuses.
    let too_long = [&filter.call, &filter.agent, &filter.team]
        .into_iter()
        .flatten()
        .any(|id| id.is_empty() || id.len() > 512);
    if too_long {
        return Ok(Json(json!({ "items": [], "next_cursor": null })));
    }
    let mut page = app
        .recordings_within(
            &reach,
            &config.account.id,
            &filter,
            limit,
            before.as_deref(),
        )
        .await?;
    app.mark_held(&config.account.id, &mut page.recordings)
        .await?;
    let items: Vec<_> = page
        .recordings
        .into_iter()
        .map(|recording| seen(&config, &reach, recording))
        .collect::<Result<_, _>>()?;
    let next = page.next.map(|next| cursor::encode(&scope, &next));
    Ok(Json(json!({ "items": items, "next_cursor": next })))
}
