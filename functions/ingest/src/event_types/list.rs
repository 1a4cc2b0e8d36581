//! `GET /v1/event-types`

use axum::Json;
use ringfence_domain::event::schema;
use serde_json::{Value, json};

/// List event types
///
/// Every type of event that is taken in and sent out: the callback that carries it, its JSON Schema
/// (2020-12) and an example. Needs no key.
#[utoipa::path(
    get,
    path = "/v1/event-types",
    tag = "ingest",
    security(()),
    responses((status = 200, description = "The types", body = serde_json::Value)),
)]
pub(crate) async fn get() -> Json<Value> {
    Json(json!({ "items": schema::all() }))
}
