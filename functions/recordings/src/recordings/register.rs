//! `POST /v1/accounts/{account}/recordings`

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use ringfence_domain::{
    access::Scope,
    event::PhoneNumber,
    recording::{Facts, UPLOAD_TTL},
};
use ringfence_http::{AppState, Authenticated, Problem, StrictJson, problem::ProblemBody};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{RecordingBody, shown};

/// What a platform says of a recording.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Registration {
    call_id: String,
    /// RFC 3339.
    started_at: String,
    /// Seconds.
    duration: u32,
    /// audio/wav, audio/mpeg, audio/ogg, audio/flac or audio/mp4.
    content_type: String,
    /// Bytes.
    size: u64,
    /// SHA-256 of the file, 64 hexadecimal digits.
    sha256: String,
    /// Your own id: registered again under it, it is the same recording.
    external_id: Option<String>,
    agent_id: Option<String>,
    team: Option<String>,
    from: Option<String>,
    to: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
}

/// A recording that was registered.
#[derive(Serialize, ToSchema)]
pub(crate) struct RegisteredBody {
    #[serde(flatten)]
    recording: RecordingBody,
    /// How to send the audio; absent: it is there already.
    #[serde(skip_serializing_if = "Option::is_none")]
    upload: Option<Upload>,
}

/// How to send the audio.
#[derive(Serialize, ToSchema)]
pub(crate) struct Upload {
    method: &'static str,
    /// Where to. A path is one of this server's; one under `/v1/` needs the API key.
    url: String,
    /// Within this time the upload must begin; absent: whenever.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
    /// Send these as they are.
    headers: BTreeMap<String, String>,
}

/// Register a recording
///
/// Answers where to put the audio: a URL that takes exactly the announced file for a minute, or, where
/// Ringfence encrypts the account's audio itself, a path of this API. When it has arrived, the
/// recording becomes available and is announced to the callback `cdr` as `recording.available`, with a
/// link. Needs the scope `recordings:write`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/recordings",
    tag = "recordings",
    params(("account" = String, Path, description = "The account's id")),
    request_body(content = Registration, example = json!({
        "call_id": "call-1042", "started_at": "2026-01-31T08:15:09Z", "duration": 150, "content_type": "audio/wav",
        "size": 1_200_044, "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "agent_id": "ada", "team": "sales", "tags": ["inbound"],
    })),
    responses(
        (status = 201, description = "Registered", body = RegisteredBody),
        (status = 200, description = "It was registered under this external_id before", body = RegisteredBody),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "The external_id belongs to other audio", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path(account): Path<String>,
    body: Result<StrictJson<Registration>, Problem>,
) -> Result<Response, Problem> {
    let config = app
        .account(&caller, Scope::RecordingsWrite, &account)
        .await?;
    let StrictJson(body) = body?;
    let registered = app.register_recording(&config, facts(body)?).await?;
    let recording = registered.recording;
    let location = format!(
        "/v1/accounts/{}/recordings/{}",
        recording.account, recording.id
    );
    let is_pending = recording.status == ringfence_domain::recording::Status::Pending;
    let upload = is_pending.then(|| match registered.upload {
        Some(link) => Upload {
            method: "PUT",
            url: link.url,
            expires_in: Some(UPLOAD_TTL.as_secs()),
            headers: link.headers.into_iter().collect(),
        },
        None => Upload {
            method: "PUT",
            url: format!("{location}/audio"),
            expires_in: None,
            headers: BTreeMap::from([("content-type".to_owned(), recording.content_type.clone())]),
        },
    });
    let status = if registered.is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let body = RegisteredBody {
        recording: shown(&config, recording),
        upload,
    };
    let mut response = (status, Json(body)).into_response();
    // It holds a URL that whoever has it may write to.
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

fn facts(body: Registration) -> Result<Facts, Problem> {
    let started_at: Timestamp = body.started_at.parse().map_err(|_| {
        Problem::field(
            "started_at",
            "invalid_value",
            "must be an instant in RFC 3339",
        )
    })?;
    let sha256 = sha256(&body.sha256).ok_or_else(|| {
        Problem::field("sha256", "invalid_value", "must be 64 hexadecimal digits")
    })?;
    Ok(Facts {
        call_id: body.call_id,
        started_at,
        duration: body.duration,
        content_type: body.content_type,
        size: Some(body.size),
        sha256: Some(sha256),
        external_id: body.external_id,
        agent_id: body.agent_id,
        team: body.team,
        from: body.from.map(PhoneNumber::new),
        to: body.to.map(PhoneNumber::new),
        tags: body.tags,
    })
}

fn sha256(text: &str) -> Option<[u8; 32]> {
    ringfence_domain::recording::parse_sha256(text)
}
