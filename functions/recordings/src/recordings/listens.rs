//! `GET /v1/accounts/{account}/recordings/{recording}/listens`

use axum::{
    Json,
    extract::{Path, State},
};
use ringfence_domain::{
    access::{DataReach, Scope},
    recording::Listen,
};
use ringfence_http::{
    AppState, Authenticated, Code, PageQuery, Problem, cursor, problem::ProblemBody,
};
use serde_json::{Value, json};

/// That somebody listened, as far as the reader may know.
fn told(entry: &Listen, reach: &DataReach) -> Result<Value, Problem> {
    let mut told = serde_json::to_value(entry).map_err(|_| Problem::new(Code::Internal))?;
    if let Some(fields) = told.as_object_mut() {
        // Where others listen from, and by which key or link, is not for whoever sees its own calls only.
        let is_hidden = |name: &str| match name {
            "address" | "user" | "link" => reach.is_own(),
            "from_second" | "to_second" | "parts" => !reach.shows("duration"),
            _ => false,
        };
        fields.retain(|name, _| !is_hidden(name));
    }
    Ok(told)
}

/// Read who listened to a recording
///
/// Newest first: when, by which link or with which API key, from where, and what was asked for. What one
/// listener asks for within a minute is one entry: `from_second` and `to_second` hold all of it, and where it was
/// more than one part, `parts` has each. A call agent reads when and what only; who does not see durations is told
/// no seconds. Needs the scope `recordings:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/recordings/{recording}/listens",
    tag = "recordings",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("recording" = String, Path, description = "The recording's id"),
        ("limit" = Option<u16>, Query, description = "1 to 100, 50 unless given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = serde_json::Value, example = json!({"items": [{
            "id": "lsn_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "at": "2026-01-31T09:12:44Z",
            "recording": "rec_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "link": "lnk_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b",
            "address": "203.0.113.7", "from_byte": 0, "to_byte": 1_200_044, "from_second": 0, "to_second": 150,
        }], "next_cursor": null})),
        (status = 404, description = "No such account or recording", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, recording)): Path<(String, String)>,
    query: Result<PageQuery, Problem>,
) -> Result<Json<Value>, Problem> {
    let (config, reach) = app
        .account_data(&caller, Scope::RecordingsRead, &account)
        .await?;
    let query = query?;
    // Whose it is, before anything of it is read.
    let recording = app
        .recording_within(&reach, &config.account.id, &recording)
        .await?
        .0
        .recording;
    let scope = [config.account.id.as_str(), "listens", &recording.id];
    let after = query
        .cursor
        .as_deref()
        .map(|cursor| cursor::decode(&scope, cursor))
        .transpose()?;
    let (entries, next) = app.listens(&recording.id, query.limit, after).await?;
    let next = next.map(|next| cursor::encode(&scope, &next));
    let items: Vec<_> = entries
        .iter()
        .map(|entry| told(entry, &reach))
        .collect::<Result<_, _>>()?;
    Ok(Json(json!({ "items": items, "next_cursor": next })))
}
