//! `POST /v1/accounts/{account}/exports`

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use jiff::{Timestamp, civil::Date};
use ringfence_domain::{
    access::Scope,
    deletion::DateRange,
    export::{Kind, Order, Selection},
};
use ringfence_http::{AppState, Authenticated, Problem, StrictJson, problem::ProblemBody};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{ExportBody, shown};

/// What is to be exported: all that meet every condition.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportRequest {
    /// recordings
    #[schema(value_type = String)]
    kind: Kind,
    /// Begun at this instant or later (RFC 3339).
    since: Option<String>,
    /// Begun before this instant.
    until: Option<String>,
    /// In place of `since`: begun on this day of the account or later (`2026-01-31`).
    from_date: Option<String>,
    /// In place of `until`: begun before this day of the account.
    to_date: Option<String>,
    call_id: Option<String>,
    agent_id: Option<String>,
    team: Option<String>,
    tag: Option<String>,
    /// Seconds.
    shorter_than: Option<u32>,
    /// Whether each recording gets a link. false unless given.
    #[serde(default)]
    links: bool,
}

/// Export recordings
///
/// Makes a CSV file (RFC 4180, UTF-8) of the account's recordings that are available and meet every
/// condition, newest first. Its columns: `id`, `call_id`, `started_at`, `duration` (seconds), `agent_id`,
/// `team`, `from`, `to`, `tags` (with semicolons between), `content_type`, `size` (bytes), `redacted`, and
/// with `links` also `link` and `link_expires_at`. It holds what you see of recordings now: numbers are masked
/// where the account masks them in the console, and what access control hides is left out. What a
/// spreadsheet would take for a formula (`+49…` among them), at the beginning of a cell or behind a semicolon, tab
/// or line break in one, begins with an apostrophe.
///
/// Each link is made under the account's rules and good for its days; recordings under a legal hold have
/// none. A recording that is deleted later is gone behind its link too, but its row stays in the file. After
/// seven days the export goes with its file, and its links go on for their days, and answer 410 for half a year more;
/// delete it, and they are revoked. The file has no byte order mark: have a spreadsheet import it as UTF-8, its ids as text.
/// Three exports of an account are made at a time, of at most 1,000,000 recordings each; one that cannot be
/// made within six hours fails. Needs the scope `recordings:read`, and for `links` also `recordings:write`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/exports",
    tag = "exports",
    params(("account" = String, Path, description = "The account's id")),
    request_body(content = ExportRequest, example = json!({
        "kind": "recordings", "from_date": "2026-01-01", "to_date": "2026-02-01", "team": "sales", "links": true,
    })),
    responses(
        (status = 202, description = "Under way", body = ExportBody),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 403, description = "A scope is missing", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "Three are being made", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
    body: Result<StrictJson<ExportRequest>, Problem>,
) -> Result<Response, Problem> {
    let (config, reach) = app
        .account_data(&caller, Scope::RecordingsRead, &account)
        .await?;
    let StrictJson(body) = body?;
    let account = config.account.id.as_str();
    if body.links {
        app.account(&caller, Scope::RecordingsWrite, account)
            .await?;
    }
    let order = Order {
        kind: body.kind,
        links: body.links,
        selection: app.export_selection(&config, selection(body)?)?,
    };
    let export = app
        .start_export(account, order, &reach, &caller.actor())
        .await?;
    let location = format!("/v1/accounts/{account}/exports/{}", export.id);
    let mut response = (StatusCode::ACCEPTED, Json(shown(&config, export))).into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

fn selection(body: ExportRequest) -> Result<Selection, Problem> {
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
    let instant = |field: &str, text: Option<String>| {
        text.map(|text| {
            text.parse::<Timestamp>().map_err(|_| {
                Problem::field(field, "invalid_value", "must be an instant in RFC 3339")
            })
        })
        .transpose()
    };
    Ok(Selection {
        days: DateRange {
            from: day("from_date", body.from_date)?,
            to: day("to_date", body.to_date)?,
        },
        since: instant("since", body.since)?,
        until: instant("until", body.until)?,
        call: body.call_id,
        agent: body.agent_id,
        team: body.team,
        tag: body.tag,
        shorter_than: body.shorter_than,
        ..Selection::default()
    })
}
