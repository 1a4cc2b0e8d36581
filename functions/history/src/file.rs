//! An export, part by part.

use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, header};
use ringfence_domain::{App, history::ExportFrom};
use ringfence_http::{Problem, cursor};
use serde::Deserialize;

use crate::page::instant;

/// Which part of which entries.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportQuery {
    since: Option<String>,
    until: Option<String>,
    personal: Option<bool>,
    cursor: Option<String>,
}

/// The part that is asked for; `path`: where the next one is.
pub(crate) async fn part_of(
    app: &App,
    owner: &str,
    path: &str,
    query: ExportQuery,
) -> Result<Response, Problem> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let (since, until) = (text(&query.since), text(&query.until));
    let personal = query.personal.unwrap_or(true);
    let scope = [
        owner,
        "history-export",
        &since,
        &until,
        if personal { "whole" } else { "bare" },
    ];
    let from: ExportFrom = if let Some(cursor) = query.cursor.as_deref() {
        cursor::decode(&scope, cursor)?
    } else {
        let since = instant("since", query.since.as_deref())?;
        let until = instant("until", query.until.as_deref())?;
        app.history_export(owner, since, until).await?
    };
    let export = app.export_history(owner, from, personal).await?;
    let mut body = export.text;
    let mut link = None;
    if let Some(next) = export.next {
        let cursor = cursor::encode(&scope, &next);
        body.push_str(&serde_json::json!({ "next": cursor }).to_string());
        body.push('\n');
        let mut pairs = vec![("cursor", cursor)];
        pairs.extend(query.since.map(|since| ("since", since)));
        pairs.extend(query.until.map(|until| ("until", until)));
        pairs.extend(
            query
                .personal
                .map(|personal| ("personal", personal.to_string())),
        );
        let query = serde_urlencoded::to_string(pairs).unwrap_or_default();
        link = HeaderValue::from_str(&format!("<{path}?{query}>; rel=\"next\"")).ok();
    }
    let mut response = (
        [
            (header::CONTENT_TYPE, "application/x-ndjson"),
            (header::CACHE_CONTROL, "no-store"),
        ],
        body,
    )
        .into_response();
    let name = format!("attachment; filename=\"history-{owner}.ndjson\"");
    if let Ok(name) = HeaderValue::from_str(&name) {
        response
            .headers_mut()
            .insert(header::CONTENT_DISPOSITION, name);
    }
    if let Some(link) = link {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}
