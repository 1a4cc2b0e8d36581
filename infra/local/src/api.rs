//! The HTTP face of the whole set: every function's routes, their `OpenAPI` document, and the pages that
//! explain them.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use bytes::Bytes;
use ringfence_domain::App;
use ringfence_http::{AppState, Code, Problem};
use ringfence_ports::Key;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;

use crate::pages;

/// The routes of every HTTP function. A new function is a line here.
pub fn functions() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(ringfence_ingest::router())
        .merge(ringfence_activities::router())
        .merge(ringfence_callbacks::router())
        .merge(ringfence_recordings::router())
        .merge(ringfence_playback::router())
        .merge(ringfence_deletion::router())
        .merge(ringfence_exports::router())
        .merge(ringfence_settings::router())
        .merge(ringfence_people::router())
        .merge(ringfence_session::router())
        .merge(ringfence_history::router())
        .merge(ringfence_notices::router())
}

/// What each tag of the functions' routes is about, in reading order.
const TAGS: &[(&str, &str)] = &[
    (
        "ingest",
        "Post what happens on the phones: in Ringfence's own terms, or as a known platform sends it.",
    ),
    (
        "calls",
        "Read the record that all events of a call give together.",
    ),
    (
        "callbacks",
        "Test, pause, resume and replay an account's callbacks.",
    ),
    (
        "deliveries",
        "What was sent, when, and what came back; send one again.",
    ),
    (
        "recordings",
        "Register, upload, search and play recordings; make and revoke links to them; read who listened.",
    ),
    (
        "playback",
        "What stands behind a link to a recording, for whoever was sent one.",
    ),
    (
        "deletion",
        "Delete recordings, one or many, with a receipt that can be checked; keep what a legal hold keeps.",
    ),
    (
        "exports",
        "Recordings as a file for spreadsheets, each with a link where that is wanted.",
    ),
    (
        "settings",
        "Agencies and accounts: where callbacks go, how they are signed and shaped, what is masked, and the \
         keys of this API.",
    ),
    (
        "people",
        "Who logs in, with which role; access control groups, teams, and support access.",
    ),
    (
        "session",
        "Log in and out, with a second factor; invitations, new passwords, and what you log in with.",
    ),
    ("history", "Who changed what, and when."),
    (
        "notices",
        "Billing notices to those who administer an account; mails that could not be sent.",
    ),
];

/// Everything that the set serves, over `app`.
pub fn router(app: Arc<App>, public_url: Option<&str>) -> Router {
    let (routes, _) = functions().split_for_parts();
    let document = openapi(public_url);
    let text = Bytes::from(document.to_string());
    let docs = Bytes::from(pages::docs(&document));
    routes
        .route("/healthz", get(health))
        .with_state(app)
        .route("/", get(async || Redirect::temporary("/docs")))
        .route(
            "/openapi.json",
            get(async move || typed("application/json", text)),
        )
        .route("/docs", get(async move || page(docs)))
        .route(
            "/docs/style.css",
            get(async || {
                typed(
                    "text/css; charset=utf-8",
                    Bytes::from_static(pages::STYLE.as_bytes()),
                )
            }),
        )
        .route(
            "/problems",
            get(async || page(Bytes::from(pages::problems()))),
        )
        .route("/problems/{code}", get(problem))
}

/// The `OpenAPI` document of the whole set.
pub fn openapi(public_url: Option<&str>) -> Value {
    let mut document = serde_json::to_value(functions().into_openapi()).unwrap_or_default();
    document["info"] = json!({
        "title": "Ringfence",
        "version": env!("CARGO_PKG_VERSION"),
        "summary": "Call events in, signed callbacks out.",
        "description": "Voice platforms post call events; integrators get signed callbacks \
            (Standard Webhooks). Errors are problem+json (RFC 9457): `type` names one of /problems, `next` \
            says what to do. Times are RFC 3339. Changes of settings need If-Match with the ETag that was \
            read.",
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    });
    document["servers"] = json!([{"url": public_url.unwrap_or("/")}]);
    name_operations(&mut document);
    let used = tags_of(&document);
    document["tags"] = TAGS
        .iter()
        .filter(|(name, _)| used.iter().any(|tag| tag == name))
        .map(|(name, about)| json!({"name": name, "description": about}))
        .collect();
    document["components"]["securitySchemes"] = json!({
        "bearer": {
            "type": "http", "scheme": "bearer",
            "description": "An API key (`rfk_…`).",
        },
        "basic": {
            "type": "http", "scheme": "basic",
            "description": "An API key as the password, with any user name: for platforms that take a URL \
                with user and password only.",
        },
        "session": {
            "type": "apiKey", "in": "cookie", "name": "__Host-ringfence",
            "description": "A person's session. What changes something needs the header `Ringfence-Csrf` with the \
                session's csrf_token as well, and an `Origin` of this installation's.",
        },
    });
    document["security"] = json!([{"bearer": []}, {"basic": []}, {"session": []}]);
    document
}

/// Handlers are named after their method, one to a file; an operation is named after what it does.
fn name_operations(document: &mut Value) {
    let items = document["paths"].as_object_mut().into_iter().flatten();
    for (method, operation) in items.filter_map(|(_, item)| item.as_object_mut()).flatten() {
        if operation["operationId"] == method.as_str()
            && let Some(summary) = operation["summary"].as_str()
        {
            operation["operationId"] = camel_case(summary).into();
        }
    }
}

fn camel_case(text: &str) -> String {
    let words = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !matches!(*word, "" | "a" | "an" | "the"));
    let mut name = String::new();
    for word in words {
        let (first, rest) = word.split_at(1);
        if name.is_empty() {
            name.push_str(&first.to_ascii_lowercase());
        } else {
            name.push_str(&first.to_ascii_uppercase());
        }
        name.push_str(rest);
    }
    name
}

/// The tags that operations carry.
fn tags_of(document: &Value) -> Vec<String> {
    let mut tags: Vec<String> = pages::operations(document)
        .filter_map(|(_, _, operation)| operation["tags"].as_array())
        .flatten()
        .filter_map(|tag| tag.as_str().map(str::to_owned))
        .collect();
    tags.sort();
    tags.dedup();
    tags
}

/// Whether the store answers.
async fn health(State(app): State<AppState>) -> Result<Json<Value>, Problem> {
    app.table.get(&Key::new("health", "health")).await?;
    Ok(Json(
        json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}),
    ))
}

/// What a problem's `type` leads to: a page for people, the same as JSON for programs.
async fn problem(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let code = Code::ALL
        .into_iter()
        .find(|code| code.as_str() == name)
        .ok_or_else(|| Problem::not_found("problem"))?;
    let for_people = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    Ok(if for_people {
        page(Bytes::from(pages::problem(code)))
    } else {
        Json(json!({
            "type": format!("/problems/{}", code.as_str()),
            "status": code.status().as_u16(),
            "title": code.title(),
            "next": code.next(),
        }))
        .into_response()
    })
}

fn typed(content_type: &'static str, body: Bytes) -> Response {
    (
        [(header::CONTENT_TYPE, HeaderValue::from_static(content_type))],
        body,
    )
        .into_response()
}

fn page(body: Bytes) -> Response {
    let mut response = typed("text/html; charset=utf-8", body);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}
