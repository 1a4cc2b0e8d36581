//! `GET` and `PUT /v1/accounts/{account}/recordings/{recording}/audio`

use axum::{
    Json,
    body::Body,
    extract::{Path, Request, State},
    response::Response,
};
use futures_util::StreamExt as _;
use http::{HeaderMap, Method, header};
use ringfence_domain::{
    App,
    access::{Caller, Hearing, Scope},
    pin::{Pin, PinError},
    recording::{Listener, MAX_AUDIO_BYTES, Recording},
};
use ringfence_http::{
    AppState, Authenticated, Code, Problem, looked_at, played, problem::ProblemBody, range_of,
};
use ringfence_ports::BlobError;

use super::{RecordingBody, shown};

/// The PIN of whoever may hear with one only.
const PIN_HEADER: &str = "ringfence-pin";

fn pin_required() -> Problem {
    Problem::new(Code::PinRequired)
        .detail("Your team's recordings ask for the PIN: send it in the header Ringfence-Pin.")
}

fn refused(error: PinError, app: &App) -> Problem {
    match error {
        PinError::Wrong => Problem::new(Code::WrongPin),
        PinError::Locked { until } => {
            let seconds = until.duration_since(app.clock.now()).as_secs() + 1;
            Problem {
                retry_after: Some(u32::try_from(seconds).unwrap_or(1).max(1)),
                ..Problem::new(Code::PinLocked)
            }
        }
        PinError::Closed => Problem::new(Code::PinLocked)
            .detail("There is no PIN that opens it: one must be set anew."),
        PinError::Store(error) => error.into(),
        PinError::Keys(error) => error.into(),
    }
}

/// Asks for the PIN where the person may hear the recording with one only.
pub(super) async fn require_pin(
    app: &App,
    caller: &Caller,
    hearing: Hearing,
    recording: &Recording,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    if hearing == Hearing::Free {
        return Ok(());
    }
    let pin = headers
        .get(PIN_HEADER)
        .ok_or_else(pin_required)?
        .to_str()
        .ok()
        .and_then(Pin::parse)
        .ok_or(Problem::new(Code::WrongPin))?;
    app.unlock_recording(recording, pin, caller.address)
        .await
        .map_err(|error| refused(error, app))?;
    Ok(())
}

/// Play a recording
///
/// Redirects to a URL that gives the audio for a minute, ranges included; where Ringfence encrypts the
/// account's audio itself, the answer is the audio. Each request is noted in the log of who listened.
/// No PIN is asked, and none that others guessed at locks this, except of people of a team whose
/// recordings are protected by one: it comes in the header `Ringfence-Pin`. Needs the scope `recordings:read`.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/recordings/{recording}/audio",
    tag = "recordings",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("recording" = String, Path, description = "The recording's id"),
        ("Ringfence-Pin" = Option<String>, Header, description = "The PIN, of people of a team that asks it"),
    ),
    responses(
        (status = 200, description = "The audio"),
        (status = 206, description = "The range of it"),
        (status = 302, description = "Where the audio is, for a minute"),
        (status = 403, description = "The scope, or the PIN, is missing or wrong", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 404, description = "No such account or recording", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "No audio has arrived yet", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 410, description = "It was deleted", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 416, description = "The range lies outside of it", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, recording)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (config, reach) = app
        .account_data(&caller, Scope::RecordingsRead, &account)
        .await?;
    let (stored, hearing) = app
        .recording_within(&reach, &config.account.id, &recording)
        .await?;
    if method == Method::HEAD {
        // Whoever only looks has not listened.
        stored.recording.playable()?;
        return Ok(looked_at(&stored.recording));
    }
    require_pin(&app, &caller, hearing, &stored.recording, &headers).await?;
    let listener = Listener {
        link: None,
        user: Some(caller.id().to_owned()),
        address: caller.address,
        to_original: false,
    };
    let range = range_of(&headers, &stored.recording);
    let audio = app.play(&stored.recording, range, None, listener).await?;
    Ok(played(&stored.recording, range.is_some(), audio))
}

/// Send a recording's audio
///
/// The file as it is, through Ringfence rather than to the store. It is kept as it comes, and looked at
/// when it is whole. Needs the scope `recordings:write`.
#[utoipa::path(
    put,
    path = "/v1/accounts/{account}/recordings/{recording}/audio",
    tag = "recordings",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("recording" = String, Path, description = "The recording's id"),
    ),
    request_body(content = Vec<u8>, content_type = "audio/*"),
    responses(
        (status = 200, description = "The recording, available", body = RecordingBody),
        (status = 404, description = "No such account or recording", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 409, description = "The audio is there already", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 413, description = "It is too large", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
        (status = 422, description = "It is not audio, or not what was announced", body = inline(ProblemBody<'static>), content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn put(
    State(app): State<AppState>,
    Authenticated(caller): Authenticated,
    Path((account, recording)): Path<(String, String)>,
    request: Request,
) -> Result<Json<RecordingBody>, Problem> {
    let config = app
        .account(&caller, Scope::RecordingsWrite, &account)
        .await?;
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_AUDIO_BYTES) {
        return Err(Problem::new(Code::PayloadTooLarge)
            .detail(format!("The limit here is {MAX_AUDIO_BYTES} bytes.")));
    }
    let recording = app
        .upload_recording(&config, &recording, bytes(request.into_body()))
        .await?;
    Ok(Json(shown(&config, recording)))
}

/// A body as the store takes it. One that breaks off, because its sender went away or was too slow, is not
/// what was announced: nothing of it is stored.
fn bytes(body: Body) -> ringfence_ports::ByteStream {
    Box::pin(
        body.into_data_stream()
            .map(|part| part.map_err(|_| BlobError::Mismatch)),
    )
}
