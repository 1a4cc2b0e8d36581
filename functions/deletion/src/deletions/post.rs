//! `POST /v1/accounts/{account}/deletions`

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use jiff::civil::Date;
use ringfence_domain::{
    access::Scope,
    deletion::{self, Batch, DateRange, Order, Selection},
    event::PhoneNumber,
    settings::AccountConfig,
};
use ringfence_http::{AppState, Authenticated, Problem, StrictJson, problem::ProblemBody};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{DEFAULT_REASON, DeletionBody, shown};

/// What is to be deleted: all of a call, or all that meet every condition.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeletionRequest {
    /// All recordings of this call, and nothing else is given.
    call_id: Option<String>,
    /// Begun on this day of the account or later (`2026-01-31`).
    from_date: Option<String>,
    /// Begun before this day of the account.
    to_date: Option<String>,
    agent_id: Option<String>,
    team: Option<String>,
    /// From or to this number.
    number: Option<String>,
    tag: Option<String>,
    /// Seconds.
    shorter_than: Option<u32>,
    /// The recordings and their calls say so afterwards. 1 to 256 characters.
    reason: Option<String>,
    /// Only count: nothing is deleted. false unless given.
    #[serde(default)]
    dry_run: bool,
}

/// Delete recordings
///
/// All of a call, or all that meet every condition. Days are those of the account's time zone, from the
/// beginning of `from_date` up to the beginning of `to_date`. What is registered after this request is
/// not meant. With `dry_run` the answer has exact counts and bytes, and nothing is deleted; 202 where
/// counting takes longer: read the deletion until it is done. Needs the scope `deletion:write`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/deletions",
    tag = "deletion",
    params(("account" = String, Path, description = "The account's id")),
    request_body(content = DeletionRequest, example = json!({
        "from_date": "2026-01-01", "to_date": "2026-02-01", "team": "sales", "reason": "end of contract", "dry_run": true,
    })),
    responses(
        (status = 200, description = "Counted", body = DeletionBody),
        (status = 202, description = "Under way", body = DeletionBody),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
    body: Result<StrictJson<DeletionRequest>, Problem>,
) -> Result<Response, Problem> {
    let config = app.account(&caller, Scope::DeletionWrite, &account).await?;
    let StrictJson(mut body) = body?;
    let order = Order {
        reason: body
            .reason
            .take()
            .unwrap_or_else(|| DEFAULT_REASON.to_owned()),
        dry_run: body.dry_run,
        selection: selection(&app, &config, body)?,
    };
    let job = app
        .delete_recordings(&config.account.id, order, &caller.actor())
        .await?;
    let status = if job.state == deletion::State::Done {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    let location = format!("/v1/accounts/{}/deletions/{}", job.account, job.id);
    let mut response = (status, Json(shown(&app, &config, job).await?)).into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

fn selection(
    app: &AppState,
    config: &AccountConfig,
    body: DeletionRequest,
) -> Result<Selection, Problem> {
    let day = |field: &str, text: Option<String>| {
        text.map(|text| {
            // Only the plain form: jiff reads more than a day.
            let fits = text.len() == 10;
            text.parse::<Date>().ok().filter(|_| fits).ok_or_else(|| {
                Problem::field(field, "invalid_value", "must be a day like 2026-01-31")
            })
        })
        .transpose()
    };
    let batch = Batch {
        days: DateRange {
            from: day("from_date", body.from_date)?,
            to: day("to_date", body.to_date)?,
        },
        agent: body.agent_id,
        team: body.team,
        number: body.number.map(PhoneNumber::new),
        tag: body.tag,
        shorter_than: body.shorter_than,
        ..Batch::default()
    };
    let Some(call) = body.call_id else {
        return Ok(Selection::Batch(app.batch(config, batch)?));
    };
    if batch != Batch::default() {
        return Err(Problem::field(
            "call_id",
            "invalid_value",
            "stands alone: all recordings of the call are meant",
        ));
    }
    if !(1..=512).contains(&call.len()) {
        return Err(Problem::field(
            "call_id",
            "invalid_value",
            "must be 1 to 512 bytes",
        ));
    }
    Ok(Selection::Call { call })
}
