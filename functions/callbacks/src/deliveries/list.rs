//! `GET /v1/accounts/{account}/deliveries`

use axum::{
    Json,
    extract::{Path, Query, State},
};
use jiff::Timestamp;
use ringfence_domain::{
    access::Scope,
    callback::{delivery::Status, log::Filter},
    id,
    settings::EndpointKind,
};
use ringfence_http::{AppState, Authenticated, Code, Problem, cursor, problem::ProblemBody};
use serde::Deserialize;
use serde_json::{Value, json};

/// What is searched for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    status: Option<String>,
    callback: Option<String>,
    since: Option<String>,
    until: Option<String>,
    call_id: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// Search the delivery log
///
/// Newest first. All conditions hold together. A page may hold fewer than `limit` although there is a
/// `next_cursor`: go on until that is null. What is in the queue and not yet tried shows only in a
/// search by `call_id`. Needs the scope `deliveries:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/deliveries",
    tag = "deliveries",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("status" = Option<String>, Query, description = "queued, delivered, retrying, waiting, held or failed"),
        ("callback" = Option<String>, Query, description = "cdr, call_status, predictive_task or operational"),
        ("since" = Option<String>, Query, description = "Events accepted at this instant or later (RFC 3339)"),
        ("until" = Option<String>, Query, description = "Events accepted before this instant (RFC 3339)"),
        ("call_id" = Option<String>, Query, description = "Deliveries about this call"),
        ("limit" = Option<u16>, Query, description = "1 to 100, 50 unless given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = serde_json::Value, example = json!({"items": [{
            "id": "dlv_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "account": "acc_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b",
            "kind": "cdr", "type": "cdr.created", "event_id": "evt-1042-c", "about": {"call": "call-1042"},
            "status": "retrying", "next_at": "2026-01-31T08:15:09Z", "failures": 1, "turn": 1,
            "attempts": [{"at": "2026-01-31T08:15:04Z", "latency_ms": 3, "ok": false, "status": 500,
                          "explanation": "The receiver answered 500 Internal Server Error; only a status from 200 to 299 counts as delivered."}],
        }], "next_cursor": null})),
        (status = 400, description = "A parameter is wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "The call has more events than are looked at together (10,000, or 16 MiB): search by time", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
    Query(search): Query<Search>,
) -> Result<Json<Value>, Problem> {
    let config = app
        .account(&caller, Scope::DeliveriesRead, &account)
        .await?;
    let filter = Filter {
        status: parameter("status", search.status.as_deref(), Status::parse)?,
        kind: parameter("callback", search.callback.as_deref(), EndpointKind::parse)?,
        since: instant("since", search.since.as_deref())?,
        until: instant("until", search.until.as_deref())?,
        call: search.call_id.clone(),
    };
    let limit = search.limit.unwrap_or(50);
    if !(1..=100).contains(&limit) {
        return Err(Problem::new(Code::InvalidQuery).detail("limit must be from 1 to 100."));
    }
    let conditions = [
        &search.status,
        &search.callback,
        &search.since,
        &search.until,
        &search.call_id,
    ]
    .map(|given| {
        given
            .as_deref()
            .map_or_else(|| "-".to_owned(), |value| format!("={value}"))
    });
    let mut scope = vec![config.account.id.as_str(), "deliveries"];
    scope.extend(conditions.iter().map(String::as_str));
    let before: Option<String> = search
        .cursor
        .as_deref()
        .map(|cursor| cursor::decode(&scope, cursor))
        .transpose()?;
    if before
        .as_deref()
        .is_some_and(|before| id::time_of(id::Kind::Delivery, before).is_none())
    {
        return Err(Problem::new(Code::InvalidCursor));
    }
    let page = app
        .deliveries(&config, &filter, limit, before.as_deref())
        .await?;
    let next = page.next.map(|next| cursor::encode(&scope, &next));
    Ok(Json(
        json!({ "items": page.deliveries, "next_cursor": next }),
    ))
}

fn parameter<T>(
    name: &str,
    value: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    value
        .map(|value| {
            parse(value).ok_or_else(|| {
                Problem::new(Code::InvalidQuery)
                    .detail(format!("{name} does not have one of its values."))
            })
        })
        .transpose()
}

fn instant(name: &str, value: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let parsed = value.map(str::parse).transpose();
    parsed.map_err(|_| {
        Problem::new(Code::InvalidQuery).detail(format!(
            "{name} must be an RFC 3339 time with an offset, like 2026-01-31T08:15:00Z (a + is written %2B)."
        ))
    })
}
