//! `GET` and `POST /v1/accounts/{account}/recordings/{recording}/redactions`

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use ringfence_domain::{
    access::Scope,
    redaction::{self, Order, Redaction, StoredSpan},
};
use ringfence_http::{
    AppState, Authenticated, PageQuery, Problem, StrictJson, cursor, problem::ProblemBody,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a recording says where nobody gave a reason.
const DEFAULT_REASON: &str = "redacted on request";

/// A stretch of time, half open.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpanBody {
    /// Where it begins, milliseconds from the recording's start.
    start_ms: u64,
    /// Before which it ends.
    end_ms: u64,
}

/// What is heard in the spans.
#[derive(Clone, Copy, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReplacementBody {
    /// Nothing.
    #[default]
    Silence,
    /// A low, quiet tone. Only WAV takes it.
    Tone,
}

/// What is to become inaudible.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedactionRequest {
    /// 1 to 1,000, in any order; they may overlap. Each must begin within the audio.
    spans: Vec<SpanBody>,
    /// silence unless given.
    #[serde(default)]
    replacement: ReplacementBody,
    /// Keep the audio as it came, for those who may delete it. Otherwise it is destroyed, and with it an
    /// original that an earlier redaction kept.
    #[serde(default)]
    keep_original: bool,
    /// 1 to 256 characters.
    reason: Option<String>,
}

/// A redaction of a recording.
#[derive(Serialize, ToSchema)]
pub(crate) struct RedactionBody {
    id: String,
    recording_id: String,
    /// running, done or failed
    #[schema(value_type = String)]
    state: redaction::State,
    spans: Vec<SpanBody>,
    replacement: ReplacementBody,
    keep_original: bool,
    reason: String,
    requested_by: String,
    #[schema(value_type = String)]
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    finished_at: Option<Timestamp>,
    /// How much is silent by it: at least the spans, and more where whole frames of compressed audio had to go.
    #[serde(skip_serializing_if = "Option::is_none")]
    silenced_ms: Option<u64>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

impl From<Redaction> for RedactionBody {
    fn from(redaction: Redaction) -> Self {
        let span = |span: StoredSpan| SpanBody {
            start_ms: span.start_ms,
            end_ms: span.end_ms,
        };
        Self {
            id: redaction.id,
            recording_id: redaction.recording,
            state: redaction.state,
            spans: redaction.spans.into_iter().map(span).collect(),
            replacement: if redaction.tone {
                ReplacementBody::Tone
            } else {
                ReplacementBody::Silence
            },
            keep_original: redaction.keep_original,
            reason: redaction.reason,
            requested_by: redaction.requested_by,
            created_at: redaction.created_at,
            finished_at: redaction.finished_at,
            silenced_ms: redaction.silenced_ms,
            failure: redaction.failure,
        }
    }
}

/// A page of redactions, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct RedactionPage {
    items: Vec<RedactionBody>,
    next_cursor: Option<String>,
}

/// Redact a recording
///
/// Spans of its audio become inaudible: a copy without them takes its place, encrypted in the same way, and
/// the audio as it came is destroyed in every version, or kept for those who may delete it. Links that were
/// made before play the copy. WAV is silenced to the sample and takes a tone; of MP3, Ogg, FLAC and M4A whole
/// frames are replaced, a few more than were asked for, and nothing is encoded anew. It is done behind the
/// answer: read the redaction until it is done. `recording.available` goes out again, with `redacted`.
///
/// Audio of a coding that cannot be silenced (HE-AAC and Apple Lossless, fragmented MPEG-4, free-format MP3), and a file
/// that players could read in another way, stays as it is: then the redaction has failed, and says why.
///
/// While a legal hold keeps the recording only a redaction that keeps the original is taken: 409. A hold that is placed when the
/// copy has taken the audio's place comes too late for the original. Needs the scope `deletion:write`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/recordings/{recording}/redactions",
    tag = "recordings",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("recording" = String, Path, description = "The recording's id"),
    ),
    request_body(content = RedactionRequest, example = json!({
        "spans": [{"start_ms": 2_311, "end_ms": 10_303}], "reason": "a card number was spoken",
    })),
    responses(
        (status = 202, description = "Under way", body = RedactionBody),
        (status = 400, description = "A field is wrong; all that are wrong are named", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account or recording", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "There is no audio, a legal hold keeps it, only the customer can open it, or eight redactions of it are under way", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 410, description = "It was deleted", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, recording)): Path<(String, String)>,
    body: Result<StrictJson<RedactionRequest>, Problem>,
) -> Result<Response, Problem> {
    let config = app.account(&caller, Scope::DeletionWrite, &account).await?;
    let StrictJson(body) = body?;
    let span = |span: SpanBody| StoredSpan {
        start_ms: span.start_ms,
        end_ms: span.end_ms,
    };
    let order = Order {
        spans: body.spans.into_iter().map(span).collect(),
        tone: matches!(body.replacement, ReplacementBody::Tone),
        keep_original: body.keep_original,
        reason: body.reason.unwrap_or_else(|| DEFAULT_REASON.to_owned()),
    };
    let redaction = app
        .redact_recording(&config.account.id, &recording, order, &caller.actor())
        .await?;
    let location = format!(
        "/v1/accounts/{}/recordings/{}/redactions/{}",
        redaction.account, redaction.recording, redaction.id
    );
    let body = RedactionBody::from(redaction);
    let mut response = (StatusCode::ACCEPTED, Json(body)).into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// List a recording's redactions
///
/// Newest first. Needs the scope `deletion:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/recordings/{recording}/redactions",
    tag = "recordings",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("recording" = String, Path, description = "The recording's id"),
        ("limit" = Option<u16>, Query, description = "1 to 100, 50 unless given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = RedactionPage, example = json!({"items": [{
            "id": "red_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b",
            "recording_id": "rec_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "state": "done",
            "spans": [{"start_ms": 2_311, "end_ms": 10_303}], "replacement": "silence",
            "keep_original": false, "reason": "a card number was spoken",
            "requested_by": "key_0193b3a0c5e87d3f8a4b6c7d8e9f0a1b", "created_at": "2026-01-31T09:12:44Z",
            "finished_at": "2026-01-31T09:12:45Z", "silenced_ms": 7_992,
        }], "next_cursor": null})),
        (status = 404, description = "No such account or recording", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, recording)): Path<(String, String)>,
    query: Result<PageQuery, Problem>,
) -> Result<Json<RedactionPage>, Problem> {
    let config = app.account(&caller, Scope::DeletionRead, &account).await?;
    let query = query?;
    // Whose it is, before anything of it is read.
    let recording = app.recording(&config.account.id, &recording).await?;
    let recording = recording.recording.id;
    let scope = [config.account.id.as_str(), "redactions", &recording];
    let after = query
        .cursor
        .as_deref()
        .map(|cursor| cursor::decode(&scope, cursor))
        .transpose()?;
    let (redactions, next) = app.redactions(&recording, query.limit, after).await?;
    Ok(Json(RedactionPage {
        items: redactions.into_iter().map(Into::into).collect(),
        next_cursor: next.map(|next| cursor::encode(&scope, &next)),
    }))
}
