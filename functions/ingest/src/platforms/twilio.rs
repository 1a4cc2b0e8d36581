//! `POST /v1/accounts/{account}/ingest/twilio`

use axum::extract::{Path, Request, State};
use http::{HeaderName, header, request::Parts};
use ringfence_domain::{
    App,
    access::{Caller, Scope},
    event::source::{Platform, twilio::signature},
    settings::AccountConfig,
};
use ringfence_http::{AppState, Code, Problem, credentials, problem::ProblemBody, read_open};

use super::{accept, header_text, read, split};
use crate::answer::IngestAnswer;

const SIGNATURE: HeaderName = HeaderName::from_static("x-twilio-signature");

/// The largest request without an API key, in bytes: it is read before anybody knows who sends it. What
/// Twilio sends has a few KiB.
const MAX_UNKNOWN_BYTES: usize = 64 * 1024;

/// Post Twilio voice, status and recording callbacks
///
/// Set this address as the status callback of calls and recordings. `X-Twilio-Signature` is checked
/// with the account's auth token, which `settings/sources` holds: a request without a right signature
/// is refused, and one with it needs no API key. If the request carries an API key as well (as the
/// password in the URL), that must be right too, with the scope `events:write`; without one a request
/// may have at most 64 KiB. Twilio signs the public URL: set it with `--public-url` where a proxy changes
/// host or scheme.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/ingest/twilio",
    tag = "ingest",
    params(("account" = String, Path, description = "The account's id")),
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "As Twilio sends it"),
    responses(
        (status = 202, description = "A result per event", body = IngestAnswer),
        (status = 401, description = "The signature is missing or wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 413, description = "More than 64 KiB, or 5 MiB with an API key", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 415, description = "Not a media type of this platform", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn post(
    State(app): State<AppState>,
    Path(account): Path<String>,
    request: Request,
) -> Result<IngestAnswer, Problem> {
    let secret = credentials(request.headers());
    let config = match &secret {
        Some(secret) => {
            let caller: Caller = app.authenticate(secret, None).await?;
            app.account(&caller, Scope::EventsWrite, &account).await?
        }
        // Without a key the signature alone decides; an account that is not there must look the same.
        None => app.account_config(&account).await?.ok_or_else(unsigned)?,
    };
    // What cannot be signed is not read.
    if config.twilio_auth_token.is_none() || !request.headers().contains_key(SIGNATURE) {
        return Err(unsigned());
    }
    let (parts, body) = if secret.is_some() {
        read(request).await?
    } else {
        let (parts, body) = split(request);
        (parts, read_open(body, MAX_UNKNOWN_BYTES).await?)
    };
    if !is_signed(&app, &config, &parts, &body) {
        return Err(unsigned());
    }
    accept(&app, &config, Platform::Twilio, &parts, &body).await
}

fn unsigned() -> Problem {
    Problem::new(Code::Unauthenticated).detail(
        "X-Twilio-Signature is missing, or does not match the auth token in settings/sources and the public URL.",
    )
}

fn is_signed(app: &App, config: &AccountConfig, parts: &Parts, body: &[u8]) -> bool {
    let (Some(token), Some(sent)) = (&config.twilio_auth_token, header_text(parts, &SIGNATURE))
    else {
        return false;
    };
    let origin = if let Some(origin) = &app.public_origin {
        origin.trim_end_matches('/').to_owned()
    } else {
        let Some(host) = header_text(parts, &header::HOST) else {
            return false;
        };
        let proto = HeaderName::from_static("x-forwarded-proto");
        let scheme = header_text(parts, &proto).unwrap_or("http");
        format!("{scheme}://{host}")
    };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let is_form = header_text(parts, &header::CONTENT_TYPE).is_some_and(|value| {
        let essence = value.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    });
    let signed = if is_form {
        signature::Signed::Form(body)
    } else {
        signature::Signed::Bytes(body)
    };
    signature::verify(token.reveal(), &format!("{origin}{path}"), signed, sent).is_ok()
}
