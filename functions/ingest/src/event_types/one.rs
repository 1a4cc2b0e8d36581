//! `GET /v1/event-types/{type}`

use axum::{Json, extract::Path};
use http::header;
use ringfence_domain::event::schema;
use ringfence_http::{Problem, problem::ProblemBody};
use serde_json::Value;

/// Read the JSON Schema of an event type
///
/// Needs no key.
#[utoipa::path(
    get,
    path = "/v1/event-types/{type}",
    tag = "ingest",
    security(()),
    params(("type" = String, Path, description = "An event type", example = "cdr.created")),
    responses(
        (status = 200, description = "The schema", body = serde_json::Value, content_type = "application/schema+json"),
        (status = 404, description = "No such type", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    Path(name): Path<String>,
) -> Result<([(header::HeaderName, &'static str); 1], Json<Value>), Problem> {
    let found = schema::all()
        .into_iter()
        .find(|one| one.event_type.as_str() == name);
    let found = found.ok_or_else(|| Problem::not_found("event type"))?;
    Ok((
        [(header::CONTENT_TYPE, "application/schema+json")],
        Json(found.schema),
    ))
}
